"""How good a head encoder is.

    python -m train.reconstruction.evaluate landmarks --data DATA/eval/YTF
    python -m train.reconstruction.evaluate shape --synthetic runs/synthetic_test
    python -m train.reconstruction.evaluate now --synthetic runs/synthetic_test
    python -m train.reconstruction.evaluate scut --data DATA/eval/landmarks86_scut.tar
    python -m train.reconstruction.evaluate people --data DATA/eval/LFW
    python -m train.reconstruction.evaluate hair --data PHOTOS
    python -m train.reconstruction.evaluate speed

Each prints JSON; ``--weights`` names other weights than the shipped ones.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from facerecon.faces import choose_faces, create_detector
from facerecon.faces.align import invert, template_points, transform_points
from facerecon.metrics.geometry import vertex_errors
from facerecon.metrics.landmarks import interocular_nme, landmark_nme
from facerecon.reconstruction.camera import yaw_of
from facerecon.reconstruction.reconstructor import BATCH, TEMPLATE, HeadReconstructor
from facerecon.types import Face, Image
from train.command_line import command
from train.landmarks.data import read_image, read_landmarks, to_unit

# Side of the "reconstruction" crop in sides of the photo, for a face that no detector found.
FALLBACK_SCALE = 1.0
YAW_GROUPS = ((0, 15), (15, 30), (30, 50), (50, 90))


def centered_face(shape: tuple[int, ...]) -> Face:
    """A face as large as an average one, in the middle of a photo of that shape."""
    height, width = shape[:2]
    side = max(height, width)
    points = template_points(side, "reconstruction")
    points = (points - points.mean(0)) * FALLBACK_SCALE + (width / 2, height / 2)
    low, high = points.min(0) - 0.1 * side, points.max(0) + 0.1 * side
    return Face(np.concatenate((low, high)).astype(np.float32), points.astype(np.float32), 0.0)


def find_faces(images: list[Image], refine: bool = True) -> tuple[list[Face], int]:
    """The face nearest the middle of each photo, or a centred guess, and how many were guessed."""
    detector, faces, missed = create_detector(refine=refine), [], 0
    for image in images:
        found = detector.detect(image)
        missed += not found
        faces.append(choose_faces(found, "center", image.shape[:2])[0][1] if found else centered_face(image.shape))
    return faces, missed


def landmark_benchmark(
    reconstructor: HeadReconstructor, folder: Path, faces: list[Face] | None = None, limit: int | None = None
) -> dict:
    """Landmarks of the reconstructed heads against ``landmarks68.csv`` of a folder of photos.

    Args:
        reconstructor: the encoder with its head.
        folder: holds the table and the photos it names.
        faces: where the faces are, one a photo by name; found by the shipped detector when left out.
        limit: the first so many photos by name.
    """
    table = read_landmarks(folder / "landmarks68.csv")
    names = sorted(table)[:limit]
    images, truth = [read_image(folder / name) for name in names], np.stack([table[name] for name in names])
    faces, missed = (faces, 0) if faces is not None else find_faces(images)
    parameters = reconstructor.encode(images, faces)
    found = np.stack([reconstructor.geometry(p)[1] for p in parameters])
    errors, inner = landmark_nme(found, truth) * 100, interocular_nme(found, truth) * 100
    yaw = np.abs(np.degrees(yaw_of(torch.from_numpy(np.stack([p.rotation for p in parameters]))).numpy()))
    groups = {f"yaw_{a}_{b}": (yaw >= a) & (yaw < b) for a, b in YAW_GROUPS}
    return {
        "faces": len(names),
        "not_found": missed,
        "mean_percent": float(errors.mean()),
        "median_percent": float(np.median(errors)),
        "worst_tenth_percent": float(np.sort(errors)[-max(len(errors) // 10, 1) :].mean()),
        "inner51_interocular_median_percent": float(np.median(inner)),
        "inner51_interocular_mean_percent": float(inner.mean()),
        "by_yaw": {k: {"faces": int(g.sum()), "mean_percent": float(errors[g].mean())} for k, g in groups.items() if g.any()},
    }


@torch.inference_mode()
def shape_benchmark(reconstructor: HeadReconstructor, folder: Path, limit: int | None = None) -> dict:
    """Vertex errors, mm, of (the first ``limit``) rendered faces of ``train.reconstruction.prerender`` that training never saw."""
    images, labels = np.load(folder / "images.npy", mmap_mode="r")[:limit], _labels(folder, limit)
    head, mask = reconstructor.head, reconstructor.head.masks["face"].numpy()
    medians, means, turned = [], [], []
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        crops = torch.from_numpy(np.array(images[part]))
        code = reconstructor.encoder(to_unit(crops, reconstructor.dtype).to(reconstructor.device))
        found = head.vertices(code.identity, code.expression.clamp(0, 1), _mean(head, code.age, code.gender, code.ancestry))
        truth = {k: torch.from_numpy(labels[k][part]) for k in ("identity", "expression", "age", "gender", "ancestry", "rotation")}
        real = head.vertices(truth["identity"], truth["expression"], _mean(head, truth["age"], truth["gender"], truth["ancestry"]))
        for a, b in zip(found.cpu().numpy(), real.numpy()):
            errors = vertex_errors(a, b, mask) * 1000
            medians.append(np.median(errors))
            means.append(errors.mean())
        trace = torch.einsum("bij,bij->b", code.rotation.cpu(), truth["rotation"])
        turned += torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1))).tolist()
    return {
        "faces": len(images),
        "median_mm": float(np.median(medians)),
        "mean_of_medians_mm": float(np.mean(medians)),
        "mean_mm": float(np.mean(means)),
        "median_rotation_degrees": float(np.median(turned)),
    }


def _labels(folder: Path, limit: int | None) -> dict[str, np.ndarray]:
    return {key: values[:limit] for key, values in np.load(folder / "labels.npz").items()}


def _mean(head, age, gender, ancestry):  # noqa: ANN001, ANN202
    return head.encode_demographics(age, gender, ancestry)


def speed_benchmark(reconstructor: HeadReconstructor, runs: int = 30) -> dict:
    """Milliseconds a face of encoding, warm: one at a time and in a batch, alignment included."""
    image = np.random.default_rng(0).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    points = transform_points(template_points(300, TEMPLATE), invert(np.array([[1.0, 0, -200], [0, 1.0, -150]])))
    face = Face(np.array([250, 200, 450, 450], np.float32), points.astype(np.float32))
    out = {}
    for count in (1, BATCH):
        reconstructor.encode([image] * count, [face] * count)
        times = []
        for _ in range(max(runs // count, 3)):
            started = time.perf_counter()
            reconstructor.encode([image] * count, [face] * count)
            times.append((time.perf_counter() - started) / count)
        out[f"batch_{count}_ms"] = 1000 * float(np.median(times))
    return out


def run(
    what: str, reconstructor: HeadReconstructor, data: Path | None, synthetic: Path | None, limit: int | None = None
) -> dict:
    """The benchmark of a name, on a folder of photos or of rendered faces, or on about ``limit`` of them."""
    from train.reconstruction.evaluate_hair import hair_benchmark
    from train.reconstruction.evaluate_people import groups_benchmark, people_benchmark
    from train.reconstruction.evaluate_scans import NOW_PEOPLE, aflw2000_benchmark, now_benchmark, now_synthetic, scut_benchmark

    if what == "now" and synthetic is not None:
        free, metrical = (now_synthetic(reconstructor, synthetic, limit or NOW_PEOPLE, metrical=m) for m in (False, True))
        return {"aligned": free, "metrical": metrical}
    on_synthetic, on_photos = {"shape": shape_benchmark}, {
        "landmarks": landmark_benchmark, "now": now_benchmark, "scut": scut_benchmark, "people": people_benchmark,
        "groups": groups_benchmark, "aflw2000": aflw2000_benchmark, "hair": hair_benchmark,
    }  # fmt: skip
    if what == "speed":
        return speed_benchmark(reconstructor)
    measure, place = (on_synthetic[what], synthetic) if what in on_synthetic else (on_photos[what], data)
    return measure(reconstructor, place, **({} if limit is None else {"limit": limit}))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("landmarks", "shape", "now", "scut", "aflw2000", "people", "groups", "hair", "speed"))
    parser.add_argument("--data", type=Path, help="the photos: a folder with landmarks68.csv, or a dataset")
    parser.add_argument("--synthetic", type=Path, help="folder of rendered faces")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--head", type=Path)
    args = parser.parse_args()
    from facerecon.head import HeadModel

    reconstructor = HeadReconstructor.from_pretrained(head=HeadModel.from_pretrained(args.head), path=args.weights)
    result = run(args.what, reconstructor, args.data, args.synthetic)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    command(main)
