"""The mouth's training learns from labels, and ``settle`` touches pseudo-labels of shut mouths alone."""

from __future__ import annotations

from argparse import Namespace

import cv2
import numpy as np
import pytest

from facerecon.faces.mouth import LIP_PAIRS, SHUT_GAP, MouthReader, cut_mouth, lip_gap
from train.landmarks.mouth import settle, train

SIDE = 160


def drawn(open_wide: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A face with a mouth full of teeth, or a line between lips, and its landmarks; lips as far apart as a network would see them."""
    tone = rng.integers(90, 220)
    photo = np.full((SIDE, SIDE, 3), (tone, tone * 0.8, tone * 0.7), np.uint8)
    points = np.zeros((68, 2), np.float32)
    points[36], points[45], points[30] = (50, 60), (110, 60), (80, 85)
    points[48], points[54], points[51], points[57] = (60, 110), (100, 110), (80, 103), (80, 119)
    points[60], points[64] = (62, 110), (98, 110)
    for (upper, lower), x in zip(LIP_PAIRS, (72, 80, 88)):
        points[upper], points[lower] = (x, 107), (x, 113)
    cv2.ellipse(photo, (80, 111), (20, 8), 0, 0, 360, (tone * 0.8, tone * 0.4, tone * 0.4), -1)
    if open_wide:
        cv2.ellipse(photo, (80, 111), (17, 4), 0, 0, 360, (250, 250, 245), -1)
    else:
        cv2.line(photo, (61, 110), (99, 110), (tone * 0.4, tone * 0.2, tone * 0.2), 1)
    return photo, points


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("mouths"), np.random.default_rng(0)
    photos, landmarks = zip(*(drawn(i % 2 == 0, rng) for i in range(60)))
    landmarks = np.stack(landmarks)
    true = np.arange(60) < 48
    for upper, lower in LIP_PAIRS:  # labels of photos that have them are right
        landmarks[np.ix_(true & (np.arange(60) % 2 == 1), [lower])] = landmarks[np.ix_(true & (np.arange(60) % 2 == 1), [upper])]
    np.save(root / "images.npy", np.stack(photos))
    np.savez(root / "labels.npz", landmarks=landmarks, true=true, age=np.arange(60.0))
    return root


def test_it_learns_what_lies_between_lips_and_settles_pseudo_labels(folder, tmp_path):
    path = train(Namespace(crops=folder, renders=[], shut=None, output=tmp_path, epochs=40, limit=None, seed=0))
    reader, rng = MouthReader.from_pretrained(path=path), np.random.default_rng(5)
    chances = [reader.see(np.stack([cut_mouth(*drawn(kind, rng), reader.size) for _ in range(10)])).mean() for kind in (True, False)]
    assert chances[0] > 0.8 and chances[1] < 0.3
    before = dict(np.load(folder / "labels.npz"))
    assert settle(folder, reader) == 6
    after = dict(np.load(folder / "labels.npz"))
    gaps, kinds = lip_gap(after["landmarks"]), np.arange(60) % 2
    assert np.array_equal(after["landmarks"][:48], before["landmarks"][:48])
    assert np.allclose(gaps[48:][kinds[48:] == 1], SHUT_GAP, atol=1e-3)
    assert np.allclose(gaps[48:][kinds[48:] == 0], lip_gap(before["landmarks"])[48:][kinds[48:] == 0])
    assert np.array_equal(after["age"], before["age"])
    assert settle(folder, reader) == 0
