"""One shape from several photos, and the scores that weigh them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.reconstruction.camera import seen_yaw
from facerecon.reconstruction.quality import assess, frontality
from facerecon.reconstruction.same_person import exchange_shape, fuse_shapes, put_shape, refit_pose
from facerecon.types import Demographics, Face, FaceReconError, HeadParameters, PersonShape, Reconstruction


def turn(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def parameters(head, identity, yaw=20.0, age=40.0):
    return HeadParameters(
        identity=identity.astype(np.float32),
        expression=np.zeros(len(head.expression_labels), np.float32),
        demographics=Demographics(age=age, gender="female", source="estimated"),
        rotation=turn(yaw),
        translation_m=np.array([0.05, -0.02, -0.8], np.float32),
        focal_px=900.0,
        principal_point=np.array([320.0, 240.0], np.float32),
        lighting=np.zeros((9, 3), np.float32),
        mean_weights=head.demographic_weights([Demographics(age=age, gender="female")])[0].numpy(),
    )


def seen(head, p):
    values = [torch.from_numpy(np.asarray(v, np.float32))[None] for v in (p.identity, p.expression, p.mean_weights)]
    yaw = seen_yaw(torch.from_numpy(p.rotation)[None], torch.from_numpy(p.translation_m)[None])
    with torch.no_grad():
        points = head.landmarks(head.vertices(*values), yaw)[0].numpy() @ p.rotation.T + p.translation_m
    return p.principal_point + p.focal_px * points[:, :2] * (1, -1) / -points[:, 2:]


def reconstruction(head, p, quality):
    face = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32))
    return Reconstruction(0, face, p, np.zeros((1, 3), np.float32), np.zeros((68, 2), np.float32), quality={"quality": quality})


def test_good_photos_count_more(head):
    k = len(head.identity_labels)
    good, bad = (parameters(head, np.full(k, v), age=age) for v, age in ((1.0, 30.0), (-1.0, 60.0)))
    shape = fuse_shapes([reconstruction(head, good, 0.9), reconstruction(head, bad, 0.3)])
    assert shape.identity == pytest.approx(np.full(k, 0.8), abs=1e-5)  # weights 0.81 and 0.09
    assert shape.demographics.age == pytest.approx(33) and shape.demographics.gender == "female"
    assert shape.mean_weights.sum() == pytest.approx(1, abs=1e-4)
    assert shape.mean_weights == pytest.approx(0.9 * good.mean_weights + 0.1 * bad.mean_weights, abs=1e-5)


def test_noisy_shapes_come_closer_to_the_truth_together(head):
    rng, k = np.random.default_rng(0), len(head.identity_labels)
    truth = rng.normal(0, 1, k)
    photos = [reconstruction(head, parameters(head, truth + rng.normal(0, 0.8, k)), 0.7) for _ in range(9)]
    alone = np.mean([np.linalg.norm(p.parameters.identity - truth) for p in photos])
    assert np.linalg.norm(fuse_shapes(photos).identity - truth) < 0.45 * alone


def test_no_photo_no_person():
    with pytest.raises(FaceReconError, match="no photo"):
        fuse_shapes([])


def test_the_shape_takes_the_place_of_a_photos_own_without_moving_its_landmarks(head):
    rng, k = np.random.default_rng(1), len(head.identity_labels)
    own = parameters(head, rng.normal(0, 0.7, k))
    marks = seen(head, own)
    wanted = own.identity + rng.normal(0, 0.5, k).astype(np.float32)
    person = PersonShape(wanted, own.mean_weights, Demographics(age=50))
    put = put_shape(own, marks, person, head)
    assert np.allclose(put.identity, wanted) and put.demographics.age == 50
    kept, moved = (np.linalg.norm(seen(head, p) - marks, axis=1).mean() for p in (put, replace(put, rotation=own.rotation, translation_m=own.translation_m)))
    assert kept <= moved and kept < 2.5
    assert np.allclose(put.rotation @ put.rotation.T, np.eye(3), atol=1e-4) and put.translation_m[2] < -0.5


def test_a_shape_is_exchanged_as_it_is_put(head):
    """The landmarks' own vertices alone give the pose that all vertices give."""
    rng, k = np.random.default_rng(2), len(head.identity_labels)
    own = parameters(head, rng.normal(0, 0.7, k))
    person = PersonShape(own.identity + rng.normal(0, 0.5, k).astype(np.float32), own.mean_weights, Demographics(age=50))
    put, exchanged = put_shape(own, seen(head, own), person, head), exchange_shape(own, person, head)
    assert np.array_equal(exchanged.identity, person.identity) and exchanged.demographics.age == 50
    assert np.linalg.norm(seen(head, exchanged) - seen(head, put), axis=1).max() < 0.5
    assert np.allclose(exchanged.rotation, put.rotation, atol=5e-3)


def test_a_pose_is_found_again_from_its_pixels(head):
    p = parameters(head, np.zeros(len(head.identity_labels)))
    with torch.no_grad():
        yaw = seen_yaw(torch.from_numpy(p.rotation)[None], torch.from_numpy(p.translation_m)[None])
        points = head.landmarks(head.vertices(demographics=torch.from_numpy(p.mean_weights)[None]), yaw)[0].numpy()
    off = replace(p, rotation=turn(12), translation_m=p.translation_m + np.float32((0.02, 0.01, -0.1)))
    rotation, translation = refit_pose(points.astype(float), seen(head, p), off)
    assert np.allclose(rotation, p.rotation, atol=1e-3) and np.allclose(translation, p.translation_m, atol=1e-3)


def test_quality_falls_with_blur_with_yaw_and_with_a_bad_fit(head):
    import cv2

    rng = np.random.default_rng(0)
    sharp = cv2.resize(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), (128, 128), interpolation=cv2.INTER_NEAREST)
    p = parameters(head, np.zeros(len(head.identity_labels)), yaw=5)
    marks = seen(head, p)
    points = np.stack([marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]])
    best = assess(sharp, points, marks, p)
    assert 0.9 < best["quality"] <= 1 and set(best) == {"quality", "landmark_fit", "sharpness", "frontality"}
    blurred = assess(cv2.GaussianBlur(sharp, (0, 0), 4), points, marks, p)
    turned = assess(sharp, points, marks, replace(p, rotation=turn(60)))
    astray = assess(sharp, points + 12, marks, p)
    assert all(worse["quality"] < 0.85 * best["quality"] for worse in (blurred, turned, astray))
    assert frontality(replace(p, rotation=turn(120))) == 0
