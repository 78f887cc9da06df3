"""Reading, writing in pieces, joining: pictures, times and sound stay what they were."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from facerecon.types import VideoError
from facerecon.video.reading import read_frames, read_info
from facerecon.video.writing import PieceWriter, join_pieces
from tests.video.clips import SIZE, stroll, write_clip


def samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])


def cut_and_join(source: Path, folder: Path, length: int) -> Path:
    info, pieces, frames = read_info(source), [], read_frames(source)
    while part := list(islice(frames, length)):
        pieces.append(folder / f"{len(pieces)}.nut")
        with PieceWriter(pieces[-1], SIZE, info.rate, info.time_base) as writer:
            for frame in part:
                writer.write(frame.image, frame.pts)
    return join_pieces(pieces, folder / "joined.mp4", source)


@pytest.mark.parametrize("name, sound, codec", [("a.mp4", "aac", "libx264"), ("b.avi", "pcm_s16le", "mpeg4"), ("c.mkv", None, "libx264")])
def test_pieces_join_to_the_same_pictures_times_and_sound(tmp_path, name, sound, codec):
    source = write_clip(tmp_path / name, stroll(25), sound=sound, codec=codec)
    joined = cut_and_join(source, tmp_path, 10)
    before, after = list(read_frames(source)), list(read_frames(joined))
    info, joined_info = read_info(source), read_info(joined)
    assert [float(f.pts * info.time_base) for f in before] == pytest.approx(
        [float(f.pts * joined_info.time_base) for f in after], abs=1e-3
    )
    assert len(after) == 25
    for a, b in zip(before, after):
        assert np.abs(a.image.astype(int) - b.image).mean() < 3
    assert joined_info.has_audio == (sound is not None)
    if sound is not None:
        wave = samples(joined)
        assert 8000 <= len(wave) < 8000 + 3 * 1024 and np.abs(wave).mean() > 0.1


def test_frames_of_uneven_length_keep_their_times(tmp_path):
    times = [0, 4, 12, 13, 30, 31, 50, 54]
    source = write_clip(tmp_path / "uneven.mkv", stroll(len(times)), times, sound=None)
    joined = cut_and_join(source, tmp_path, 3)
    base = read_info(joined).time_base
    assert [float(f.pts * base) for f in read_frames(joined)] == pytest.approx([t / 100 for t in times], abs=1e-3)


def test_equal_frames_give_equal_bytes(tmp_path):
    source = write_clip(tmp_path / "a.mp4", stroll(12))
    blobs = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        blobs.append(cut_and_join(source, tmp_path / folder, 5).read_bytes())
    assert blobs[0] == blobs[1]


def test_start_and_step_choose_frames(tmp_path):
    source = write_clip(tmp_path / "a.mp4", stroll(12))
    every = list(read_frames(source))
    some = list(read_frames(source, start=4, step=3))
    assert [frame.index for frame in some] == [6, 9]
    assert all(np.array_equal(frame.image, every[frame.index].image) for frame in some)


def test_a_cut_off_video_gives_the_frames_it_has(tmp_path, caplog):
    source = write_clip(tmp_path / "a.mkv", stroll(40), sound=None)
    blob = bytearray(source.read_bytes())
    source.write_bytes(blob[: len(blob) * 2 // 3])
    frames = list(read_frames(source))
    assert 5 < len(frames) < 40 and all(frame.image.shape == (*SIZE, 3) for frame in frames)


@pytest.mark.parametrize(
    "text",
    ["no video", "", "#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "ffconcat version 1.0\nfile '/etc/hostname'\n"],
    ids=["text", "empty", "playlist", "concat"],
)
def test_what_is_no_video_or_leads_elsewhere_is_refused(tmp_path, text):
    path = tmp_path / "a.mp4"
    path.write_text(text)
    with pytest.raises(VideoError, match="a.mp4"):
        read_info(path)
    with pytest.raises(VideoError, match="no video"):
        read_info(tmp_path / "http:missing.mp4")


def test_nothing_to_join_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(VideoError, match="no frames"):
        join_pieces([], tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_info_tells_rate_and_length(tmp_path):
    info = read_info(write_clip(tmp_path / "a.mp4", stroll(30), [4 * t for t in range(30)]))
    assert (info.height, info.width, info.frames, info.has_audio) == (*SIZE, 30, True)
    assert abs(info.rate - 25) < Fraction(1, 2)


def test_a_video_filmed_upright_is_read_upright(tmp_path):
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[:, :30] = (220, 220, 40)  # a bar at the left, which belongs to the top
    source = write_clip(tmp_path / "a.mp4", [image] * 3, sound=None)
    blob = bytearray(source.read_bytes())
    matrix = blob.index(b"tkhd") + 44
    blob[matrix : matrix + 36] = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, SIZE[0] << 16, 0, 1 << 30], ">i4").tobytes()
    source.write_bytes(blob)
    frame = next(read_frames(source)).image
    assert frame.shape == (SIZE[1], SIZE[0], 3) and (read_info(source).height, read_info(source).width) == frame.shape[:2]
    assert frame[:20].mean() > 140 and frame[50:].mean() < 80
