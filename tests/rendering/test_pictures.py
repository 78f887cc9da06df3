from __future__ import annotations

import errno
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from facerecon.images import ImageError
from facerecon.rendering import uniform_light
from facerecon.rendering.pictures import MODES, framing, overlay_head, render_head, render_layer
from facerecon.rendering.turntable import turn, turntable_frames, write_video
from facerecon.types import Demographics, HeadParameters, VideoError
from tests.rendering.meshes import uv_sphere


@pytest.fixture(scope="module")
def ball():
    """A sphere whose UV is its front view: u from left to right, v from bottom to top."""
    vertices, faces = uv_sphere()
    uv = vertices[:, :2] / 0.2 + 0.5
    return vertices.numpy(), SimpleNamespace(faces=faces, uv=uv, uv_faces=faces, masks={})


def quartered() -> np.ndarray:
    """Red upper left, green upper right, blue lower left, white lower right."""
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32, :32] = (255, 0, 0)
    texture[:32, 32:] = (0, 255, 0)
    texture[32:, :32] = (0, 0, 255)
    texture[32:, 32:] = 255
    return texture


def test_texture_appears_upright_and_not_mirrored(ball):
    vertices, head = ball
    picture = render_head(vertices + (0, 0, -1), head, 128, texture=quartered())
    assert picture[44, 44].tolist() == [255, 0, 0]
    assert picture[44, 84].tolist() == [0, 255, 0]
    assert picture[84, 44].tolist() == [0, 0, 255]


def test_every_mode_draws_the_head_before_the_background(ball):
    vertices, head = ball
    for mode in MODES:
        picture = render_head(vertices + (0, 0, -1), head, 96, texture=quartered(), mode=mode, background=(9, 8, 7))
        assert picture[0, 0].tolist() == [9, 8, 7] and picture[48, 48].tolist() != [9, 8, 7], mode


def test_normals_and_depth_have_the_colours_they_should(ball):
    vertices, head = ball
    normals = render_head(vertices + (0, 0, -1), head, 129, mode="normals")
    assert np.abs(normals[64, 64].astype(int) - (128, 128, 255)).max() < 6
    assert normals[64, 110, 0] > 210 and normals[20, 64, 1] > 210
    depth = render_head(vertices + (0, 0, -1), head, 129, mode="depth")
    assert depth[64, 64, 0] > depth[64, 100, 0] > depth[64, 118, 0]


def test_uniform_light_leaves_the_texture_as_it_is(ball):
    vertices, head = ball
    texture = np.full((8, 8, 3), (180, 120, 90), np.uint8)
    picture = render_head(vertices + (0, 0, -1), head, 64, texture=texture, lighting=uniform_light()[0])
    assert np.abs(picture[32, 32].astype(int) - (180, 120, 90)).max() <= 1


def test_edges_are_smooth(ball):
    vertices, head = ball
    picture = render_head(vertices + (0, 0, -1), head, 64, mode="geometry", background=(0, 0, 0))
    row = picture[32, :, 0]
    assert ((row > 5) & (row < 100)).any()


def test_clay_is_dark_inside_the_mouth(ball):
    vertices, head = ball
    below = torch.from_numpy(vertices[:, 1] < 0)
    plain = render_head(vertices + (0, 0, -1), head, 64, mode="geometry")
    mouth = SimpleNamespace(**{**vars(head), "masks": {"mouth_interior": below}})
    dark = render_head(vertices + (0, 0, -1), mouth, 64, mode="geometry")
    assert dark[45, 32, 0] < 0.8 * plain[45, 32, 0] and dark[15, 32, 0] == plain[15, 32, 0]


def test_unknown_mode_and_missing_texture_are_refused(ball):
    vertices, head = ball
    with pytest.raises(ValueError, match="mode"):
        render_head(vertices + (0, 0, -1), head, 32, mode="wireframe")
    with pytest.raises(ValueError, match="texture"):
        render_head(vertices + (0, 0, -1), head, 32)


def seen_at(u: float, v: float, distance: float = 2.0, focal: float = 200.0) -> HeadParameters:
    """A camera of a 120 x 100 photo that sees the head's origin at (u, v)."""
    centre = np.array([59.5, 49.5])
    x, y = (u - centre[0]) * distance / focal, -(v - centre[1]) * distance / focal
    return HeadParameters(
        np.zeros(1), np.zeros(1), Demographics(), np.eye(3), np.array([x, y, -distance]), focal, centre, np.zeros((9, 3))
    )


@pytest.mark.parametrize(("u", "v"), [(60, 50), (20, 70), (2, 3), (118, 97)])
def test_overlay_lands_where_the_camera_sees_the_head(ball, u, v):
    vertices, head = ball
    photo = np.full((100, 120, 3), 30, np.uint8)
    picture = overlay_head(photo, vertices, seen_at(u, v), head)
    ys, xs = np.nonzero((picture != photo).any(-1))
    rows, columns = np.mgrid[:100, :120]
    disc = np.hypot(columns - u, rows - v) < 10
    assert abs(xs.mean() - columns[disc].mean()) < 0.5 and abs(ys.mean() - rows[disc].mean()) < 0.5
    assert photo.max() == 30  # the photo given is left alone


def test_overlay_of_a_head_outside_the_photo_is_the_photo(ball):
    vertices, head = ball
    photo = np.full((100, 120, 3), 30, np.uint8)
    assert np.array_equal(overlay_head(photo, vertices, seen_at(900, 50), head), photo)


