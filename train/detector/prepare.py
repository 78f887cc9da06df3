"""Gives every face photo its landmarks once, and lays photos and landmarks down for the composer.

    python -m train.detector.prepare --data DATA/faces --output runs/detector/faces

The shipped landmarker, or the labeller of ``train.landmarks``, looks at each photo where its pack has the face. What it
is unsure of (its mirrored look disagrees) it sees again where MTCNN, the borrowed annotator, finds the
face. What stays unsure, faces seen from the side most of all, the landmarker sees from nine first crops: where most of them end
on one face, that is taken, else the photo is left out. YouTube Faces frames bring their own landmarks. The output
holds ``pixels.npy``, all photos one after the other, cut to the head's neighbourhood and at most 256
pixels a side, and ``faces.npz`` with their places, landmarks and packs.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from facerecon.faces.align import warp
from facerecon.faces.detect import FaceDetector, create_detector
from facerecon.types import FaceReconError, Image
from train.command_line import command
from train.detector.boxes import face_box
from train.landmarks.annotators import Annotator, LandmarkAnnotator
from train.landmarks.data import read_image, read_landmarks
from train.landmarks.label import YTF_SHIFT_PX, Labeller
from train.landmarks.packs import FRAMINGS, Framing, Photo, photos

LONGEST = 256  # side of a stored photo, pixels
AROUND = 1.1  # what is kept on each side of a face, in sides of its box
SURE, ACCEPTED = 0.02, 0.04  # disagreement of the labeller's mirrored look, in sizes of the face
CROP_PER_BOX = 1.75  # side of the labeller's crop, in sides of MTCNN's box
BATCH = 64
VOTES, DOMINANT = 0.6, 0.45  # share of first crops that must end on a face, and its size in the shorter side of its photo
QUOTA = {"utkface": 2000, "fairface": 14000, "lfw": 1000, "scut": 300, "stock": 350, "portraits": 300}


@dataclass
class FacePhotos:
    """Photos of one face each, as :func:`prepare` wrote them.

    Attributes:
        pixels: (N,) uint8 of all photos, one after the other; a memory map.
        start: (P,) or more: where each photo begins in ``pixels``.
        shape: (P, 2) height and width.
        landmarks: (P, 68, 2) in pixels of the photo.
        pack: (P,) names.
    """

    pixels: np.ndarray
    start: np.ndarray
    shape: np.ndarray
    landmarks: np.ndarray
    pack: np.ndarray
    whole = True  # what surrounds the face is the photo's own

    @classmethod
    def load(cls, folder: Path) -> FacePhotos:
        """From the folder that :func:`prepare` wrote."""
        table = np.load(folder / "faces.npz")
        return cls(np.load(folder / "pixels.npy", mmap_mode="r"), *(table[k] for k in ("start", "shape", "landmarks", "pack")))

    def __len__(self) -> int:
        return len(self.shape)

    def image(self, i: int) -> Image:
        """Photo ``i``, (H, W, 3) uint8."""
        height, width = self.shape[i]
        return self.pixels[self.start[i] : self.start[i] + 3 * height * width].reshape(height, width, 3)

    def only(self, packs: Collection[str]) -> FacePhotos:
        """The photos of some packs.

        Raises:
            FaceReconError: there are none of these.
        """
        kept = np.isin(self.pack, list(packs))
        if not kept.any():
            raise FaceReconError(f"No photo is of {', '.join(packs)}: there are {', '.join(np.unique(self.pack))}.")
        return FacePhotos(self.pixels, self.start[: len(kept)][kept], self.shape[kept], self.landmarks[kept], self.pack[kept])


def prepare(root: Path, labeller: Annotator, output: Path, quota: dict[str, int], limit: int | None) -> int:
    """Labels and writes the photos; returns how many were kept."""
    kept: list[tuple[Image, np.ndarray, str]] = []
    table = read_landmarks(root / "YTF" / "landmarks68.csv")
    for name in sorted(table)[:limit]:
        kept.append((*cut(read_image(root / "YTF" / name), table[name] - YTF_SHIFT_PX), "ytf"))
    wanted, detector = _wanted(root, quota, limit), create_detector("mtcnn", threshold=0.9)
    voter = labeller if isinstance(labeller, LandmarkAnnotator) else LandmarkAnnotator()
    try:
        for first in track(range(0, len(wanted), BATCH), description="Labelling"):
            batch = wanted[first : first + BATCH]
            images = [read_image(photo.path) for photo in batch]
            landmarks, doubt = label(labeller, detector, images, [FRAMINGS[photo.pack] for photo in batch])
            for photo, image, points, unsure in zip(batch, images, landmarks, doubt):
                if unsure > ACCEPTED:
                    points = voted(voter, image, FRAMINGS[photo.pack])
                if points is not None:
                    kept.append((*cut(image, points), photo.pack))
    except KeyboardInterrupt:
        print("interrupted: what is labelled so far is kept")
    write(output, kept)
    return len(kept)


def voted(annotator: LandmarkAnnotator, image: Image, framing: Framing) -> np.ndarray | None:
    """Landmarks (68, 2) of a photo that single looks are unsure of; None where most first crops end elsewhere, or on what is
    too small to be the face of the photo (ears and glasses are)."""
    points, share = annotator.vote(image, framing)
    box = face_box(points)
    large = np.sqrt(np.prod(box[2:] - box[:2])) >= DOMINANT * min(image.shape[:2])
    return points if share >= VOTES and large else None


def label(
    labeller: Annotator, detector: FaceDetector, images: list[Image], framings: list[Framing]
) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (B, 68, 2) in pixels, and how unsure (B,) they are: the better of both looks."""
    landmarks, doubt = labeller.label(images, framings)
    again = [(i, found) for i in np.flatnonzero(doubt > SURE) if (found := detector.detect(images[i]))]
    if again:
        second = [_framing(images[i], found[0].box) for i, found in again]
        points, unsure = labeller.label([images[i] for i, _ in again], second)
        for (i, _), five, u in zip(again, points, unsure):
            if u < doubt[i]:
                landmarks[i], doubt[i] = five, u
    return landmarks, doubt


