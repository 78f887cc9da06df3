"""Batches of rendered faces and photos, which depend on nothing but seed and step.

Faces are read from the folders that ``train.reconstruction.prerender`` and
``train.landmarks.label`` and, of heads seen from the side, ``train.landmarks.profiles`` write.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facerecon.faces.align import MIRROR_68, mirror_matrix, points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.reconstruction.reconstructor import TEMPLATE
from facerecon.types import Image
from train.landmarks.augment import damage, jittered_matrix
from train.reconstruction.config import TrainConfig
from train.reconstruction.masks import FILE as SKIN

SYNTHETIC_DAMAGE = 0.4  # rendered faces were degraded when they were drawn
PHOTO_DAMAGE = 0.6
DETECTOR_NOISE = 0.012  # of the crop's side: how far a detector's five points lie from the landmarks'
EXTREME_YAW = 3.0  # faces are drawn more often, up to this much, the further the face is turned


class ReconstructionBatches(Dataset):
    """Item ``step`` is that step's batch by name: ``crops`` uint8 (B, S, S, 3), ``landmarks`` (B, 68, 2) crop
    sides from the centre, ``age`` (B,), ``gender`` (B,), ``ancestry`` (B, 3) with NaN for unknown, and for the
    first rows, which are rendered, the truth: ``identity``, ``expression``, ``rotation``, ``scale`` (crop sides per
    metre), ``center``, ``inverse_distance``, ``lighting``. All others have ``sure`` (P,), 1 where landmarks are right from any side.
    Where heads are drawn, the last ``config.drawn`` rows come with
    ``photos`` uint8 (D, S, S, 3), their crops undamaged, and ``skin`` uint8 (D, S, S), see ``train.reconstruction.masks``.

    Args:
        synthetic: folders of rendered faces.
        real: folder of photos with landmarks.
        config: of the run.
        seed: of all random numbers.
        rank, ranks: which of how many processes this is.
        profiles: folder of photos whose heads were turned aside; ``config.turned`` of each batch.

    Raises:
        SystemExit: heads are to be drawn, and nobody has marked the photos' skin.
    """

    def __init__(
        self, synthetic: Sequence[Path], real: Path, config: TrainConfig, seed: int = 0, rank: int = 0, ranks: int = 1,
        profiles: Path | None = None,
    ) -> None:
        cv2.setNumThreads(0)  # crops are small, and OpenCV's threads do not outlive the fork of a worker
        self.rendered = [image for folder in synthetic for image in np.load(folder / "images.npy", mmap_mode="r")]
        truths = [np.load(folder / "labels.npz") for folder in synthetic]
        self.truth = {k: np.concatenate([truth[k] for truth in truths]) for k in truths[0]}
        self.photos = [image for folder in (real, profiles) if folder for image in np.load(folder / "images.npy", mmap_mode="r")]
        aside = np.load(profiles / "labels.npz")["landmarks"] if profiles else np.zeros((0, 68, 2), np.float32)
        self.labels = _joined(dict(np.load(real / "labels.npz")), aside)
        self.drawn = config.drawn if config.weights.photometric or config.weights.likeness else 0
        if self.drawn and not (real / SKIN).exists():
            raise SystemExit(f"{real / SKIN} is missing: run python -m train.reconstruction.masks --real {real}")
        self.skin = np.load(real / SKIN, mmap_mode="r") if self.drawn else None
        self.config, self.seed, self.rank, self.ranks = config, seed, rank, ranks
        self.size = config.encoder.trunk.image_size
        turned = turned_chance(self.truth["landmarks"])
        self.turned = turned / turned.sum()
        chance = turned_chance(self.labels["landmarks"])
        true, turned = self.labels["true"], self.labels["turned"]
        counts = ((turned, config.turned), (true, config.true), (~true & ~turned, config.labelled))
        self.kinds = [(np.flatnonzero(mask), chance[mask] / chance[mask].sum(), count) for mask, count in counts if mask.any()]

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, step * self.ranks + self.rank))
        rows = [self.render(int(i), rng) for i in rng.choice(len(self.turned), self.config.synthetic, p=self.turned)]
        whole = len(rows) + sum(count for _, _, count in self.kinds)
        for chosen, chance, count in self.kinds:
            for i in rng.choice(chosen, count, p=chance):
                rows.append(self.photo(int(i), rng, drawn=whole - len(rows) <= self.drawn))
        names = dict.fromkeys(name for row in rows for name in row)
        return {k: torch.from_numpy(np.stack([r[k] for r in rows if k in r])) for k in names}

    def render(self, i: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Rendered face ``i`` with its truth."""
        image, truth = np.asarray(self.rendered[i]), {k: v[i] for k, v in self.truth.items()}
        side = image.shape[0]
        if side != self.size:
            image = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)
        sides = lambda pixels: ((pixels + 0.5) / side - 0.5).astype(np.float32)  # noqa: E731
        return {
            "crops": damage(image, rng, SYNTHETIC_DAMAGE),
            "landmarks": sides(truth["landmarks"]),
            "age": truth["age"], "gender": truth["gender"], "ancestry": truth["ancestry"],
            "identity": truth["identity"], "expression": truth["expression"], "rotation": truth["rotation"],
            "scale": np.float32(truth["scale"] / side), "center": sides(truth["center"]),
            "inverse_distance": np.float32(1 / truth["distance"]), "lighting": truth["lighting"],
        }  # fmt: skip

    def photo(self, i: int, rng: np.random.Generator, drawn: bool = False) -> dict[str, np.ndarray]:
        """Photo ``i`` as a detector's uncertain points would cut it, mirrored or not; with its crop undamaged and its skin where
        its head is drawn."""
        landmarks = self.labels["landmarks"][i]
        matrix = similarity_from_points(points_from_landmarks(landmarks), self.size, TEMPLATE)
        noise = rng.normal(0, DETECTOR_NOISE, (5, 2)) * self.size / np.hypot(*matrix[:, 0])
        matrix = similarity_from_points(points_from_landmarks(landmarks) + noise, self.size, TEMPLATE)
        matrix = jittered_matrix(matrix, self.size, rng, 3.0, 0.07, 0.02)
        if rng.random() < 0.5:
            matrix, landmarks = mirror_matrix(matrix, self.size), landmarks[MIRROR_68]
        crop: Image = warp(np.asarray(self.photos[i]), matrix, self.size, cv2.BORDER_REPLICATE)
        points = (transform_points(landmarks, matrix) + 0.5) / self.size - 0.5
        shown = {"photos": crop, "skin": warp(np.asarray(self.skin[i]), matrix, self.size, cv2.BORDER_CONSTANT)} if drawn else {}
        return {
            **shown, "crops": damage(crop, rng, PHOTO_DAMAGE), "landmarks": points.astype(np.float32),
            "sure": self.labels["turned"][i].astype(np.float32),
            **{k: self.labels[k][i].astype(np.float32) for k in ("age", "gender", "ancestry")},
        }  # fmt: skip