def test_overlay_can_be_thin_and_of_a_region_only(ball):
    vertices, head = ball
    photo = np.zeros((100, 120, 3), np.uint8)
    upper = overlay_head(photo, vertices, seen_at(60, 50), head, region=vertices[:, 1] > -1e-6)
    assert upper[44, 60].any() and not upper[56, 60].any()
    thin = overlay_head(photo, vertices, seen_at(60, 50), head, opacity=0.25)
    full = overlay_head(photo, vertices, seen_at(60, 50), head)
    assert thin[50, 60, 0] == pytest.approx(full[50, 60, 0] / 4, abs=1)


def test_turning_right_brings_the_nose_to_the_right(ball):
    nose = np.array([[0.0, 0.0, 0.1], [0.0, 0.0, -0.1]])
    assert turn(nose, 90, 0)[0, 0] > 0.09
    assert turn(nose, 0, 30)[0, 1] < 0  # looking down on the head, the nose sinks


def test_turntable_video_plays_back(ball, tmp_path):
    vertices, head = ball
    heard: list[float] = []
    frames = list(turntable_frames(vertices, head, 64, frames=6, texture=quartered(), on_frame=heard.append))
    assert heard == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    path = write_video(tmp_path / "turn.mp4", frames)
    assert [file.name for file in tmp_path.iterdir()] == ["turn.mp4"]
    reader = cv2.VideoCapture(str(path))
    seen = [reader.read()[1] for _ in range(6)]
    assert all(frame is not None and frame.shape == (64, 64, 3) for frame in seen) and not reader.read()[0]
    assert np.abs(seen[0][..., ::-1].astype(int) - frames[0]).mean() < 12
    assert np.abs(seen[0].astype(int) - seen[3]).mean() > 3  # it turns


def test_no_frames_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(VideoError, match="turn.mp4"):
        write_video(tmp_path / "turn.mp4", [])


class SilentWriter:
    """What OpenCV's writer is on a full disk, noticed at once or later."""

    def __init__(self, opened: bool) -> None:
        self.opened = opened

    def isOpened(self) -> bool:
        return self.opened

    def write(self, frame: np.ndarray) -> None: ...

    def release(self) -> None: ...


@pytest.mark.parametrize("opened", [True, False])
def test_a_full_disk_leaves_no_video_and_is_said(tmp_path, monkeypatch, opened):
    (tmp_path / ".part-turn.mp4").symlink_to("/dev/full")  # where it is written before it takes its name
    monkeypatch.setattr(cv2, "VideoWriter", lambda *_: SilentWriter(opened))
    with pytest.raises(ImageError, match="turn.mp4 cannot be written: No space left") as raised:
        write_video(tmp_path / "turn.mp4", [np.zeros((64, 64, 3), np.uint8)] * 4)
    assert raised.value.__cause__.errno == errno.ENOSPC and not (tmp_path / "turn.mp4").exists()


def test_normal_map_bends_what_is_drawn(ball):
    vertices, head = ball
    relief = np.full((64, 64, 3), (128, 128, 255), np.uint8)
    plain = render_head(vertices + (0, 0, -1), head, 129, mode="normals")
    flat = render_head(vertices + (0, 0, -1), head, 129, mode="normals", normal_map=relief)
    assert np.abs(flat.astype(int) - plain)[20:-20, 20:-20].max() <= 2
    relief[:32] = (188, 128, 240)  # the upper half leans along u, to the right
    relief[32:] = (128, 188, 240)  # the lower half up the texture
    bent = render_head(vertices + (0, 0, -1), head, 129, mode="normals", normal_map=relief).astype(int) - plain
    assert bent[50, 64, 0] > 40 and abs(bent[50, 64, 1]) < 25
    assert bent[78, 64, 1] > 40 and abs(bent[78, 64, 0]) < 15


def test_framing_shows_all_of_a_head_that_stands_to_the_side():
    points = np.array([[0.1, 0.3, -1.0], [0.2, 0.7, -1.0]])
    focal, principal = framing(points, 200, 100)
    pixels = principal + focal * points[:, :2] * (1, -1)
    assert pixels.mean(0) == pytest.approx([49.5, 99.5])
    assert np.ptp(pixels[:, 1]) == pytest.approx(0.9 * 200)


def test_a_turntable_goes_once_around_to_the_right_and_shows_relief():

    vertices, faces = uv_sphere()
    nose = SimpleNamespace(faces=faces, uv=vertices[:, :2] / 0.2 + 0.5, uv_faces=faces, masks={"mouth_interior": vertices[:, 2] > 0.085})
    vertices = vertices.numpy()
    front, right, back, left = turntable_frames(vertices, nose, 64, frames=4, mode="geometry", lighting=uniform_light()[0])
    dark = [frame[32, :, 0].astype(int) < 190 for frame in (front, right, back, left)]
    assert dark[0][32] and not dark[0][[10, 53]].any() and not dark[2].any()
    assert dark[1].any() and np.flatnonzero(dark[1]).min() > 40 and np.flatnonzero(dark[3]).max() < 23
    lean = np.full((8, 8, 3), (188, 128, 240), np.uint8)
    plain, bent = (next(turntable_frames(vertices, nose, 64, mode="normals", normal_map=m)) for m in (None, lean))
    assert bent[32, 32, 0] > plain[32, 32, 0].astype(int) + 30


def test_what_is_seen_from_behind_is_not_drawn():
    vertices, faces = uv_sphere()
    front = faces[vertices[faces][..., 2].min(1).values > 0.05]
    covered = []
    for turned in (front, front[:, [0, 2, 1]]):
        ball = SimpleNamespace(faces=turned, uv=vertices[:, :2], uv_faces=turned, masks={"mouth_interior": vertices[:, 2] > 1})
        layer = render_layer(vertices.numpy() - (0, 0, 0.5), ball, (32, 32), 60.0, np.array([15.5, 15.5]), mode="geometry")
        covered.append(layer[..., 3].sum())
    assert covered[0] > 50 and covered[1] == 0
