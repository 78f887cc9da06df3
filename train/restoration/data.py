"""Pairs of clean and degraded crops, made on the fly and the same for the same number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from facerecon.faces.align import mirror_matrix, similarity_from_points, warp
from facerecon.restoration.conditioning import condition_vector
from facerecon.restoration.degradations import LEVEL_SHARES, degrade, fade, old_photo, random_level, scratches, sensor_noise, sepia
from facerecon.restoration.photo import SURROUNDINGS
from facerecon.types import Demographics, FaceReconError, Image
from train.data.layouts import open_dataset
from train.data.packs import FaceLabels, FacePack


@dataclass(frozen=True)
class PackFraming:
    """How crops are cut from a pack.

    Attributes:
        name: the pack's file or folder name.
        weight: how often an image of it is drawn, relative to the others.
        zoom: range of the enlargement that brings faces to the restoration template's size.
        center: where the crop's middle lies in the image, as a share of width and height.
        wander: how far the middle moves, as a share of the crop.
        layout: of ``train.data.layouts``, which knows the labels.
    """

    name: str
    weight: float
    zoom: tuple[float, float]
    center: tuple[float, float] = (0.5, 0.5)
    wander: float = 0.06
    layout: str = "image_folder"


PACKS = (
    PackFraming("utkface_sharp.tar", 1.0, (0.9, 1.25), layout="utkface"),
    PackFraming("official_portraits.tar", 2.5, (0.7, 1.1), (0.5, 0.45), 0.12, layout="official_portraits"),
    PackFraming("studio_portraits.tar", 4.0, (0.8, 1.25), (0.5, 0.44), 0.10),
    PackFraming("stylegan.tar", 1.0, (1.0, 1.35), (0.5, 0.55)),
    PackFraming("scut_fbp5500.tar", 0.6, (0.85, 1.15), layout="scut_fbp5500"),
    PackFraming("fairface_sharp.tar", 0.4, (0.95, 1.15), (0.5, 0.44), layout="fairface"),
)


@dataclass(frozen=True)
class PairKinds:
    """How often what happens to the crops of a stage; shares of the pairs unless said otherwise.

    Attributes:
        levels: of damage, by name.
        photo_scales: photo pixels to a pixel of the crop, from and to.
        small_in_photo: the face is small in its photo, so that what harmed the photo harmed the face more.
        grainy: noise as fine as the photo, from high sensitivity or film.
        scratched: scratches.
        plain: the chain that benchmarks use (``degrade(plain=True)``).
        around: the face with its surroundings, as far out as they are restored.
    """

    levels: Mapping[str, float] = field(default_factory=lambda: LEVEL_SHARES)
    photo_scales: tuple[float, float] = (0.75, 1.6)
    small_in_photo: float = 0.3
    grainy: float = 0.2
    scratched: float = 0.06
    plain: float = 0.0
    around: float = 0.0


DETAILED = PairKinds()
# Seen small, a face in a good photo has nothing to mend, and fine noise is gone.
SMALL = PairKinds(
    {"clean": 0.03, "light": 0.1, "medium": 0.37, "heavy": 0.5}, (0.9, 1.4), 0.25, grainy=0.04, scratched=0.03, plain=0.85, around=0.4
)
UNKNOWN = np.full((5, 2), np.nan)
DETECTOR_ERROR = 0.04  # of the eyes' distance, each coordinate of a point: bad photos have more of it than good ones
TURNING_MARGIN = 1.14  # a turn by 8 degrees still finds all it needs
FFHQ_FRAMING = PackFraming("FFHQ", 1.0, (0.6, 1.35), (0.5, 0.55))


def packs_in(root: Path, packs: tuple[PackFraming, ...] | None = None) -> list[tuple[PackFraming, Path]]:
    """Those of the packs that are in ``root``; where there is none, ``root`` itself as a folder of faces framed as in FFHQ.

    Raises:
        FaceReconError: there is no image at all.
    """
    found = [(f, root / f.name) for f in packs or PACKS if (root / f.name).exists()]
    if not found and not FacePack(root).names:
        raise FaceReconError(f"There are no images to train on in {root}: it holds neither faces nor one of {', '.join(f.name for f in packs or PACKS)}.")
    return found or [(FFHQ_FRAMING, root)]


class CleanFaces:
    """Every image of the packs in memory, and random crops of them.

    Args:
        root: folder that holds the packs.
        size: side of a crop, pixels.
        packs: which packs, and how to frame them.
        limit: at most this many images of each pack, for quick trials.
        points: file of ``train.restoration.points``.

    The packs that are in ``root`` are used; where there is none, ``root`` itself is taken
    as a folder of faces framed as in FFHQ (Karras et al., CVPR 2019). Where five points of a face are known, its crops are
    cut by them as in use, but for a detector's errors, so that a network learns where eyes and mouths are.

    Raises:
        FaceReconError: there is no image at all.
    """

    def __init__(
        self, root: Path, size: int, packs: tuple[PackFraming, ...] = PACKS, limit: int | None = None, points: Path | None = None
    ) -> None:
        self.size, self.images, self.framings, self.conditions, self.points, weights = size, [], [], [], [], []
        known = dict(np.load(points)) if points else {}
        for framing, path in packs_in(root, packs):
            pack = open_dataset(framing.layout, path)
            for i in range(min(len(pack), limit or len(pack))):
                self.images.append(pack.image(i))
                self.framings.append(framing)
                self.points.append(known[framing.name][i] if framing.name in known else UNKNOWN)
                self.conditions.append(condition_vector(stated(pack.labels(i))))
                weights.append(framing.weight)
        self.cumulative = np.cumsum(weights) / np.sum(weights)

    def draw(self, rng: np.random.Generator) -> int:
        """Number of a random image, by the weights of the packs."""
        return min(int(np.searchsorted(self.cumulative, rng.random())), len(self.images) - 1)

    def crop(
        self, i: int, rng: np.random.Generator, window: int, scale: float = 1.0, zoom: float = 1.0, angle: float = 0.0
    ) -> Image:
        """A random window of image ``i``, mirrored half of the time.

        Args:
            i: number of the image.
            rng: random numbers.
            window: its side, pixels of the image that comes back.
            scale: how many of these make one pixel of a network's crop.
            zoom: of the face, beside that of its pack.
            angle: degrees by which the window will be turned; a face whose points are known is upright after that, others are before.
        """
        image, framing = self.images[i], self.framings[i]
        if np.isfinite(self.points[i]).all():
            return warp(image, self._aligned(self.points[i], rng, window, scale * zoom, angle), window)
        h, w = image.shape[:2]
        zoom = rng.uniform(*framing.zoom) * zoom * self.size / 256 * scale
        reach = framing.wander * self.size + max(self.size - window / scale, 0) / 2
        center = np.array(framing.center) * (w, h) + rng.uniform(-1, 1, 2) * reach * scale / zoom
        matrix = np.array([[zoom, 0, window / 2 - zoom * center[0]], [0, zoom, window / 2 - zoom * center[1]]])
        out = warp(image, matrix, window)
        return out[:, ::-1].copy() if rng.random() < 0.5 else out

    def _aligned(self, points: np.ndarray, rng: np.random.Generator, window: int, zoom: float, angle: float) -> np.ndarray:
        """(2, 3): pixels of an image to those of a window cut by its points (5, 2), which a detector places a little wrong."""
        error = DETECTOR_ERROR * np.linalg.norm(points[1] - points[0])
        matrix = similarity_from_points(points + rng.normal(0, error, (5, 2)), self.size, "restoration")
        matrix = mirror_matrix(matrix, self.size) if rng.random() < 0.5 else matrix
        middle = (self.size - 1) / 2
        turn = cv2.getRotationMatrix2D((middle, middle), -angle, zoom)
        turn[:, 2] += (window - self.size) / 2
        return turn @ np.concatenate((matrix, [[0, 0, 1]]))


def stated(labels: FaceLabels) -> Demographics:
    """What a dataset says of a person, as a user would state it; the middle of a range of ages."""
    age = labels.age if labels.age_range is None else sum(labels.age_range) / 2
    return Demographics(age=age, gender=labels.gender, race=labels.race)


def sample_pair(
    faces: CleanFaces, i: int, rng: np.random.Generator, window: int | None = None, kinds: PairKinds = DETAILED
) -> tuple[Image, Image]:
    """One ``(clean, degraded)`` pair of ``window`` pixels of image ``i``; one in ten is monochrome or an old print.

    The harm is done at the photo's own scale, and both are cut afterwards, turned and resized: in use, too, crops come
    from photos whose pixels and compression blocks are larger, smaller and slanted.
    """
    window = window or faces.size
    scale = float(np.exp(rng.uniform(*np.log(kinds.photo_scales))))
    zoom = 1 / SURROUNDINGS if rng.random() < kinds.around else 1.0
    angle = rng.normal(0, 4)
    clean = faces.crop(i, rng, math.ceil(window * scale * TURNING_MARGIN), scale, zoom, angle)
    clean = np.clip(clean * rng.uniform(0.85, 1.1), 0, 255).astype(np.uint8) if rng.random() < 0.3 else clean
    kind = rng.random()
    if kind < 0.05:
        clean = np.repeat(cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    elif kind < 0.08:
        clean = sepia(clean)
    source = clean
    if kind < 0.08 and rng.random() < 0.6:
        source = old_photo(clean, rng)
    elif kind > 0.97:
        source = fade(clean, rng.uniform(0, 0.4))
    unit = scale * faces.size / 256 * (rng.uniform(1, 2) if rng.random() < kinds.small_in_photo else 1.0)
    level = random_level(rng, kinds.levels)
    if rng.random() < kinds.grainy:
        source = sensor_noise(source, rng.uniform(4, 26), rng, grey=rng.random() < 0.4)
        level = str(rng.choice(("clean", "light")))
    if rng.random() < kinds.scratched:
        source = scratches(source, int(rng.integers(1, 7)), rng)
    degraded = degrade(source, level, rng, unit, plain=rng.random() < kinds.plain)
    matrix = cv2.getRotationMatrix2D((clean.shape[1] / 2, clean.shape[0] / 2), angle, 1 / scale)
    matrix[:, 2] += (window - len(clean)) / 2
    return warp(clean, matrix, window), warp(degraded, matrix, window)


class PairDataset(Dataset):
    """Batch number ``i`` from ``first`` on: each pair, and what is known of its person, is always the same for its number.

    Args:
        faces: what pairs are made of.
        batch_size: pairs a batch, of one process.
        seed: another one gives other pairs.
        steps: first and last batch.
        share: number of this process, and of all of them; they have different pairs.
        window: side of the pairs, pixels; that of ``faces`` where None.
        kinds: what happens to them.
    """

    def __init__(
        self,
        faces: CleanFaces,
        batch_size: int,
        seed: int,
        steps: tuple[int, int],
        share: tuple[int, int] = (0, 1),
        window: int | None = None,
        kinds: PairKinds = DETAILED,
    ) -> None:
        self.faces, self.batch_size, self.seed, self.steps, self.share = faces, batch_size, seed, steps, share
        self.window, self.kinds = window, kinds

    def __len__(self) -> int:
        return (self.steps[1] - self.steps[0]) * self.batch_size

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cv2.setNumThreads(0)
        step, place = divmod(i, self.batch_size)
        rank, ranks = self.share
        rng = np.random.default_rng((self.seed, ((self.steps[0] + step) * ranks + rank) * self.batch_size + place))
        number = self.faces.draw(rng)
        clean, degraded = sample_pair(self.faces, number, rng, self.window, self.kinds)
        return torch.from_numpy(clean), torch.from_numpy(degraded), torch.from_numpy(self.faces.conditions[number])


def batches(dataset: PairDataset, workers: int) -> Iterator:
    """A dataset's batches as uint8 (B, S, S, 3) pairs and (B, CONDITION_SIZE)."""
    # A generator of its own: else each start would draw a number from the one that training uses.
    options = {"prefetch_factor": 4 if workers else None, "generator": torch.Generator()}
    return iter(DataLoader(dataset, dataset.batch_size, num_workers=workers, **options))
