"""Batches of unwrapped faces, some to be given a made-up relief; they depend on nothing but seed and step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facerecon.types import FaceReconError
from train.detail.config import TrainConfig
from train.detail.wrinkles import bank

SMOOTH_AGE = 30.0  # years: younger skin takes a made-up relief without bringing its own
SMOOTH_PACKS, LINED_PACKS = ("SCUT-FBP5500", "studio"), ("portraits",)
HELD_OUT = 25  # of so many faces one is never trained on
ODD_LIGHT = (3, 4, 7)  # harmonics that change their sign in a mirror


class Unwrapped:
    """Unwrapped faces by number, in the arrays that ``train.detail.prepare`` writes."""

    def __init__(self, lab: np.ndarray, weight: np.ndarray, maps: np.ndarray, labels: dict[str, np.ndarray]) -> None:
        self.lab, self.weight, self.maps, self.labels = lab, weight, maps, labels

    @classmethod
    def read(cls, folder: Path) -> Unwrapped:
        """What was prepared in a folder.

        Raises:
            FaceReconError: nothing was.
        """
        try:
            parts = [np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("lab", "weight", "maps")]
            return cls(*parts, dict(np.load(folder / "labels.npz")))
        except OSError as error:
            raise FaceReconError(f"There are no unwrapped faces in {folder}: run train.detail.prepare.") from error

    def groups(self) -> dict[str, np.ndarray]:
        """Numbers of the faces with smooth and with lined skin; some of each are held out."""
        pack = np.array([name.split("/")[0] for name in self.labels["name"]])
        age, number = self.labels["age"], np.arange(len(pack))
        held = number % HELD_OUT == HELD_OUT - 1
        smooth = (age < SMOOTH_AGE) | np.isin(pack, SMOOTH_PACKS)
        lined = (age >= SMOOTH_AGE) | np.isin(pack, LINED_PACKS)
        rows = {"smooth": smooth & ~held, "lined": lined & ~held, "held_smooth": smooth & held, "held_lined": lined & held}
        return {name: np.flatnonzero(mask) if mask.any() else number for name, mask in rows.items()}

    def take(self, rows: np.ndarray, mirrored: np.ndarray | None = None) -> dict[str, Tensor]:
        """``lab`` (B, 3, N, N) CIE, ``weight`` (B, 1, N, N), ``maps`` (B, 11, 64, 64), ``light`` (B, 9)."""
        lab = torch.from_numpy(np.stack([self.lab[i] for i in rows])).permute(0, 3, 1, 2).float()
        lab = torch.cat([lab[:, :1] / 2.55, lab[:, 1:] - 128], dim=1)
        weight = torch.from_numpy(np.stack([self.weight[i] for i in rows])).float()[:, None] / 255
        maps = torch.from_numpy(np.stack([self.maps[i] for i in rows])).float()
        batch = {"lab": lab, "weight": weight, "maps": maps, "light": torch.from_numpy(self.labels["light"][rows]).float()}
        return batch if mirrored is None else _mirror(batch, torch.from_numpy(mirrored))


def _mirror(batch: dict[str, Tensor], which: Tensor) -> dict[str, Tensor]:
    """The faces ``which`` (B,) as in a mirror."""
    maps, sign = batch["maps"].flip(-1), torch.ones(11)
    sign[[0, 4, 5, 6]] = -1  # x of the normal; of what a step to the right tilts all but x; of a step down x
    other = {"lab": batch["lab"].flip(-1), "weight": batch["weight"].flip(-1), "maps": maps * sign[:, None, None], "light": batch["light"].clone()}
    other["light"][:, ODD_LIGHT] *= -1
    return {k: torch.where(which.view(-1, *[1] * (v.ndim - 1)), other[k], v) for k, v in batch.items()}


class DetailBatches(Dataset):
    """Item ``step``: ``known`` and ``photos`` as :meth:`Unwrapped.take` gives them, and of the known ones also ``layers``."""

    def __init__(self, folder: Path, config: TrainConfig, seed: int = 0, rank: int = 0, ranks: int = 1) -> None:
        self.faces, self.config, self.seed, self.rank, self.ranks = Unwrapped.read(folder), config, seed, rank, ranks
        self.rows = self.faces.groups()
        self.relief = bank(self.faces.labels["points"], config.relief, seed)

    def __getitem__(self, step: int) -> dict[str, dict[str, Tensor]]:
        rng = np.random.default_rng((self.seed, 1, step * self.ranks + self.rank))
        sizes = {"known": ("smooth", self.config.known), "photos": ("lined", self.config.photos)}
        batch = {}
        for kind, (group, count) in sizes.items():
            rows = self.rows[group]
            if rng.random() < 0.3:  # and now and then the others
                rows = self.rows["lined" if group == "smooth" else "smooth"]
            batch[kind] = self.faces.take(rng.choice(rows, count), rng.random(count) < 0.5)
        batch["known"]["layers"] = self.layers(rng, self.config.known)
        return batch

    def layers(self, rng: np.random.Generator, count: int) -> Tensor:
        """Made-up reliefs (count, 3, N, N), mirrored or not, deeper or flatter."""
        chosen = torch.from_numpy(np.stack([self.relief[i] for i in rng.integers(0, len(self.relief), count)])).float()
        chosen = torch.where(torch.from_numpy(rng.random(count) < 0.5).view(-1, 1, 1, 1), chosen.flip(-1), chosen)
        return chosen * torch.from_numpy(rng.uniform(0.5, 2.6, (count, 1, 1, 1))).float()
