"""A whole video with stand-ins for the networks."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from facerecon.head.hair import DIRECTIONS
from facerecon.pipeline import NoFaceError
from facerecon.types import FaceReconError
from facerecon.video.analysis import Wishes
from facerecon.video.job import VideoJob, VideoSettings
from facerecon.video.pictures import Layout
from facerecon.video.reading import read_frames, read_info
from facerecon.video.results import finished, write_results
from tests.export.test_gltf import read
from tests.video.clips import HAIR_M, SIZE, make_pipeline, stroll, write_clip

FRAMES = 23
SETTINGS = VideoSettings(Wishes(detect_every=4), Layout(cat_dim=1), piece_frames=10)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", stroll(FRAMES, cut=15))


@pytest.fixture(scope="module")
def results(tmp_path_factory, clip) -> tuple[Path, dict]:
    output = tmp_path_factory.mktemp("out")
    job = VideoJob(make_pipeline(), clip, output / ".video" / "talk", SETTINGS, "key")
    return output, write_results(job, output, "talk", "key", {"facerecon": "0"})


def test_every_file_is_there_and_the_pieces_are_gone(results):
    output, record = results
    assert sorted(record["files"]) == [
        "heads/talk_00.glb", "heads/talk_01.glb", "parameters/talk.parquet", "parameters/talk_00.json",
        "parameters/talk_01.json", "videos/talk_reconstruction.mp4", "videos/talk_restored.mp4",
    ]  # fmt: skip
    assert all((output / file).stat().st_size > 0 for file in record["files"])
    assert not (output / ".video" / "talk").exists()
    assert (record["frames"], record["scenes"], [p["frames"] for p in record["people"]]) == (FRAMES, 2, [15, 8])
    assert finished(output, "talk", "key") == record and finished(output, "talk", "other") is None


def test_videos_keep_frames_times_and_sound(results, clip):
    output, _ = results
    source = read_info(clip)
    for name, size in (("restored", SIZE), ("reconstruction", (SIZE[0], 3 * SIZE[1]))):
        path = output / "videos" / f"talk_{name}.mp4"
        info = read_info(path)
        assert (info.height, info.width) == size and info.has_audio
        times = [float(frame.pts * info.time_base) for frame in read_frames(path)]
        assert times == pytest.approx([float(f.pts * source.time_base) for f in read_frames(clip)], abs=1e-3)


def test_panels_show_the_frame_then_the_head_opaque_then_shining_through(results, clip):
    output, _ = results
    frame = next(read_frames(clip)).image.astype(float)
    panels = np.split(next(read_frames(output / "videos" / "talk_reconstruction.mp4")).image.astype(float), 3, axis=1)
    changes = [np.abs(panel - frame).mean() for panel in panels]
    assert changes[0] < 3 and changes[1] > changes[2] > changes[0] + 2
    restored = next(read_frames(output / "videos" / "talk_restored.mp4")).image.astype(float)
    assert np.abs(restored - frame).mean() > 5


def test_parameters_have_a_row_a_face_and_frame(results):
    output, _ = results
    table = parquet.read_table(output / "parameters" / "talk.parquet")
    assert table.num_rows == FRAMES and table["frame"].to_pylist() == list(range(FRAMES))
    assert table["person"].to_pylist() == [0] * 15 + [1] * 8 and table["scene"].to_pylist() == [0] * 15 + [1] * 8
    assert table["time_s"].to_pylist() == pytest.approx([t / 25 for t in range(FRAMES)])
    for name in ("yaw", "pitch", "roll", "focal_px", "translation_m_z", "expression_jawOpen", "box_x0"):
        assert np.isfinite(table[name].to_numpy()).all()
    assert np.shape(table["landmarks_68"][0].as_py()) == (68, 2)
    person = json.loads((output / "parameters" / "talk_00.json").read_text())
    assert person["image_size"] == [SIZE[1], SIZE[0]] and "identity" in person and person["quality"]["frames"] == 15


def test_heads_have_hair_in_their_files_and_over_the_frames(results, clip, tmp_path):
    output, _ = results
    stored = json.loads((output / "parameters" / "talk_00.json").read_text())
    assert stored["hair"] == pytest.approx([HAIR_M] * DIRECTIONS)
    for image_type, hair in (("texture", True), ("geometry", False)):
        settings = replace(SETTINGS, layout=Layout(image_type=image_type))
        job = VideoJob(make_pipeline(), clip, tmp_path / image_type, settings, "key")
        drawn = job._posed(job.perform(), 0)
        bald = job.pipeline.head.vertices()[0].numpy()[:, 1].max()
        assert (drawn.vertices[:, 1].max() > bald + 0.9 * HAIR_M) == hair


def test_heads_are_bald_where_that_was_asked_for(clip, tmp_path):
    settings = replace(SETTINGS, wishes=replace(SETTINGS.wishes, hair=False), layout=Layout(image_type="texture"))
    job = VideoJob(make_pipeline(), clip, tmp_path, settings, "key")
    performance = job.perform()
    bald = job.pipeline.head.vertices()[0].numpy()[:, 1].max()
    assert job.heads(performance)[0].parameters.hair is None
    assert job._posed(performance, 0).vertices[:, 1].max() < bald + 0.5 * HAIR_M


def test_each_head_plays_its_own_part(results):
    output, _ = results
    for number, frames in ((0, 15), (1, 8)):
        document, _ = read(output / "heads" / f"talk_{number:02d}.glb")
        (animation,) = document["animations"]
        times = document["accessors"][animation["samplers"][0]["input"]]
        assert times["count"] == frames and times["min"] == [0] and times["max"][0] == pytest.approx((frames - 1) / 25)
        assert {channel["target"]["path"] for channel in animation["channels"]} == {"weights", "rotation"}


class Stop(Exception):
    """What a kill looks like from inside."""


def test_stopped_at_any_frame_and_started_again_the_files_are_the_same(results, clip, tmp_path):
    output, record = results
    folder, left = tmp_path / ".video" / "talk", 0

    def stop(done_in: str, frames: int, earlier: bool) -> None:
        nonlocal left
        left -= not earlier
        if left == 0:
            raise Stop

    starts = 0
    for left in (3, 12, 2, 11, 9, 9, 10**6):
        starts += 1
        job = VideoJob(make_pipeline(), clip, folder, SETTINGS, "key", progress=stop)
        try:
            again = write_results(job, tmp_path, "talk", "key", {"facerecon": "0"})
        except Stop:
            assert not (tmp_path / "videos" / "talk.json").exists()
    assert starts == 7 and {**again, "seconds": 0} == {**record, "seconds": 0}
    for file in record["files"]:
        before, after = ((place / file).read_bytes() for place in (output, tmp_path))
        assert before == after or file.endswith(".json"), file


def test_another_key_starts_afresh(clip, tmp_path):
    job = VideoJob(make_pipeline(), clip, tmp_path / "work", SETTINGS, "one")
    job.perform()
    assert list((tmp_path / "work").glob("analysis_*"))
    VideoJob(make_pipeline(), clip, tmp_path / "work", SETTINGS, "one")
    assert list((tmp_path / "work").glob("analysis_*"))
    VideoJob(make_pipeline(), clip, tmp_path / "work", SETTINGS, "two")
    assert not list((tmp_path / "work").glob("analysis_*"))


def test_frames_left_out_nothing_restored_and_larger(clip, tmp_path):
    settings = replace(SETTINGS, wishes=Wishes(restore=False), frame_skip=2, layout=Layout(original=False, transparent=False, black_background=True))  # fmt: skip
    pipeline = make_pipeline()
    record = write_results(VideoJob(pipeline, clip, tmp_path / "work", settings, "key"), tmp_path, "talk", "key", {}, ())
    assert sorted(record["files"]) == [
        "parameters/talk.parquet", "parameters/talk_00.json", "parameters/talk_01.json", "videos/talk_reconstruction.mp4"
    ]  # fmt: skip
    assert pipeline.restorer.calls == [] and record["frames"] == 8
    drawn = list(read_frames(tmp_path / "videos" / "talk_reconstruction.mp4"))
    base = read_info(tmp_path / "videos" / "talk_reconstruction.mp4").time_base
    assert [float(f.pts * base) for f in drawn] == pytest.approx([0.12 * t for t in range(8)], abs=1e-3)
    assert drawn[0].image[:4].max() < 20 and drawn[0].image.max() > 120
    enlarged = replace(SETTINGS, wishes=Wishes(upscale=2), layout=Layout(False, False, False))
    write_results(VideoJob(make_pipeline(), clip, tmp_path / "work", enlarged, "key"), tmp_path, "large", "key", {}, ())
    info = read_info(tmp_path / "videos" / "large_restored.mp4")
    assert (info.height, info.width) == (2 * SIZE[0], 2 * SIZE[1])


def test_no_face_and_no_video_are_one_sentence(tmp_path):
    empty = write_clip(tmp_path / "sky.mp4", [np.full((*SIZE, 3), 90, np.uint8)] * 4)
    with pytest.raises(NoFaceError, match="No face was found in the video"):
        VideoJob(make_pipeline(), empty, tmp_path / "work", SETTINGS, "key").perform()
    (tmp_path / "nothing.mp4").touch()
    for name, sentence in (("none.mp4", "There is no video"), ("nothing.mp4", "nothing.mp4 is empty"), ("", "is a folder")):
        with pytest.raises(FaceReconError, match=sentence):
            VideoJob(make_pipeline(), tmp_path / name, tmp_path / "work", SETTINGS, "key")


def test_a_video_that_was_cut_off_is_said(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("facerecon"), "propagate", True)  # the command line turns it off
    whole = write_clip(tmp_path / "whole.mkv", stroll(40), sound=None)
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    plain = replace(SETTINGS, wishes=Wishes(restore=False), layout=Layout(False, False, False))
    for name in ("whole", "cut"):
        job = VideoJob(make_pipeline(), tmp_path / f"{name}.mkv", tmp_path / name, plain, "key")
        job.perform()
    assert set(caplog.messages) == {f"cut.mkv says that it has about 40 frames; {job.frames_done} could be read."}
