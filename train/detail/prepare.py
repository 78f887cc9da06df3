"""Unwraps photos of faces once, for the detail stage.

    python -m train.detail.prepare --data DATA/faces --output runs/detail/faces

Writes ``lab.npy`` (N, 256, 256, 3) uint8 (OpenCV's Lab), ``weight.npy`` (N, 256, 256) uint8, ``maps.npy``
(N, 11, 64, 64) float16 (surface and strain of ``facerecon.reconstruction.detail_surface``) and ``labels.npz``:
``light`` (N, 9), ``age`` years or NaN, ``name``; ``points`` (68, 2), where landmarks lie in the window. Stopped early, it keeps what is done.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.appearance import load_appearance
from facerecon.reconstruction.detail_surface import FaceWindow, cut_window, look_at
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.texture_atlas import TextureAtlas, atlas_of
from facerecon.reconstruction.texture_completion import accept
from facerecon.reconstruction.texture_projection import project_photo
from facerecon.reconstruction.texture_tone import measure_tone
from facerecon.types import Face, Image
from train.command_line import command
from train.data import open_dataset
from train.identity.prepare import PACKS, age_of, find_points

ATLAS = 512
STORED_GRID = 64
SHARP_UTKFACE = 180  # pixels: smaller crops of that set are soft
PHOTOS = {"portraits": 540, "studio": 190, "old": 560, "young": 260, "SCUT-FBP5500": 260}
OLD, YOUNG = 45, 26  # years


class Unwrapper:
    """Photos to windows, through the shipped encoder."""

    def __init__(self, size: int = ATLAS) -> None:
        self.reconstructor = HeadReconstructor.from_pretrained(metric=False)
        self.reconstructor.estimator = None  # who somebody is does not matter here
        self.head = self.reconstructor.head
        self.atlas = atlas_of(self.head, size)
        self.prior = load_appearance(size, len(self.head.uv))

    def window(self, image: Image) -> FaceWindow | None:
        """The face that fills a photo (H, W, 3); None where none is found."""
        points = find_points(image)
        if points is None:
            return None
        parameters = self.reconstructor.encode([image], [boxed(points)])[0]
        vertices, neutral = (
            self.reconstructor.geometry(p)[0] for p in (parameters, replace(parameters, expression=np.zeros_like(parameters.expression)))
        )
        texels = project_photo(image, parameters, vertices, self.atlas)
        tone = measure_tone(texels, self.atlas, self.prior)
        accepted = accept(texels, self.atlas, self.prior, tone)[0]
        return look_at(texels, accepted, parameters, vertices, neutral, self.atlas, self.prior, tone)


def boxed(points: np.ndarray) -> Face:
    """A face that is known by its five points (5, 2) alone."""
    return Face(np.concatenate([points.min(0), points.max(0)]).astype(np.float32), points.astype(np.float32))


def photos(root: Path, wanted: dict[str, int], seed: int = 0) -> Iterator[tuple[str, float, Image]]:
    """Name, age and pixels of the photos, the groups in turn, so that a part of them is a fair sample."""
    rng, chosen = np.random.default_rng(seed), []
    for group, count in wanted.items():
        pack = "UTKFace" if group in ("old", "young") else group
        if not (root / pack).exists():
            continue
        reader = open_dataset(PACKS[pack], root / pack)
        ages = np.array([age_of(reader.labels(i)) for i in range(len(reader))])
        fits = {"old": ages >= OLD, "young": (ages > 12) & (ages < YOUNG)}.get(group, np.ones(len(ages), bool))
        rows = rng.permutation(np.flatnonzero(fits))
        least = SHARP_UTKFACE if pack == "UTKFace" else 0
        chosen += [((k + 0.5) / count, reader, int(i), float(ages[i]), least, f"{pack}/") for k, i in enumerate(rows[: count * (3 if least else 1)])]
    seen = dict.fromkeys(wanted, 0)
    for _, reader, i, age, least, prefix in sorted(chosen, key=lambda row: row[0]):
        group = prefix[:-1] if not least else ("old" if age >= OLD else "young")
        if seen[group] >= wanted[group]:
            continue
        image = reader.image(i)
        if min(image.shape[:2]) >= least:
            seen[group] += 1
            yield prefix + reader.names[i], age, image


def prepare(root: Path, output: Path, wanted: dict[str, int], minutes: float) -> int:
    """Unwraps the photos until they or the minutes are over; returns how many there are."""
    unwrapper, rows, began = Unwrapper(), [], time.monotonic()
    for number, (name, age, image) in enumerate(photos(root, wanted)):
        window = unwrapper.window(image)
        if window is not None and window.weight.mean() > 0.12:
            rows.append((*packed(window), window.light, age, name))
        if number % 100 == 0:
            print(f"{number} photos, {len(rows)} kept, {time.monotonic() - began:.0f} s", flush=True)
        if time.monotonic() - began > 60 * minutes:
            break
    lab, weight, maps, light, age, names = zip(*rows)
    output.mkdir(parents=True, exist_ok=True)
    for part, values in (("lab", lab), ("weight", weight), ("maps", maps)):
        np.save(output / f"{part}.npy", np.stack(values))
    points = landmark_texels(unwrapper.head, unwrapper.atlas)
    np.savez(output / "labels.npz", light=np.stack(light), age=np.array(age), name=np.array(names), points=points)
    return len(rows)


def landmark_texels(head: HeadModel, atlas: TextureAtlas) -> np.ndarray:
    """(68, 2) column and row in the window of the average head's landmarks."""
    place = cut_window(atlas.spread(atlas.template))
    place[cut_window(atlas.inside.astype(np.float32)) < 0.99] = np.inf
    marks = head.landmarks(torch.from_numpy(atlas.template)[None])[0].numpy()
    nearest = [np.linalg.norm(place - mark, axis=-1).argmin() for mark in marks]
    return np.stack(np.unravel_index(nearest, place.shape[:2])[::-1], axis=1).astype(np.float32)


def packed(window: FaceWindow) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours uint8 (N, N, 3), weight uint8 (N, N), surface and strain float16 (11, 64, 64)."""
    lab = np.clip(window.lab * (2.55, 1, 1) + (0, 128, 128) + 0.5, 0, 255).astype(np.uint8)
    maps = np.concatenate([window.shape, window.strain], axis=-1)
    side = len(maps) // STORED_GRID
    maps = maps.reshape(STORED_GRID, side, STORED_GRID, side, -1).mean((1, 3))
    return lab, (window.weight * 255 + 0.5).astype(np.uint8), maps.transpose(2, 0, 1).astype(np.float16)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the packs")
    parser.add_argument("--output", type=Path, default=Path("runs/detail/faces"))
    parser.add_argument("--minutes", type=float, default=60, help="stop after so long")
    parser.add_argument("--share", type=float, default=1.0, help="of the photos of every group")
    args = parser.parse_args()
    wanted = {group: max(round(count * args.share), 1) for group, count in PHOTOS.items()}
    print(f"{prepare(args.data, args.output, wanted, args.minutes)} faces")


if __name__ == "__main__":
    command(main)
