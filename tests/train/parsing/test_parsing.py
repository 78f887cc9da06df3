"""The parser's data: sets of classes, labels by landmarks, occluders, the loss, a run that resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facerecon.faces.parsing import FaceParser
from facerecon.types import FaceReconError
from tests.train.launching import place_of_batches
from train.checkpointing import whole_checkpoints
from train.parsing import train as training
from train.parsing.data import ParsingBatches, read_photos, read_renders, stored_to_crop
from train.parsing.evaluate import overlaps
from train.parsing.label import decide, label
from train.parsing.labels import ANYTHING, BACKGROUND, FEATURES, HAIR, OTHER, SKIN, UNSEEN, from_landmarks, only
from train.parsing.objective import partial_cross_entropy
from train.parsing.occluders import glasses, hand, thing
from train.parsing.synthetic import STORED


def landmarks() -> np.ndarray:
    """68 points of a face in the middle of a stored crop."""
    turn = np.linspace(np.pi, 0, 17)
    jaw = np.stack([80 + 32 * np.cos(turn), 70 + 40 * np.sin(turn)], 1)
    row = lambda x0, x1, y, n: np.stack([np.linspace(x0, x1, n), np.full(n, y)], 1)  # noqa: E731
    ring = lambda x, y, a, b, n: np.stack(  # noqa: E731
        [x - a * np.cos(np.linspace(0, 2 * np.pi, n, endpoint=False)), y - b * np.sin(np.linspace(0, 2 * np.pi, n, endpoint=False))], 1
    )
    nose = [row(80, 80, 72, 4) + np.linspace(0, 16, 4)[:, None] * (0, 1), row(73, 87, 90, 5)]
    parts = [jaw, row(54, 74, 62, 5), row(86, 106, 62, 5), *nose, ring(65, 70, 7, 3, 6), ring(95, 70, 7, 3, 6), ring(80, 99, 12, 5, 12), ring(80, 99, 8, 2, 8)]
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    renders, photos = tmp_path / "renders", tmp_path / "photos"
    images = rng.integers(0, 255, (4, STORED, STORED, 3), dtype=np.uint8)
    for folder in (renders, photos):
        folder.mkdir()
        np.save(folder / "images.npy", images)
    np.save(renders / "classes.npy", rng.integers(0, 6, (4, STORED, STORED), dtype=np.uint8))
    np.save(photos / "allowed.npy", np.stack([from_landmarks(landmarks(), STORED)] * 4))
    np.savez(photos / "photos.npz", landmarks=np.stack([landmarks()] * 4), pack=np.array(["a"] * 4), name=np.array(["b"] * 4))
    return renders, photos


def test_landmarks_say_skin_inside_features_on_them_and_neither_below_the_jaw() -> None:
    allowed = from_landmarks(landmarks(), STORED)
    assert allowed[84, 62] == 1 << SKIN and allowed[70, 65] == 1 << FEATURES and allowed[99, 80] == 1 << FEATURES
    assert allowed[150, 80] == ANYTHING & ~(1 << SKIN | 1 << FEATURES)
    assert allowed[20, 80] == ANYTHING


def test_what_stands_in_front_is_labelled_where_it_was_painted() -> None:
    image = np.full((STORED, STORED, 3), 120, np.float32)
    picture = np.random.default_rng(1).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    for seed in range(6):
        for draw in (lambda i, c, r: glasses(i, c, landmarks(), r), lambda i, c, r: hand(i, c, landmarks(), r), lambda i, c, r: thing(i, c, picture, r)):
            classes = np.full((STORED, STORED), SKIN, np.uint8)
            out = draw(image.copy(), classes, np.random.default_rng(seed))
            assert set(np.unique(classes)) <= {SKIN, OTHER}
            changed = np.abs(out - image).max(2) > 45
            assert classes[changed].size == 0 or (classes[changed] == OTHER).mean() > 0.5


def test_the_loss_asks_only_for_what_is_known() -> None:
    logits = torch.zeros(1, 6, 4, 4, requires_grad=True)
    allowed = torch.full((1, 4, 4), UNSEEN, dtype=torch.uint8)
    allowed[0, 0, 0] = 1 << HAIR
    allowed[0, 1, 1] = 1 << SKIN | 1 << FEATURES
    partial_cross_entropy(logits, allowed, torch.ones(1, 4, 4))[0].backward()
    gradient = logits.grad[0]
    assert (gradient[:, 2:] == 0).all() and gradient[HAIR, 0, 0] < 0
    assert gradient[SKIN, 1, 1] < 0 and gradient[FEATURES, 1, 1] < 0 and gradient[OTHER, 1, 1] > 0


def test_the_loss_is_found_where_the_batch_lies() -> None:
    # "meta" holds no numbers, but refuses to meet tensors of the CPU as a GPU does.
    logits, allowed = torch.empty(1, 6, 4, 4, device="meta"), torch.empty(1, 4, 4, dtype=torch.uint8, device="meta")
    loss, _ = partial_cross_entropy(logits, allowed, torch.empty(1, 4, 4, device="meta"))
    assert loss.is_meta


def test_crops_and_labels_move_together(folders: tuple[Path, Path]) -> None:
    renders, photos = folders
    batch = ParsingBatches([read_renders(renders), read_photos(photos)], [2, 1], [1.0, 0.5], 64, seed=3)
    first, again = batch[5], batch[5]
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert first[0].shape == (3, 64, 64, 3) and first[1].dtype == torch.uint8 and float(first[2].max()) <= 1
    points = np.array([[13.0, 13.0], [146.0, 146.0]])  # corners of the template within a stored crop
    matrix = stored_to_crop(128)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], [[0, 0], [127, 127]], atol=0.6)


def test_labels_heed_the_landmarks_and_the_photos_edge() -> None:
    allowed = from_landmarks(landmarks(), STORED)
    allowed[:, :10] = UNSEEN
    image = np.full((STORED, STORED, 3), (60, 90, 160), np.uint8)
    image[allowed == 1 << SKIN] = (200, 150, 120)
    chance = np.full((6, STORED, STORED), 0.02, np.float32)
    chance[BACKGROUND], chance[SKIN] = 0.46, 0.46
    classes, sure = decide(image, chance, allowed)
    assert classes[84, 62] == 1 << SKIN and classes[84, 140] == 1 << BACKGROUND
    assert (classes[:, :10] == UNSEEN).all() and (sure[:, :10] == 0).all()


def test_a_run_labels_photos_and_goes_on(folders: tuple[Path, Path], tmp_path: Path) -> None:
    renders, photos = folders
    wish = ["--renders", str(renders), "--photos", str(photos), "--batch", "2", "--real", "1", "--workers", "0"]
    path = training.train(training.parse([*wish, "--steps", "2", "--output", str(tmp_path / "run")]))
    training.train(training.parse([*wish, "--steps", "2", "--output", str(tmp_path / "run"), "--resume", "latest"]))
    assert [p.name for p in whole_checkpoints(tmp_path / "run")] == ["step_00000002"]  # a run that is over takes no further step
    assert path.stat().st_size < 600_000
    shares = label(photos, path.parent, tmp_path / "labels", limit=1)
    assert np.isclose(shares.sum(), 1)
    more = training.parse([*wish, "--steps", "1", "--labels", str(tmp_path / "labels"), "--start", str(path.parent), "--output", str(tmp_path / "more")])
    crops = np.load(photos / "images.npy")[:1, :128, :128]
    seen = FaceParser.from_pretrained("cpu", training.train(more).parent).see(crops)
    assert seen.shape == (1, 6, 128, 128)


def test_a_stopped_run_equals_a_straight_one(folders: tuple[Path, Path], tmp_path: Path) -> None:
    def run(name: str, *more: str) -> dict[str, torch.Tensor]:
        given = ["--renders", str(folders[0]), "--photos", str(folders[1]), "--workers", "0", "--output", str(tmp_path / name)]
        return load_file(training.train(training.parse(["--config", "tiny", *given, *more])))

    straight = run("straight")
    run("broken", "--stop-at", "2")
    resumed = run("broken", "--resume", "latest")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    with pytest.raises(FaceReconError, match="earlier run"):
        run("broken")


def test_processes_draw_crops_of_their_own(folders: tuple[Path, Path], tmp_path: Path) -> None:
    given = ["--config", "tiny", "--renders", str(folders[0]), "--photos", str(folders[1]), "--output", str(tmp_path)]
    assert place_of_batches(training, lambda: training.train(training.parse(given))) == (1, 3)


def test_overlap_of_classes() -> None:
    true = np.array([[[0, 0, 1, 1]]])
    assert np.allclose(overlaps(np.array([[[0, 1, 1, 1]]]), true)[:2], [0.5, 2 / 3])
    assert only(np.array([2]))[0] == 4
