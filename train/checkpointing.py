"""Training checkpoints: folders named by step, written aside and renamed, pruned afterwards."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from facerecon.images import atomic_write
from facerecon.quantization import compress
from facerecon.types import FaceReconError
from train.precision import MasterAdamW

STEP_FOLDER = re.compile(r"^step_(\d{8})$")


def cosine_lr(step: int, total: int, peak: float, warmup: int = 100, floor: float = 0.02) -> float:
    """Linear warm-up, then a cosine from ``peak`` to ``floor * peak``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min((step - warmup) / max(total - warmup, 1), 1.0)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def random_state() -> dict:
    """The state of every random generator of this process."""
    state = {"torch": torch.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()}
    return {**state, "cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else state


def set_random_state(state: dict) -> None:
    """Takes over what :func:`random_state` gave."""
    torch.set_rng_state(state["torch"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def whole_checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints in ``folder``, oldest first."""
    found = [p for p in folder.glob("step_*") if STEP_FOLDER.match(p.name) and (p / "state.pt").is_file()]
    return sorted(found)


def save_checkpoint(folder: Path, step: int, state: dict, keep: int = 2) -> Path:
    """Writes ``state`` with the random generators, then prunes all but the newest ``keep``."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{step:08d}"
    aside = folder / f".{final.name}.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    torch.save({**state, "step": step, "random": random_state()}, aside / "state.pt")
    with open(aside / "state.pt", "rb") as handle:
        os.fsync(handle.fileno())
    shutil.rmtree(final, ignore_errors=True)
    aside.rename(final)
    for old in whole_checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_checkpoint(folder: Path, resume: str | None) -> dict | None:
    """The state to go on from: ``resume`` is ``"latest"``, a checkpoint folder, or None.

    Raises:
        FaceReconError: a named checkpoint does not exist, or the folder holds later ones, which would be taken
            for this run's: the new ones would be pruned, and the next ``latest`` would be the old run's.
    """
    found = whole_checkpoints(folder)
    if resume == "latest":
        if not found:
            return None
        path = found[-1]
    else:
        path = Path(resume) if resume else None
    if path is not None and not (path / "state.pt").is_file():
        raise FaceReconError(f"There is no whole checkpoint in {path}.")
    if found and (path is None or path.name < found[-1].name):
        raise FaceReconError(f"{folder} holds checkpoints of an earlier run: go on with --resume latest, or give another --output.")
    if path is None:
        return None
    state = torch.load(path / "state.pt", map_location="cpu", weights_only=False)
    set_random_state(state["random"])
    return state


def save_weights(path: Path, network: nn.Module, optimizer: MasterAdamW, config: dict, training: dict) -> None:
    """Averaged weights, compressed as checkpoints are, with the network's config and the training's in the metadata."""
    averaged = {k: v.cpu() for k, v in optimizer.averaged_state(network).items()}
    with atomic_write(path) as aside:
        save_file(compress(averaged), aside, {"config": json.dumps(config), "training": json.dumps(training)})
