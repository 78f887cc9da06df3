"""Trains the network that says whether a mouth is open, and shuts mouths in labels.

    python -m train.landmarks.mouth train --crops runs/real --renders runs/synthetic --shut "DATA/faces/studio/neutral*" --limit 9000
    python -m train.landmarks.mouth settle --crops runs/real

Labels of video frames, renders and portraits of people who were asked for a neutral face teach a first network; what it is sure of
among all labelled photos teaches, blurred and noisy, a second one (Xie et al., "Self-training with Noisy Student", CVPR 2020).
``settle`` brings the lips of shut mouths together in a folder's pseudo-labels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from glob import glob
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor

from facerecon.faces.align import warp
from facerecon.faces.detect import create_detector
from facerecon.faces.mouth import NAME, MouthConfig, MouthNetwork, MouthReader, cut_mouth, lip_gap, mouth_matrix
from facerecon.quantization import compress
from facerecon.types import Image
from train.checkpointing import cosine_lr
from train.command_line import command
from train.landmarks.augment import damage, jittered_matrix
from train.landmarks.data import read_image

GAP, RANGE = 0.02, 0.03  # of the eyes' distance: what a shut mouth's labels may have; from there on to what is surely open
UNSURE_GAP = (0.018, 0.05)  # labels between these say little
LOOKS = {"true": 5, "shut": 30, "renders": 1}  # crops of one face
HARM = 0.5  # strength of the damage
JITTER = (3.4, 0.08, 0.05)  # of a crop: turn in degrees, logarithm of zoom, shift in sides
TURNED = 0.35  # shift of the nose between the eyes, in their distance, beyond which a render shows too little mouth
EYES_PX = 60.0  # distance of the outer eye corners to which large portraits are shrunk
SURE = (0.25, 0.93)  # chances below and above which the first network's word is taken
RATE, DECAY, BATCH = 2e-3, 0.02, 256


@dataclass
class Mouths:
    """Crops (N, S, S, 3) uint8, how open they are (N,) in [0, 1], and how much each counts (N,)."""

    crops: np.ndarray
    opening: np.ndarray
    weight: np.ndarray

    def __add__(self, other: Mouths) -> Mouths:
        return Mouths(*(np.concatenate((getattr(self, n), getattr(other, n))) for n in ("crops", "opening", "weight")))


def gather(crops: Path, renders: Iterable[Path], shut: str | None, size: int, limit: int | None, rng: np.random.Generator) -> Mouths:
    """Mouths of which labels say how open they are."""
    found = list(_of_folder(crops, "true", size, limit, rng))
    for folder in renders:
        found += _of_folder(folder, "renders", size, limit, rng)
    if shut:
        found += _of_portraits(shut, size, rng)
    images, gaps, weights = zip(*found)
    gaps, weights = np.array(gaps), np.array(weights)
    unsure = (gaps > UNSURE_GAP[0]) & (gaps < UNSURE_GAP[1])
    return Mouths(np.stack(images), np.clip((gaps - GAP) / RANGE, 0, 1), np.where(unsure, 0.4, 1.0) * weights)


def _of_folder(folder: Path, kind: str, size: int, limit: int | None, rng: np.random.Generator) -> Iterator[tuple[Image, float, float]]:
    photos, labels = np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "labels.npz")
    landmarks = labels["landmarks"]
    rows = np.flatnonzero(labels["true"] if kind == "true" else _frontal(landmarks))[:limit]
    for i in track(rows, f"mouths of {folder.name}"):
        for look in range(LOOKS[kind]):
            yield _crop(np.asarray(photos[i]), landmarks[i], size, rng, kind != "true" or look > 0), float(lip_gap(landmarks[i])), 1.0 if kind == "true" else 0.6


def _of_portraits(pattern: str, size: int, rng: np.random.Generator) -> Iterator[tuple[Image, float, float]]:
    detector = create_detector(refine=True)
    for path in track(sorted(glob(pattern)), "neutral portraits"):
        image = read_image(Path(path))
        faces = [face for face in detector.detect(image) if face.landmarks is not None]
        if not faces:
            continue
        points = faces[0].landmarks
        scale = min(1.0, EYES_PX / np.linalg.norm(points[36] - points[45]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for _ in range(LOOKS["shut"]):
            yield _crop(small, (points + 0.5) * scale - 0.5, size, rng, True), 0.0, 1.0


def _frontal(landmarks: np.ndarray) -> np.ndarray:
    eyes = landmarks[:, 45] - landmarks[:, 36]
    apart = np.linalg.norm(eyes, axis=1).clip(1e-6)
    along = ((landmarks[:, 30] - (landmarks[:, 36] + landmarks[:, 45]) / 2) * eyes).sum(1) / apart**2
    return np.abs(along) < TURNED


def _crop(photo: Image, landmarks: np.ndarray, size: int, rng: np.random.Generator, harmed: bool) -> Image:
    """A mouth as uncertain landmarks would cut it, damaged, mirrored or not."""
    if not harmed:
        return cut_mouth(photo, landmarks, size)
    there = warp(damage(photo, rng, HARM), jittered_matrix(mouth_matrix(landmarks, size), size, rng, *JITTER), size, cv2.BORDER_REPLICATE)
    return there[:, ::-1] if rng.random() < 0.5 else there


def harmed_again(crop: Image, rng: np.random.Generator) -> Image:
    """A crop that is cut already, blurred, moved, darker and noisy."""
    size = len(crop)
    moved = warp(crop, jittered_matrix(np.eye(2, 3), size, rng, *JITTER), size, cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, 2.0))
    noisy = moved * rng.uniform(0.6, 1.2) + rng.normal(0, rng.uniform(0, 10), moved.shape)
    out = noisy.clip(0, 255).astype(np.uint8)
    return out[:, ::-1] if rng.random() < 0.5 else out


def fit(mouths: Mouths, config: MouthConfig, epochs: int, seed: int) -> MouthNetwork:
    """A network trained from nothing."""
    torch.manual_seed(seed)
    network = MouthNetwork(config).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    opening, weight = (torch.from_numpy(v).float() for v in (mouths.opening, mouths.weight))
    batch = min(BATCH, len(opening))
    steps = epochs * (len(opening) // batch)
    for step in track(range(steps), "training"):
        rows = torch.randint(len(opening), (batch,))
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, steps, RATE, warmup=min(100, steps // 4))
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(_unit(mouths.crops[rows.numpy()]))
        loss = (F.binary_cross_entropy_with_logits(logits, opening[rows], reduction="none") * weight[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def _unit(crops: np.ndarray) -> Tensor:
    return (torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)


def train(args: argparse.Namespace) -> Path:
    """Both networks; the second one's file."""
    config, rng = MouthConfig(), np.random.default_rng(args.seed)
    mouths = gather(args.crops, args.renders, args.shut, config.image_size, args.limit, rng)
    teacher = MouthReader(fit(mouths, config, args.epochs, args.seed))
    photos, labels = np.load(args.crops / "images.npy", mmap_mode="r"), np.load(args.crops / "labels.npz")
    rows = np.flatnonzero(~labels["true"])[: args.limit]
    seen = np.stack([cut_mouth(np.asarray(photos[i]), labels["landmarks"][i], config.image_size) for i in track(rows, "labelled photos")])
    chance = np.concatenate([teacher.see(seen[i : i + BATCH]) for i in range(0, len(seen), BATCH)])
    sure = (chance < SURE[0]) | (chance > SURE[1])
    print(f"{len(mouths.opening)} mouths with labels; of {len(seen)} others {(chance < SURE[0]).mean():.0%} surely shut, {(chance > SURE[1]).mean():.0%} surely open")
    if sure.any():
        noisy = np.stack([harmed_again(crop, rng) for crop in seen[sure]])
        mouths += Mouths(noisy, (chance[sure] > 0.5).astype(np.float64), np.full(sure.sum(), 0.8))
    network = fit(mouths, config, args.epochs, args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"{NAME}.safetensors"
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(compress(state), path, metadata={"config": json.dumps(asdict(config))})
    return path


def settle(folder: Path, reader: MouthReader) -> int:
    """Brings the lips of shut mouths together in ``labels.npz``, pseudo-labels alone; returns how many mouths are shut. Doing it
    twice changes nothing more."""
    photos, labels = np.load(folder / "images.npy", mmap_mode="r"), dict(np.load(folder / "labels.npz"))
    landmarks, before, rows = labels["landmarks"].copy(), lip_gap(labels["landmarks"]), np.flatnonzero(~labels["true"])
    for start in track(range(0, len(rows), BATCH), "settling"):
        part = rows[start : start + BATCH]
        landmarks[part] = reader.settle([np.asarray(photos[i]) for i in part], landmarks[part])
    aside = folder / "labels.part.npz"
    np.savez(aside, **{**labels, "landmarks": landmarks.astype(np.float32)})
    aside.replace(folder / "labels.npz")
    return int((lip_gap(landmarks) < 0.99 * before).sum())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "settle"))
    parser.add_argument("--crops", type=Path, required=True, help="folder of train.landmarks.label")
    parser.add_argument("--renders", type=Path, nargs="*", default=[], help="folders of rendered faces")
    parser.add_argument("--shut", help="pattern of portraits whose mouths are shut")
    parser.add_argument("--output", type=Path, default=Path("weights/mouth"))
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--limit", type=int, help="at most so many faces of each folder")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    cv2.setNumThreads(1)  # the pictures are small: threads would only wait for each other
    print(train(args) if args.what == "train" else settle(args.crops, MouthReader.from_pretrained()))


if __name__ == "__main__":
    command(main)
