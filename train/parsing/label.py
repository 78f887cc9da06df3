"""Labels photos with the parser itself, for its second round (Lee, "Pseudo-Label", ICML workshops 2013).

    python -m train.parsing.label --photos runs/parsing_photos --weights runs/parsing --output runs/parsing_labels

The mean of several views of a crop, mirrored and at several sizes, is held against what the landmarks allow and
against the colours that each class has in this very photo, as GrabCut does (Rother, Kolmogorov and Blake, SIGGRAPH 2004).
``allowed.npy`` then has one class a pixel, ``sure.npy`` how much it counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.faces.align import invert, mirror_matrix, warp
from facerecon.faces.masks import CLASSES
from facerecon.faces.parsing import FaceParser
from train.command_line import command
from train.parsing.data import stored_to_crop
from train.parsing.labels import HAIR, OTHER, UNSEEN, only
from train.parsing.synthetic import STORED

ZOOMS = (1.0, 0.86)
BINS = 12  # a side of the colour histogram
COLOUR_TRUST = 0.6  # power that the colours' word is raised to
UNSURE, SURE = 0.55, 0.9  # chance of the likeliest class from which its label counts, and from which in full
DISALLOWED = 0.08  # what is left of a class that the landmarks rule out
COVERED, KNOWN = 0.5, 0.8  # chance of hair or something else that overrules landmarks, and how much they count otherwise
BATCH = 32


def views(parser: FaceParser, images: np.ndarray) -> np.ndarray:
    """Mean probabilities (B, C, 160, 160) of stored crops over sizes and mirror images."""
    total, count = np.zeros((len(images), len(CLASSES), STORED, STORED), np.float32), np.zeros((STORED, STORED), np.float32)
    middle = (parser.size - 1) / 2
    for zoom in ZOOMS:
        matrix = stored_to_crop(parser.size) * zoom
        matrix[:, 2] += middle * (1 - zoom)
        for view in (matrix, mirror_matrix(matrix, parser.size)):
            crops = np.stack([warp(image, view, parser.size, cv2.BORDER_REPLICATE) for image in images])
            seen = parser.see(crops)
            back = invert(view)
            count += warp(np.ones((parser.size,) * 2, np.float32), back, STORED, cv2.BORDER_CONSTANT)
            for i, maps in enumerate(seen):
                for k, chance in enumerate(maps):
                    total[i, k] += cv2.warpAffine(chance, back, (STORED, STORED), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return total / count.clip(1e-3)


def by_colour(image: np.ndarray, chance: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Chances (C, S, S) that agree with the colours which each class has in this photo."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int32)
    place = np.clip((lab - (0, 88, 88)) * BINS // (256, 80, 80), 0, BINS - 1)
    index = (place[..., 0] * BINS + place[..., 1]) * BINS + place[..., 2]
    out = np.empty_like(chance)
    for k, values in enumerate(chance):
        table = np.bincount(index[seen], values[seen], BINS**3).reshape(BINS, BINS, BINS).astype(np.float32)
        table = _smooth(table) / max(float(table.sum()), 1.0)
        out[k] = table.ravel()[index] + 1e-5
    out = chance * (out / out.sum(0)) ** COLOUR_TRUST
    out = np.stack([cv2.GaussianBlur(values, (0, 0), 0.8) for values in out])
    return out / out.sum(0).clip(1e-9)


def _smooth(table: np.ndarray) -> np.ndarray:
    for axis in range(3):
        near = np.roll(table, 1, axis) + np.roll(table, -1, axis)
        table = table * 0.5 + near * 0.25
    return table


def decide(image: np.ndarray, chance: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One class a pixel (S, S) as sets, and how much it counts (S, S) uint8.

    Args:
        image: (S, S, 3) uint8.
        chance: (C, S, S) of the views.
        allowed: (S, S) sets by the landmarks. Glasses and hands they do not know of, so ``other`` is never ruled out.
    """
    seen = allowed != UNSEEN
    bits = ((allowed[None] >> np.arange(len(CLASSES))[:, None, None]) & 1).astype(np.float32)
    bits[OTHER] = 1
    held = by_colour(image, chance * (DISALLOWED + (1 - DISALLOWED) * bits), seen)
    best = held.argmax(0)
    sure = np.clip((held.max(0) - UNSURE) / (SURE - UNSURE), 0, 1) * (chance.argmax(0) == best) + 0.3 * (chance.argmax(0) != best)
    # Where the landmarks know the class, nothing but something in front of it overrules them.
    known = (bits[:OTHER].sum(0) == 1) & seen & (chance[OTHER] + chance[HAIR] < COVERED)
    best, sure = np.where(known, bits[:OTHER].argmax(0), best), np.where(known, np.maximum(sure, KNOWN), sure)
    return np.where(seen, only(best), UNSEEN).astype(np.uint8), (sure * seen * 255).astype(np.uint8)


def label(photos: Path, weights: Path, output: Path, limit: int | None = None) -> np.ndarray:
    """Writes the labels; returns the share of the pixels that each class has."""
    parser = FaceParser.from_pretrained("cpu", weights)
    images, allowed = (np.load(photos / f"{name}.npy") for name in ("images", "allowed"))
    sure, count = np.zeros(allowed.shape, np.uint8), np.zeros(len(CLASSES))
    for start in range(0, len(images[:limit]), BATCH):
        for i, chance in enumerate(views(parser, images[start : start + BATCH]), start=start):
            allowed[i], sure[i] = decide(images[i], chance, allowed[i])
            count += [(allowed[i] == 1 << k).sum() for k in range(len(CLASSES))]
    output.mkdir(parents=True, exist_ok=True)
    np.save(output / "allowed.npy", allowed)
    np.save(output / "sure.npy", sure)
    return count / count.sum()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="what train.parsing.prepare wrote")
    parser.add_argument("--weights", type=Path, required=True, help="folder of the run that labels")
    parser.add_argument("--output", type=Path, default=Path("runs/parsing_labels"))
    parser.add_argument("--limit", type=int, help="label this many only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    shares = label(args.photos, args.weights, args.output, args.limit)
    print(" ".join(f"{name} {share:.3f}" for name, share in zip(CLASSES, shares)))


if __name__ == "__main__":
    command(main)
