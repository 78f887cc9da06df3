"""Labels photos that have no landmarks, and packs them with those that have.

    python -m train.landmarks.label --data DATA/faces --weights runs/landmarks/landmarks.safetensors --output runs/real
    python -m train.landmarks.label --data DATA/faces --output runs/real        (by the shipped landmarker)

The network looks at a photo roughly cut, then again at crops aligned by what it saw, and at
the mirrored crop last. Photos on which the two last looks disagree are left out. The output
holds ``images.npy``, (N, 160, 160, 3) uint8, and ``labels.npz`` (see ``FIELDS``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import track
from safetensors.torch import load_file

from facerecon.faces.align import MIRROR_68, mirror_matrix, points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.types import Image
from train.command_line import command
from train.landmarks.annotators import Annotator, LandmarkAnnotator
from train.landmarks.data import TEMPLATE, read_image, read_landmarks, to_unit
from train.landmarks.network import LandmarkNetwork
from train.landmarks.packs import FRAMINGS, Framing, Photo, photos, rough_matrix

STORED = 160  # side of the stored crops, pixels
STORED_FACE = 134  # the template's side within them: the rest is room to move
FIELDS = ("landmarks", "true", "age", "gender", "ancestry", "disagreement", "pack")
BATCH = 64
# The landmarks of the YouTube Faces frames lie this far (x, y) to the right of what they mark, pixels of the
# 192-pixel crops: the mean disagreement with a network that was trained on mirrored crops as well.
YTF_SHIFT_PX = np.array([1.48, 0.0], np.float32)


class Labeller:
    """Finds landmarks in photos whose framing is roughly known."""

    def __init__(self, network: LandmarkNetwork) -> None:
        self.network = network.eval()
        self.size = network.trunk.config.image_size
        self.dtype = next(network.parameters()).dtype

    @classmethod
    def load(cls, weights: Path) -> Labeller:
        """From the trainer's safetensors file, in bfloat16."""
        network = LandmarkNetwork()
        network.load_state_dict(load_file(weights))
        return cls(network.to(torch.bfloat16).to(memory_format=torch.channels_last))

    def label(self, images: list[Image], framings: list[Framing]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, 68, 2) in photo pixels, and disagreement (B,) of the mirrored look, face sizes."""
        best: tuple[np.ndarray, np.ndarray] | None = None
        for k in range(max(len(f.scales) for f in framings)):
            first = [rough_matrix(im.shape, f.scales[min(k, len(f.scales) - 1)], f, self.size) for im, f in zip(images, framings)]
            found = self._refine(images, first)
            if best is None:
                best = found
            better = found[1] < best[1]
            best = np.where(better[:, None, None], found[0], best[0]), np.minimum(found[1], best[1])
        return best

    def _refine(self, images: list[Image], matrices: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        for _ in range(2):
            landmarks = self._look(images, matrices)
            matrices = [similarity_from_points(points_from_landmarks(m), self.size, TEMPLATE) for m in landmarks]
        straight = self._look(images, matrices)
        mirrored = self._look(images, [mirror_matrix(m, self.size) for m in matrices])[:, MIRROR_68]
        extent = np.sqrt(np.prod(straight.max(1) - straight.min(1), axis=1))
        disagreement = np.linalg.norm(straight - mirrored, axis=2).mean(1) / extent.clip(1)
        return (straight + mirrored) / 2, disagreement

    @torch.inference_mode()
    def _look(self, images: list[Image], matrices: list[np.ndarray]) -> np.ndarray:
        crops = [warp(im, m, self.size, cv2.BORDER_REPLICATE) for im, m in zip(images, matrices)]
        seen = self.network(to_unit(torch.from_numpy(np.stack(crops)), self.dtype)).numpy()
        pixels = (seen + 0.5) * self.size - 0.5
        inverses = [cv2.invertAffineTransform(m) for m in matrices]
        return np.stack([transform_points(p, m) for p, m in zip(pixels, inverses)])


def stored_matrix(landmarks: np.ndarray) -> np.ndarray:
    """The (2, 3) matrix of the stored crop: the template in the middle, with room around it."""
    matrix = similarity_from_points(points_from_landmarks(landmarks), STORED_FACE, TEMPLATE)
    matrix[:, 2] += (STORED - STORED_FACE) / 2
    return matrix


def pack_all(root: Path, labeller: Annotator, output: Path, most: float, skip: tuple[str, ...], limit: int | None) -> dict[str, int]:
    """Labels and packs everything; returns how many photos of each pack were kept."""
    table = read_landmarks(root / "YTF" / "landmarks68.csv")
    wanted = [p for p in photos(root) if p.pack not in skip][:limit]
    output.mkdir(parents=True, exist_ok=True)
    images = np.lib.format.open_memmap(
        output / "images.npy", "w+", np.uint8, (len(table) + len(wanted), STORED, STORED, 3)
    )
    rows: list[tuple] = []

    def keep(image: Image, landmarks: np.ndarray, photo: Photo, true: bool, disagreement: float) -> None:
        matrix = stored_matrix(landmarks)
        images[len(rows)] = warp(image, matrix, STORED, cv2.BORDER_REPLICATE)
        points = transform_points(landmarks, matrix).astype(np.float32)
        rows.append((points, true, photo.age, photo.gender, photo.ancestry, disagreement, photo.pack))

    for name in sorted(table):
        keep(read_image(root / "YTF" / name), table[name] - YTF_SHIFT_PX, Photo(root / "YTF" / name, "ytf"), True, 0.0)
    for start in track(range(0, len(wanted), BATCH), description="Labelling"):
        batch = wanted[start : start + BATCH]
        read = [read_image(p.path) for p in batch]
        landmarks, disagreement = labeller.label(read, [FRAMINGS[p.pack] for p in batch])
        for image, points, photo, d in zip(read, landmarks, batch, disagreement):
            if d <= most:
                keep(image, points, photo, False, float(d))
    images.flush()
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(FIELDS)}
    np.savez(output / "labels.npz", **columns)
    return {str(pack): int((columns["pack"] == pack).sum()) for pack in sorted(set(columns["pack"]))}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the packs")
    parser.add_argument("--weights", type=Path, help="of the labeller; the shipped landmarker labels without")
    parser.add_argument("--output", type=Path, default=Path("runs/real"))
    parser.add_argument("--most", type=float, default=0.03, help="largest disagreement, in sizes of the face")
    parser.add_argument("--skip", nargs="*", default=[], help="packs to leave out")
    parser.add_argument("--limit", type=int, help="at most this many photos")
    args = parser.parse_args()
    cv2.setNumThreads(1)  # the pictures are small: threads would only wait for each other
    labeller = Labeller.load(args.weights) if args.weights else LandmarkAnnotator()
    print(pack_all(args.data, labeller, args.output, args.most, tuple(args.skip), args.limit))


if __name__ == "__main__":
    command(main)
