"""What ``train.shape.prepare`` saw, as batches that depend on nothing but seed and step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facerecon.types import FaceReconError
from train.shape.config import TrainConfig

UNUSED = ("row", "found", "subject", "encoder")  # in training

Batch = dict[str, dict[str, Tensor]]
"""Rows by kind: ``rendered``, ``scans``, ``photos``, ``people``; arrays by name."""


def load_part(file: Path) -> dict[str, np.ndarray]:
    """One part's arrays.

    Raises:
        FaceReconError: it is not there.
    """
    if not file.is_file():
        raise FaceReconError(f"There is no {file}: run train.shape.prepare first.")
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


class ShapeBatches:
    """Item ``step`` is that step's batch.

    Args:
        folder: of ``train.shape.prepare``; ``rendered.npz`` must be there, the other parts may be.
        config: of the run.
        seed: of all random numbers.
        rank, ranks: which of how many processes this is.
    """

    def __init__(self, folder: Path, config: TrainConfig, seed: int = 0, rank: int = 0, ranks: int = 1) -> None:
        parts = {name: folder / f"{name}.npz" for name in ("rendered", "scans", "photos", "people")}
        self.parts = {name: load_part(file) for name, file in parts.items() if name == "rendered" or file.exists()}
        self.config, self.seed, self.rank, self.ranks = config, seed, rank, ranks
        if "people" in self.parts:
            people = self.parts["people"]
            seen = np.flatnonzero(people["found"])
            groups = [seen[people["person"][seen] == person] for person in np.unique(people["person"][seen])]
            self.groups = [group for group in groups if len(group) > 1]

    @property
    def sizes(self) -> tuple[int, int]:
        """Lengths of the embedding and of the features."""
        return self.parts["rendered"]["embedding"].shape[1], self.parts["rendered"]["features"].shape[1]

    @property
    def encoder(self) -> str:
        """Version of the coarse encoder that saw the faces."""
        return str(self.parts["rendered"].get("encoder", ""))

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step * self.ranks + self.rank))
        config = self.config
        scanned = round(config.known * config.scanned) if "scans" in self.parts else 0
        counts = {"rendered": config.known - scanned, "scans": scanned, "photos": config.photos}
        rows = {k: rng.integers(0, len(self.parts[k]["age"]), n) for k, n in counts.items() if n and k in self.parts}
        if "people" in self.parts:
            chosen = rng.choice(len(self.groups), config.people, replace=len(self.groups) < config.people)
            rows["people"] = np.concatenate([rng.choice(self.groups[i], 2, replace=False) for i in chosen])
        batch = {}
        for kind, index in rows.items():
            part = self.parts[kind]
            batch[kind] = {k: torch.from_numpy(v[index]).float() for k, v in part.items() if k not in UNUSED}
            batch[kind]["told"] = torch.from_numpy(rng.random((len(index), 3)) < config.told)
        return batch