def cut(image: Image, landmarks: np.ndarray) -> tuple[Image, np.ndarray]:
    """A photo's part round its face, at most ``LONGEST`` pixels a side, and the landmarks in it."""
    box = face_box(landmarks)
    margin = AROUND * (box[2:] - box[:2])
    low = np.maximum(np.floor(box[:2] - margin), 0).astype(int)
    high = np.minimum(np.ceil(box[2:] + margin), image.shape[1::-1]).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    scale = min(1.0, LONGEST / max(part.shape[:2]))
    if scale < 1:
        size = (max(1, int(part.shape[1] * scale)), max(1, int(part.shape[0] * scale)))
        part = warp(part, np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]]), size)
    return part, ((landmarks - low + 0.5) * scale - 0.5).astype(np.float32)


def write(output: Path, kept: list[tuple[Image, np.ndarray, str]]) -> None:
    """Writes ``pixels.npy`` and ``faces.npz``."""
    output.mkdir(parents=True, exist_ok=True)
    images, landmarks, packs = zip(*kept)
    np.save(output / "pixels.npy", np.concatenate([image.reshape(-1) for image in images]))
    start = np.concatenate(([0], np.cumsum([image.size for image in images])))
    shape = np.array([image.shape[:2] for image in images])
    np.savez(output / "faces.npz", start=start, shape=shape, landmarks=np.stack(landmarks), pack=np.array(packs))


def _framing(image: Image, box: np.ndarray) -> Framing:
    height, width = image.shape[:2]
    x, y = (box[:2] + box[2:]) / 2
    side = float(np.sqrt(np.prod(box[2:] - box[:2])))
    return Framing((CROP_PER_BOX * side / max(height, width),), (float(x / width), float((y + 0.05 * side) / height)))


def _wanted(root: Path, quota: dict[str, int], limit: int | None) -> list[Photo]:
    """The photos of each pack, evenly thinned to the pack's quota, all packs mixed."""
    by_pack: dict[str, list[Photo]] = {}
    for photo in photos(root):
        by_pack.setdefault(photo.pack, []).append(photo)
    wanted = []
    for pack, found in by_pack.items():
        count = min(len(found), quota.get(pack, len(found)), limit or len(found))
        wanted += [found[int(i)] for i in np.linspace(0, len(found) - 1, count)]
    return [wanted[i] for i in np.random.default_rng(0).permutation(len(wanted))]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the packs")
    parser.add_argument("--labeller", type=Path, help="weights of train.landmarks; the shipped landmarker by default")
    parser.add_argument("--output", type=Path, default=Path("runs/detector/faces"))
    parser.add_argument("--limit", type=int, help="at most this many photos of each pack")
    args = parser.parse_args()
    cv2.setNumThreads(1)  # the pictures are small: threads would only wait for each other
    labeller = Labeller.load(args.labeller) if args.labeller else LandmarkAnnotator()
    print(prepare(args.data, labeller, args.output, QUOTA, args.limit), "photos kept")


if __name__ == "__main__":
    command(main)
