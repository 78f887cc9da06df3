"""Draws synthetic faces ahead of training into one folder of arrays, resumable.

    python -m train.reconstruction.prerender --data DATA --output runs/synthetic --count 20000 --workers 2

Face number *i* of a seed is always the same face. ``images.npy`` is (N, S, S, 3) uint8;
``labels.npz`` holds one array for each name in ``LABELS``.
"""

from __future__ import annotations

import argparse
import json
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import track

from facerecon.head import HeadModel
from facerecon.types import FaceReconError
from train.command_line import command
from train.reconstruction.appearance import Assets
from train.reconstruction.synthetic import SyntheticFace, SyntheticFaces

LABELS = ("identity", "expression", "age", "gender", "ancestry", "rotation", "scale", "center", "distance", "landmarks", "lighting")
KEPT_EVERY = 2000  # faces, after which an interrupted run loses nothing of what was drawn
_maker: SyntheticFaces | None = None


def labels_of(face: SyntheticFace) -> dict[str, np.ndarray]:
    """The truth about a face by the names in ``LABELS``, float32."""
    person = face.person
    values = {"identity": person.identity, "age": person.age, "gender": person.gender, "ancestry": person.ancestry}
    return {k: np.asarray(values[k] if k in values else getattr(face, k), np.float32) for k in LABELS}


def _start(data: Path, size: int, head_path: Path | None, profiles: float) -> None:
    global _maker
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    head = HeadModel.from_pretrained(head_path)
    _maker = SyntheticFaces(head, Assets.read(data, head), size, profiles)


def _draw(key: tuple[int, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    face = _maker.sample(np.random.default_rng(key))
    return face.image, labels_of(face)


def prerender(
    data: Path, output: Path, count: int, size: int, seed: int, workers: int, head_path: Path | None = None, kept_every: int = KEPT_EVERY,
    profiles: float = 0.0,
) -> None:
    """Draws ``count`` faces; goes on where an earlier run stopped, and leaves a folder alone that is whole.

    A share of ``profiles`` of the heads are seen from the side.

    Raises:
        FaceReconError: the folder holds faces of another count, size, seed or share of profiles.
    """
    output.mkdir(parents=True, exist_ok=True)
    _same_faces(output / "drawn.json", {"count": count, "size": size, "seed": seed} | ({"profiles": profiles} if profiles else {}))
    if (output / "labels.npz").exists():
        return
    part = output / "labels.part.npz"
    before = dict(np.load(part)) if part.exists() else {}
    first = len(before["age"]) if before else 0
    images = np.lib.format.open_memmap(output / "images.npy", "r+" if first else "w+", np.uint8, (count, size, size, 3))
    columns: dict[str, list] = {k: list(before.get(k, [])) for k in LABELS}
    with get_context("fork").Pool(workers, _start, (data, size, head_path, profiles)) as pool:
        drawn = pool.imap(_draw, [(seed, i) for i in range(first, count)], chunksize=16)
        for i, (image, truth) in enumerate(track(drawn, total=count - first, description="Drawing faces"), start=first):
            images[i] = image
            for name, value in truth.items():
                columns[name].append(value)
            if (i + 1) % kept_every == 0:
                images.flush()
                _write(part, columns)
    images.flush()
    _write(output / "labels.npz", columns)
    part.unlink(missing_ok=True)


def _same_faces(path: Path, wanted: dict[str, float]) -> None:
    """Notes what a folder is to hold, or makes sure that it holds that."""
    if not path.exists():
        path.write_text(json.dumps(wanted))
    elif (held := json.loads(path.read_text())) != wanted:
        said = ", ".join(f"{name} {value}" for name, value in held.items())
        raise FaceReconError(f"{path.parent.name} holds faces with {said}: give another output folder, or the same numbers.")


def _write(path: Path, columns: dict[str, list]) -> None:
    """The labels so far, aside first and then renamed."""
    aside = path.with_name(f".{path.name}")
    np.savez(aside, **{k: np.stack(v) for k, v in columns.items()})
    aside.rename(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with appearance/ and lighting/")
    parser.add_argument("--output", type=Path, default=Path("runs/synthetic"))
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--head", type=Path, help="a head file other than the shipped one")
    parser.add_argument("--profiles", type=float, default=0.0, help="share of heads seen from the side, 50 to 90 degrees")
    args = parser.parse_args()
    prerender(args.data, args.output, args.count, args.size, args.seed, args.workers, args.head, profiles=args.profiles)


if __name__ == "__main__":
    command(main)
