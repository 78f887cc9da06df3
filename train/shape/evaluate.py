"""How good metric shapes are, beside those of the coarse encoder alone.

    python -m train.shape.evaluate rendered --data runs/shape_test [--coarse-too]
    python -m train.shape.evaluate people --data DATA/eval/LFW
    python -m train.shape.evaluate landmarks --data DATA/eval/YTF
    python -m train.shape.evaluate agreement --data runs/shape_test [--coarse-too]
    python -m train.shape.evaluate modes --data runs/shape_test
    python -m train.shape.evaluate likeness --data DATA/eval/LFW --peers PYTHON

``rendered``, ``agreement`` and ``modes`` read what ``train.shape.prepare --synthetic runs/synthetic_test`` saw, with
``--described DATA/eval/UTKFace`` where photos are wanted in ``agreement``. Each prints JSON;
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
from train.command_line import command
from train.shape.agreement import ShapeJudge
from train.shape.data import load_part
from train.shape.objective import UNKNOWN, look, with_stated
from train.shape.space import ShapeSpace

SURFACES = 100  # heads whose surfaces are compared, which takes longest
SAMPLES = 60_000  # points of a surface: with 6,000 a face and itself, drawn twice, are 1.36 mm apart, with these 0.43
KEPT = (0, 5, 10, 20, 40, 80)  # modes of identity


@torch.inference_mode()
def rendered_benchmark(network: MetricShape | None, file: Path, head: HeadModel, surfaces: int = SURFACES) -> dict:
    """Neutral heads of rendered faces against their truth; the coarse encoder's where ``network`` is None.

    ``as_drawn`` and ``damaged`` are the two looks at each face, ``told`` the first look with age, gender and
    ancestry stated. Medians over heads of a head's median distance in mm over the face's vertices.
    """
    rows = read_rows(file)
    half = len(rows["age"]) // 2 if (rows["row"][0] == rows["row"]).sum() > 1 else len(rows["age"])
    stated = truth_of(rows)
    free, told = shapes(network, rows), with_stated(shapes(network, rows, stated), stated)
    truth = neutral(head, ShapeCode(rows["true_identity"], *stated))
    heads = {"as_drawn": (neutral(head, free), slice(0, half)), "told": (neutral(head, told), slice(0, half))}
    if half < len(truth):
        heads["damaged"] = (heads["as_drawn"][0], slice(half, None))
    mask = head.masks["face"].numpy()
    return {name: compare(found[part], truth[part], head, mask, surfaces if name == "as_drawn" else 0) for name, (found, part) in heads.items()}


def read_rows(file: Path) -> dict[str, torch.Tensor]:
    """A prepared part as float32 tensors."""
    return {k: torch.from_numpy(v).float() for k, v in load_part(file).items() if k != "encoder"}


def truth_of(rows: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """True age (B,), gender (B,) and ancestry (B, 3), NaN where unknown."""
    return tuple(rows[f"true_{name}"] for name in UNKNOWN)


def shapes(network: MetricShape | None, rows: dict[str, torch.Tensor], stated=None) -> ShapeCode:  # noqa: ANN001
    """What the network, told what is ``stated``, or without one the coarse encoder makes of rows."""
    if network is not None:
        return look(network, rows, stated)
    return ShapeCode(*(rows[name] for name in ("identity", *UNKNOWN)))


@torch.inference_mode()
def agreement_benchmark(network: MetricShape | None, folder: Path, head: HeadModel) -> dict:
    """How many shapes look like people of the true gender, ancestry and age group, in percent; ``truth`` are true shapes."""
    judge, result = ShapeJudge(ShapeSpace(head)), {}
    for name in ("rendered", "described"):
        if (file := folder / f"{name}.npz").is_file():
            rows = read_rows(file)
            stated = truth_of(rows)
            result[name] = judge.agreement(shapes(network, rows), *stated)
            result[f"{name}_told"] = judge.agreement(with_stated(shapes(network, rows, stated), stated), *stated)
            if "true_identity" in rows:
                result[f"{name}_truth"] = judge.agreement(ShapeCode(rows["true_identity"], *stated), *stated)
    return result


@torch.inference_mode()
def modes_benchmark(network: MetricShape | None, file: Path, head: HeadModel) -> dict:
    """What fine modes of identity are worth: distances of faces in mm when all past the first so many are left at nought.

    ``found`` keeps the rest as found, ``told`` the same with age, gender and ancestry stated, ``at_best`` keeps the truth.
    """
    rows, space = read_rows(file), ShapeSpace(head)
    stated = truth_of(rows)
    true = ShapeCode(rows["true_identity"], *stated)
    codes = {"found": shapes(network, rows), "told": with_stated(shapes(network, rows, stated), stated), "at_best": true}
    result = {}
    for kept in KEPT:
        cut = {k: ShapeCode(torch.cat((c.identity[:, :kept], 0 * c.identity[:, kept:]), 1), c.age, c.gender, c.ancestry) for k, c in codes.items()}
        distances = {k: space.apart_mm(space.coordinates(c), space.coordinates(true)).mean().item() for k, c in cut.items()}
        result[str(kept)] = {f"{k}_mm": round(d, 3) for k, d in distances.items()}
    return result


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
    parser.add_argument("what", choices=("rendered", "agreement", "modes", "people", "landmarks", "likeness"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--coarse-too", action="store_true", help="rendered, agreement, modes: the coarse encoder's numbers as well")
    parser.add_argument("--peers", help="likeness: a Python that has dlib-bin and face-recognition-models")
    parser.add_argument("--limit", type=int, default=60, help="likeness: photos")
    args = parser.parse_args()
    if args.what in (measures := {"rendered": rendered_benchmark, "modes": modes_benchmark, "agreement": agreement_benchmark}):
        head, place = HeadModel.from_pretrained(), args.data if args.what == "agreement" else args.data / "rendered.npz"
        networks = {"metric": MetricShape.from_pretrained(args.weights), **({"coarse": None} if args.coarse_too else {})}
        result = {name: measures[args.what](network, place, head) for name, network in networks.items()}
    elif args.what == "likeness":
        from train.shape.likeness import likeness

        result = likeness(with_and_without(args.weights), args.data, args.limit, args.peers)
    else:
        result = {"people": people, "landmarks": landmarks}[args.what](args.weights, args.data)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    command(main)
