"""What the shipped head promises to everything that is built on it."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch.nn import functional

from facerecon.head import HeadModel, HeadModelError
from facerecon.types import FaceReconError


def expression(head: HeadModel, **weights: float) -> torch.Tensor:
    row = torch.zeros(1, len(head.expression_labels))
    for name, weight in weights.items():
        row[0, head.expression_labels.index(name)] = weight
    return row


def part(head: HeadModel, points: torch.Tensor, mask: str) -> torch.Tensor:
    return points[:, head.masks[mask]]


def test_shapes_and_ranges(head: HeadModel) -> None:
    weights = head.encode_demographics(torch.tensor([4.0, 60.0]), torch.tensor([0.0, 1.0]), torch.eye(3)[:2])
    points = head.vertices(torch.randn(2, len(head.identity_labels)), torch.rand(2, 52), weights, torch.zeros(2, 4, 3))
    assert points.shape == (2, head.vertex_count, 3) and torch.isfinite(points).all()
    assert head.faces.max() == head.vertex_count - 1 and len(head.faces) == len(head.uv_faces) == len(head.face_materials)
    assert head.uv_faces.max() < len(head.uv) and head.uv.min() >= 0 and head.uv.max() <= 1
    assert head.landmarks(points).shape == (2, 68, 3)
    assert head.joints(demographics=weights).shape == (2, len(head.joint_labels), 3)
    assert len(set(head.expression_labels)) == 52 and head.identity_std_mm.shape == (len(head.identity_labels),)


def test_left_out_arguments_are_average_and_neutral(head: HeadModel) -> None:
    zero = head.vertices(torch.zeros(1, len(head.identity_labels)), torch.zeros(1, 52), pose=torch.zeros(1, 4, 3))
    assert torch.allclose(head.vertices(), zero, atol=1e-6)


def test_an_adult_has_human_measures(head: HeadModel) -> None:
    points = head.vertices()
    eyes = [part(head, points, f"{side}_eyeball").mean(1)[0] for side in ("right", "left")]
    assert torch.allclose((eyes[0] + eyes[1]) / 2, torch.zeros(3), atol=1e-3)
    assert 0.057 < eyes[1][0] - eyes[0][0] < 0.069  # the left eye lies at +x
    marks = head.landmarks(points)[0]
    assert 0.1 < marks[27, 1] - marks[8, 1] < 0.13
    assert marks[30, 2] > marks[27, 2] > marks[0, 2]


def test_heads_grow_and_men_are_larger(head: HeadModel) -> None:
    ages = torch.tensor([0.0, 1.0, 5.0, 10.0, 18.0])
    even = torch.full((5, 3), 1 / 3)
    women = head.vertices(demographics=head.encode_demographics(ages, torch.zeros(5), even))
    men = head.vertices(demographics=head.encode_demographics(ages, torch.ones(5), even))
    breadth = [(p[:, :, 0].amax(1) - p[:, :, 0].amin(1)) for p in (part(head, x, "scalp") for x in (women, men))]
    assert (breadth[0].diff() > 0).all() and (breadth[1] > breadth[0]).all()
    assert 0.085 < breadth[0][0] < 0.105 and 0.135 < breadth[0][-1] < 0.16


def test_blink_closes_the_eyes_of_a_child_and_of_anyone(head: HeadModel) -> None:
    torch.manual_seed(0)
    weights = head.encode_demographics(torch.tensor([2.0, 30.0, 80.0]), torch.tensor([0.0, 1.0, 0.5]), torch.eye(3))
    identity = torch.randn(3, len(head.identity_labels))
    opened = head.eyelids.openings(head.vertices(identity, None, weights))
    blink = expression(head, eyeBlinkLeft=1.0).expand(3, -1)
    closed = head.eyelids.openings(head.vertices(identity, blink, weights))
    assert opened[:, :, 4:11].min() > 2e-3
    assert closed[:, 0, 4:11].max() < 0
    assert torch.allclose(closed[:, 1], opened[:, 1], atol=5e-4)  # the right eye stays open


def test_lids_never_sink_into_the_eyeballs(head: HeadModel) -> None:
    torch.manual_seed(1)
    points = head.vertices(2 * torch.randn(8, len(head.identity_labels)), torch.rand(8, 52))
    balls = torch.stack([part(head, points, f"{side}_eyeball") for side in ("left", "right")], dim=1)
    centre = balls.mean(2)
    radius = (balls - centre[:, :, None]).norm(dim=-1).mean(-1)
    lids = points[:, head.eyelids.vertices] - centre[:, head.eyelids.eyes]
    assert (lids.norm(dim=-1) - radius[:, head.eyelids.eyes]).min() > 0


def test_expressions_move_what_they_name(head: HeadModel) -> None:
    rest = head.vertices()

    def moved(mask: str, **weights: float) -> torch.Tensor:
        return (part(head, head.vertices(expression=expression(head, **weights)), mask) - part(head, rest, mask))[0]

    jaw = moved("teeth", jawOpen=1.0)[:, 1]
    assert jaw.min() < -0.02 and jaw.max() == pytest.approx(0, abs=1e-4)  # lower teeth fall, upper ones stay
    assert moved("tongue", tongueOut=1.0)[:, 2].max() > 0.01
    front = part(head, rest, "left_eyeball")[0, :, 2].argmax()
    assert moved("left_eyeball", eyeLookUpLeft=1.0)[front, 1] > 0.004
    assert moved("left_eyeball", eyeLookOutLeft=1.0)[front, 0] > 0.004
    assert moved("right_eyeball", eyeLookOutLeft=1.0).abs().max() < 1e-5
    corners = head.landmarks(head.vertices(expression=expression(head, mouthSmileLeft=1.0))) - head.landmarks(rest)
    assert corners[0, 54].norm() > 3 * corners[0, 48].norm()  # 54 is the head's left corner


def test_neck_turns_the_head_and_leaves_the_shoulders(head: HeadModel) -> None:
    pose = torch.zeros(1, 4, 3)
    pose[0, head.joint_labels.index("neck"), 1] = 0.5
    still, turned = head.vertices(), head.vertices(pose=pose)
    shift = (turned - still)[0].norm(dim=-1)
    assert shift[head.masks["face"]].min() > 0.01
    assert shift[still[0, :, 1].argmin()] < 0.2 * shift[head.masks["face"]].min()
    assert head.landmarks(turned)[0, 30, 0] > 0.02  # a right-handed turn about y: toward the head's left


def test_vertices_are_differentiable(head: HeadModel) -> None:
    inputs = [torch.zeros(1, n, requires_grad=True) for n in (len(head.identity_labels), 52)]
    age = torch.tensor([20.5], requires_grad=True)
    weights = head.encode_demographics(age, torch.tensor([0.5]), torch.full((1, 3), 1 / 3))
    pose = torch.zeros(1, 4, 3, requires_grad=True)
    points = head.vertices(*inputs, weights, pose)
    functional.mse_loss(head.landmarks(points, torch.tensor([0.3])), torch.zeros(1, 68, 3)).backward()
    for value in (*inputs, age, pose):
        assert torch.isfinite(value.grad).all() and value.grad.abs().sum() > 0


def test_masks_cover_what_they_name(head: HeadModel) -> None:
    masks, points = head.masks, head.vertices()[0]
    for name in ("skin", "face", "lips", "eyes", "ears", "scalp", "neck", "teeth", "tongue", "mouth_interior"):
        assert masks[name].any(), name
    assert (masks["face"] & ~masks["skin"]).sum() == 0
    for first, second in (("face", "scalp"), ("ears", "scalp"), ("neck", "face"), ("teeth", "skin")):
        assert not (masks[first] & masks[second]).any(), (first, second)
    assert points[masks["scalp"], 1].mean() > points[masks["face"], 1].mean() > points[masks["neck"], 1].mean()
    assert points[masks["ears"], 0].abs().min() > 0.04


def test_charts_of_the_atlas_do_not_overlap(head: HeadModel) -> None:
    import cv2

    size = 512
    uv = (head.uv.numpy() * size).astype(np.float32)
    owner = np.full((size, size), -1, dtype=np.int32)
    for material in range(len(head.material_labels)):
        picture = np.zeros((size, size), dtype=np.uint8)
        for corners in uv[head.uv_faces[head.face_materials == material].numpy()]:
            cv2.fillConvexPoly(picture, np.floor(corners).astype(np.int32), 1)
        inside = cv2.erode(picture, np.ones((3, 3), np.uint8)) > 0
        assert (owner[inside] == -1).all(), head.material_labels[material]
        owner[inside] = material


def test_is_fast(head: HeadModel) -> None:
    identity = torch.randn(32, len(head.identity_labels))
    weights = head.encode_demographics(torch.full((32,), 30.0), torch.full((32,), 0.5), torch.full((32, 3), 1 / 3))
    with torch.no_grad():
        best = float("inf")
        for _ in range(8):
            start = time.perf_counter()
            head.vertices(identity, torch.rand(32, 52), weights)
            best = min(best, time.perf_counter() - start)
    assert best < 0.25  # 3 ms on two idle cores; the margin is for busy machines


def test_missing_or_foreign_file_is_one_clear_error(tmp_path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(HeadModelError, match="no file"):
        HeadModel.from_pretrained(tmp_path)
    (tmp_path / "head.safetensors").write_bytes(b"not a head")
    with pytest.raises(HeadModelError, match="cannot be read"):
        HeadModel.from_pretrained(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "head.safetensors")
    with pytest.raises(HeadModelError, match="no head model"):
        HeadModel.from_pretrained(tmp_path / "head.safetensors")
    assert issubclass(HeadModelError, FaceReconError)


def test_eyes_stay_in_their_sockets_when_the_head_turns(head):
    pose = torch.zeros(1, 4, 3)
    pose[0, head.joint_labels.index("head"), 1] = 0.5
    still, turned = head.vertices(), head.vertices(pose=pose)
    for side, lids in (("left", slice(42, 48)), ("right", slice(36, 42))):
        apart = [p[:, head.masks[f"{side}_eyeball"]].mean(1) - head.landmarks(p)[:, lids].mean(1) for p in (still, turned)]
        assert (apart[0].norm() - apart[1].norm()).abs() < 1e-3
