"""How good metric shapes are, beside those of the coarse encoder alone.

    python -m train.shape.evaluate rendered --data runs/shape_test [--coarse-too]
    python -m train.shape.evaluate people --data DATA/eval/LFW
    python -m train.shape.evaluate landmarks --data DATA/eval/YTF
    python -m train.shape.evaluate likeness --data DATA/eval/LFW --peers PYTHON

``rendered`` reads what ``train.shape.prepare --synthetic runs/synthetic_test`` saw. Each prints JSON;
``--weights`` names another mapping network than the shipped one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from facerecon.head import HeadModel
from facerecon.identity import IdentityEncoder
from facerecon.metrics.geometry import umeyama, vertex_errors
from facerecon.metrics.surfaces import chamfer_distance, normal_consistency, sample_surface
from facerecon.reconstruction.metric_shape import MetricShape, MetricShaper, ShapeCode
from facerecon.reconstruction.reconstructor import HeadReconstructor
from train.shape.data import load_part
from train.shape.objective import look, with_stated

SURFACES = 100  # heads whose surfaces are compared, which takes longest
SAMPLES = 6000  # points of a surface


@torch.inference_mode()
def rendered_benchmark(network: MetricShape | None, file: Path, head: HeadModel, surfaces: int = SURFACES) -> dict:
    """Neutral heads of rendered faces against their truth; the coarse encoder's where ``network`` is None.

    ``as_drawn`` and ``damaged`` are the two looks at each face, ``told`` the first look with age, gender and
    ancestry stated. Medians over heads of a head's median distance in mm over the face's vertices.
    """
    part = {k: torch.from_numpy(v) for k, v in load_part(file).items() if k != "encoder"}
    rows = {k: v.float() for k, v in part.items()}
    half = len(rows["age"]) // 2 if (part["row"][0] == part["row"]).sum() > 1 else len(rows["age"])
    stated = tuple(rows[f"true_{name}"] for name in ("age", "gender", "ancestry"))
    coarse = ShapeCode(rows["identity"], rows["age"], rows["gender"], rows["ancestry"])
    free = coarse if network is None else look(network, rows)
    told = with_stated(coarse if network is None else look(network, rows, stated), stated)
    truth = neutral(head, ShapeCode(rows["true_identity"], *stated))
    heads = {"as_drawn": (neutral(head, free), slice(0, half)), "told": (neutral(head, told), slice(0, half))}
    if half < len(truth):
        heads["damaged"] = (heads["as_drawn"][0], slice(half, None))
    mask = head.masks["face"].numpy()
    return {name: compare(found[part], truth[part], head, mask, surfaces if name == "as_drawn" else 0) for name, (found, part) in heads.items()}


@torch.inference_mode()
def neutral(head: HeadModel, code: ShapeCode) -> np.ndarray:
    """Neutral vertices (B, V, 3) metres."""
    mean = head.encode_demographics(code.age, code.gender, code.ancestry)
    return torch.cat([head.vertices(i, None, m) for i, m in zip(code.identity.split(64), mean.split(64))]).numpy()


def compare(found: np.ndarray, truth: np.ndarray, head: HeadModel, mask: np.ndarray, surfaces: int) -> dict[str, float]:
    """Distances of heads (B, V, 3), millimetres, and the normals' mean cosine."""
    result = {}
    for name in ("rigid", "similarity"):
        errors = [vertex_errors(a, b, mask, name) * 1000 for a, b in zip(found, truth)]
        result[{"rigid": "metric_mm", "similarity": "scale_free_mm"}[name]] = round(float(np.median([np.median(e) for e in errors])), 3)
        if name == "rigid":
            result["metric_mean_mm"] = round(float(np.mean([e.mean() for e in errors])), 3)
    if surfaces:
        faces = head.faces.numpy()
        faces = faces[mask[faces].all(1)]
        pairs = [_surfaces(a, b, faces, mask) for a, b in zip(found[:surfaces], truth[:surfaces])]
        result["chamfer_mm"], result["normals"] = (round(float(np.mean(v)), 4) for v in zip(*pairs))
    return result


def _surfaces(found: np.ndarray, truth: np.ndarray, faces: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Chamfer distance in mm and normal consistency of two faces after rigid alignment."""
    _, rotation, shift = umeyama(found[mask], truth[mask], with_scale=False)
    (a, na), (b, nb) = (sample_surface(v, faces, SAMPLES, seed) for seed, v in ((0, found @ rotation.T + shift), (1, truth)))
    return 1000 * chamfer_distance(a, b), normal_consistency(a, na, b, nb)


def with_and_without(weights: Path | None) -> dict[str, HeadReconstructor]:
    """The reconstructor with the coarse encoder alone, and with metric shape."""
    coarse = HeadReconstructor.from_pretrained(metric=False)
    metric = MetricShape.from_pretrained(weights)
    shaper = MetricShaper(metric, IdentityEncoder.from_pretrained())
    both = HeadReconstructor(coarse.encoder, coarse.head, coarse.estimator, shaper)
    return {"coarse": coarse, "metric": both}


def landmarks(weights: Path | None, folder: Path) -> dict:
    """Landmark error on photos with either shape."""
    from train.landmarks.data import read_image, read_landmarks
    from train.reconstruction.evaluate import find_faces, landmark_benchmark

    faces = find_faces([read_image(folder / name) for name in sorted(read_landmarks(folder / "landmarks68.csv"))])[0]
    return {name: landmark_benchmark(one, folder, faces) for name, one in with_and_without(weights).items()}


def people(weights: Path | None, folder: Path) -> dict:
    """Spread of the shapes of one person's photos with either shape, and ``variance_left`` of metric shape's."""
    from train.reconstruction.evaluate_people import people_benchmark

    found = {name: people_benchmark(one, folder) for name, one in with_and_without(weights).items()}
    variances = [found[name]["single"]["within_squared_mm2"] for name in ("metric", "coarse")]
    return {**found, "variance_left": round(variances[0] / variances[1], 3)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rendered", "people", "landmarks", "likeness"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--coarse-too", action="store_true", help="rendered: the coarse encoder's numbers as well")
    parser.add_argument("--peers", help="likeness: a Python that has dlib-bin and face-recognition-models")
    parser.add_argument("--limit", type=int, default=60, help="likeness: photos")
    args = parser.parse_args()
    if args.what == "rendered":
        head, file = HeadModel.from_pretrained(), args.data / "rendered.npz"
        networks = {"metric": MetricShape.from_pretrained(args.weights), **({"coarse": None} if args.coarse_too else {})}
        result = {name: rendered_benchmark(network, file, head) for name, network in networks.items()}
    elif args.what == "likeness":
        from train.shape.likeness import likeness

        result = likeness(with_and_without(args.weights), args.data, args.limit, args.peers)
    else:
        result = {"people": people, "landmarks": landmarks}[args.what](args.weights, args.data)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
