"""Measures the detail network on photos that it was not trained on; prints JSON.

    python -m train.detail.evaluate --data DATA/eval

``made_up``: a known relief is put on the faces in made-up light; how much of it comes back. ``photos``: how much
of the fine brightness of the photos' skin the relief explains. ``smiles``, where the folder has the
same person neutral and smiling: how near the relief that the neutral photo gives for the smile's expression comes to the
smiling photo's own, beside that which it gives for its own expression.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facerecon.images import load_image
from facerecon.reconstruction.detail import Detailer
from facerecon.reconstruction.detail_network import look, slopes
from facerecon.types import FaceReconError
from train.command_line import command
from train.detail.data import Unwrapped
from train.detail.objective import give_relief, log_brightness, see_photo, unexplained
from train.detail.prepare import Unwrapper, landmark_texels, packed
from train.detail.wrinkles import bank

SEED, RELIEFS, BATCH = 990_000, 60, 4


@dataclass
class Held:
    """Photos' faces by name, as :class:`train.detail.data.Unwrapped` holds them."""

    names: list[str]
    faces: Unwrapped
    points: np.ndarray


def unwrap(folder: Path, limit: int | None) -> Held:
    """The faces of the photos in a folder.

    Raises:
        FaceReconError: it has no photo with a face.
    """
    files = sorted(folder.glob("*.webp")) + sorted(folder.glob("*.png")) + sorted(folder.glob("*.jpg"))
    if limit is not None:
        files = files[:: max(len(files) // limit, 1)][:limit]
    unwrapper, names, windows = Unwrapper(), [], []
    for file in files:
        window = unwrapper.window(load_image(file))
        if window is not None and window.weight.mean() > 0.1:
            names.append(file.stem)
            windows.append((*packed(window), window.light))
    if not windows:
        raise FaceReconError(f"No face was found in the photos of {folder}.")
    lab, weight, maps, light = (np.stack(part) for part in zip(*windows))
    return Held(names, Unwrapped(lab, weight, maps, {"light": light}), landmark_texels(unwrapper.head, unwrapper.atlas))


def made_up(detailer: Detailer, held: Held) -> dict[str, float]:
    """Recovery of a known relief; errors beside those of no relief at all."""
    reliefs, rng = bank(held.points, RELIEFS, SEED), np.random.default_rng(SEED)
    sums: dict[str, list[float]] = {}
    for start in range(0, len(held.names), BATCH):
        faces = held.faces.take(np.arange(start, min(start + BATCH, len(held.names))))
        chosen = reliefs[rng.integers(0, RELIEFS, len(faces["lab"]))].astype(np.float32)
        seen, truth, weight = give_relief({**faces, "layers": torch.from_numpy(chosen)}, rng)
        found = detailer.network(seen).float()
        for d, t, w in zip(found, truth * weight, weight):
            inside = w > 0.5
            errors = {"error_mm": (d - t).abs()[inside], "without_mm": t.abs()[inside]}
            for name, relief in (("slope_error_degrees", d - t), ("slope_without_degrees", t)):
                errors[name] = torch.atan(torch.hypot(*slopes(relief[None]))[0][inside]).rad2deg()
            deep = inside & (t < -0.25)
            for name, value in errors.items():
                sums.setdefault(name, []).append(float(value.mean()))
            sums.setdefault("correlation", []).append(_correlation(d, t, w))
            if deep.sum() > 100:
                sums.setdefault("depth_of_wrinkles_found", []).append(float((d[deep] / t[deep]).mean()))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def photos(detailer: Detailer, held: Held) -> dict[str, float]:
    """Fine brightness of skin that is left unexplained (root mean square of its log), with the relief and without."""
    rest, before, size = [], [], []
    for start in range(0, len(held.names), BATCH):
        faces = held.faces.take(np.arange(start, min(start + BATCH, len(held.names))))
        found = detailer.network(see_photo(faces)).float()
        for values, d in ((before, 0 * found), (rest, found)):
            left, weight = unexplained(d, faces)
            values += list((left.square() * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)))
        size += [float(d.abs().sum() / w.sum()) for d, w in zip(found, faces["weight"])]
    without, with_relief = (float(np.sqrt(np.mean(values))) for values in (before, rest))
    share = float(np.mean([1 - float(a / b) for a, b in zip(rest, before)]))
    return {"faces": len(held.names), "without": without, "with_relief": with_relief, "explained_share": share, "mean_depth_mm": float(np.mean(size))}


def smiles(detailer: Detailer, held: Held) -> dict[str, float] | None:
    """Reliefs of neutral photos for the smile's expression, against the smiling photos'."""
    found = pairs(held.names)
    scores: dict[str, list[float]] = {"asked_for_the_smile": [], "as_it_is": []}
    for rows in found:
        faces = held.faces.take(np.array(rows))
        own, weight = detailer.network(see_photo(faces)).float(), faces["weight"].amin(0)
        neutral = {k: v[:1] for k, v in faces.items()}
        asked = detailer.network(_asked(neutral, faces["maps"][1:, 9:])).float()
        scores["asked_for_the_smile"].append(_correlation(asked[0], own[1], weight))
        scores["as_it_is"].append(_correlation(own[0], own[1], weight))
    return {"pairs": len(found), **{name: float(np.mean(values)) for name, values in scores.items()}} if found else None


def pairs(names: list[str]) -> list[tuple[int, int]]:
    """Numbers of the neutral and the smiling photo of each person of the London set, ``..neutral_front_115_03``."""
    seen = {(kind, name.split("_")[-2]): i for i, name in enumerate(names) for kind in ("neutral", "smiling") if f"{kind}_front_" in name}
    return [(i, seen["smiling", person]) for (kind, person), i in seen.items() if kind == "neutral" and ("smiling", person) in seen]


def _asked(faces: dict[str, Tensor], wanted: Tensor) -> Tensor:
    maps, lab = faces["maps"], faces["lab"]
    return look(log_brightness(lab), lab[:, 1:], lab[:, :1], faces["weight"], maps[:, :9], faces["light"], maps[:, 9:], wanted)


def _correlation(a: Tensor, b: Tensor, weight: Tensor) -> float:
    """Correlation of two reliefs (1, N, N) where there is skin."""
    inside = weight > 0.5
    x, y = a[inside] - a[inside].mean(), b[inside] - b[inside].mean()
    return float((x * y).sum() / (x.norm() * y.norm()).clamp_min(1e-9))


@torch.inference_mode()
def evaluate(detailer: Detailer, folder: Path, limit: int | None = None) -> dict[str, dict]:
    """All of it."""
    held = unwrap(folder, limit)
    values = {"made_up": made_up(detailer, held), "photos": photos(detailer, held)}
    smiling = smiles(detailer, held)
    return {**values, **({"smiles": smiling} if smiling else {})}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photos of faces, or the folder that has it as 'clean'")
    parser.add_argument("--weights", type=Path, help="a safetensors file, instead of the shipped one")
    parser.add_argument("--limit", type=int, help="about so many photos")
    args = parser.parse_args()
    from facerecon.head import HeadModel

    folder = args.data / "clean" if (args.data / "clean").is_dir() else args.data
    started = time.perf_counter()
    values = evaluate(Detailer.from_pretrained(HeadModel.from_pretrained(), "cpu", args.weights), folder, args.limit)
    print(json.dumps({**values, "time": {"seconds": time.perf_counter() - started}}, indent=1))


if __name__ == "__main__":
    command(main)