def _joined(labels: dict[str, np.ndarray], landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Labels of photos, and those of heads turned aside (N, 68, 2), of whom nothing else is known."""
    count, before = len(landmarks), len(labels["landmarks"])
    unknown = {name: np.full((count, *labels[name].shape[1:]), np.nan, np.float32) for name in ("age", "gender", "ancestry")}
    more = unknown | {"landmarks": landmarks, "true": np.zeros(count, bool)}
    return {k: np.concatenate((labels[k], v)) for k, v in more.items()} | {"turned": np.arange(before + count) >= before}


def turned_chance(landmarks: np.ndarray) -> np.ndarray:
    """How often each face (N, 68, 2) is drawn: from 1, seen from the front, to ``EXTREME_YAW`` in profile."""
    five = points_from_landmarks(landmarks)
    eyes, mouth = five[:, :2].mean(1), five[:, 3:].mean(1)
    middle, extent = (eyes + mouth) / 2, np.linalg.norm(eyes - mouth, axis=1)
    along = five[:, 1] - five[:, 0]
    along = along / np.linalg.norm(along, axis=1, keepdims=True).clip(1e-6)
    aside = np.abs(((five[:, 2] - middle) * along).sum(1)) / extent.clip(1e-6)
    return 1 + (EXTREME_YAW - 1) * np.clip((aside - 0.1) / 0.4, 0, 1)
