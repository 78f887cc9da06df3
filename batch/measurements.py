"""Quality tables of docs/BENCHMARKS.md, measured with the functions of ``train/*/evaluate.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from batch.benchmarks import Asked
from batch.tables import Table, table_of
from facerecon.types import FaceReconError

ROOT = Path(__file__).resolve().parents[1]
VIDEO_FRAMES = 120
Item = TypeVar("Item")


def restoration(asked: Asked) -> Table:
    """Restored photos against their clean originals, by level of damage; pictures and sheets go to the output, too."""
    from facerecon.pipeline import FaceReconstructor
    from train.restoration.evaluate import benchmark

    data = _need(asked.data, "degradations.csv")
    folder = asked.output / "restoration_pictures"
    folder.mkdir(parents=True, exist_ok=True)
    values = benchmark(FaceReconstructor.from_pretrained(asked.device), data, folder, asked.limit, asked.peers)
    photos = "all" if asked.limit is None else f"about {asked.limit}"
    return table_of(asked.name, "Restoration", values, f"Inside the face boxes of {photos} photos of {data.name}.")


def restoration_choices(asked: Asked) -> Table:
    """Gain in dB with and without the face's surroundings, and how like itself a clean photo stays."""
    from facerecon.images import load_image
    from facerecon.metrics import psnr
    from facerecon.pipeline import FaceReconstructor, NoFaceError
    from facerecon.restoration.photo import paste_faces
    from train.restoration.evaluate import read_samples
    from train.restoration.report import groups

    pipeline = FaceReconstructor.from_pretrained(asked.device)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seen: set[Path] = set()
    for sample in read_samples(_need(asked.data, "degradations.csv"), asked.limit):
        clean, photo, kind = load_image(sample.clean), load_image(sample.file), groups(sample.name)["photos"]
        truth = sample.inside(clean)
        try:
            wide = pipeline.restore(photo, fidelity=1.0)
            alone = paste_faces(photo, [replace(face, surroundings=None) for face in wide.faces], 1)
            before = psnr(sample.inside(photo), truth)
            row = found[f"{kind}, {sample.level}"]
            row["face_alone_db"].append(psnr(sample.inside(alone), truth) - before)
            row["with_surroundings_db"].append(psnr(sample.inside(wide.image), truth) - before)
            if sample.clean not in seen:
                seen.add(sample.clean)
                found[f"{kind}, clean"]["to_itself_db"].append(psnr(pipeline.restore(clean, fidelity=0.7).image, clean))
        except NoFaceError:
            continue
    values = {
        name: {"photos": len(next(iter(row.values()))), **{key: float(np.mean(v)) for key, v in row.items()}, "worst_db": float(min(min(v) for v in row.values()))}
        for name, row in sorted(found.items())
    }
    return table_of(asked.name, "Restoration: choices", values, "Gain in PSNR inside the face box at fidelity 1; clean photos at 0.7.")


def identity(asked: Asked) -> Table:
    """Verification of pairs of faces, clean and damaged."""
    from facerecon.identity import IdentityEncoder
    from train.identity.evaluate import milliseconds, verification

    data, encoder = _need(asked.data, "LFW/pairs.csv"), IdentityEncoder.from_pretrained(device=asked.device)
    values = {"verification": verification(encoder, data / "LFW", limit=asked.limit), "milliseconds": milliseconds(encoder)}
    return table_of(asked.name, "Identity", values, "Pairs of LFW's development test, ten folds.")


def clusters(asked: Asked) -> Table:
    """Photos grouped by person, and time and memory for 10,000 made-up faces."""
    from facerecon.identity import ClusterSettings, IdentityEncoder
    from train.identity.evaluate_clusters import embeddings, measure, strain

    data = _need(asked.data, "LFW")
    vectors, people = embeddings(IdentityEncoder.from_pretrained(device=asked.device), data / "LFW", asked.limit)
    values = measure(vectors, people, ClusterSettings())
    if asked.limit is None:
        values["strain"] = strain()
    return table_of(asked.name, "Grouping by person", values)


def demographics(asked: Asked) -> Table:
    """Age, gender and ancestry against the labels of UTKFace or FairFace, by group."""
    from facerecon.demographics.estimator import DemographicsEstimator
    from facerecon.demographics.labels import RACE_SYSTEMS
    from train.data import open_dataset
    from train.demographics.evaluate import found_faces, measure, speed

    data = _need(asked.data)
    system = next((name for name in RACE_SYSTEMS if name in data.name.lower()), None)
    if system is None:
        raise FaceReconError(f"The folder {data.name} should be called after its dataset: {' or '.join(RACE_SYSTEMS)}.")
    pack = open_dataset(system, data)
    pack.names = spread(pack.names, asked.limit)
    estimator = DemographicsEstimator.from_pretrained(device=asked.device)
    estimates = estimator.predict([pack.image(i) for i in range(len(pack))], found_faces(pack, None))
    values = measure(estimates, [pack.labels(i) for i in range(len(pack))], system)
    return table_of(f"demographics_{system}", f"Demographics, {system}", {**values, "milliseconds": speed(estimator)})


def reconstruction(asked: Asked) -> Table:
    """A benchmark of ``train.reconstruction.evaluate``."""
    from facerecon.reconstruction.reconstructor import HeadReconstructor
    from train.reconstruction.evaluate import run

    data = _need(asked.data)
    if asked.name == "landmarks":
        data = data if (data / "landmarks68.csv").exists() else _need(data, "YTF/landmarks68.csv") / "YTF"
    if asked.name == "people" and (data / "LFW").is_dir():
        data = data / "LFW"
    rendered = data if asked.name == "shape" or (data / "images.npy").exists() else None
    values = run(asked.name, HeadReconstructor.from_pretrained(device=asked.device), data, rendered, asked.limit)
    return table_of(asked.name, f"Reconstruction: {asked.name}", values)


def detector(asked: Asked) -> Table:
    """Our face detector, with its landmarks' say and without, beside MTCNN on composed scenes."""
    from facerecon.faces.landmarker import FaceLandmarker
    from train.detector.evaluate import SMALLEST, WITH_LANDMARKS, maker, measure, read_test
    from train.detector.export import THRESHOLD

    images, truth = read_test(_need(asked.data, "truth.json"))
    landmarker, values = FaceLandmarker.from_pretrained(device=asked.device), {}
    for name in (f"facerecon{WITH_LANDMARKS}", "facerecon", "mtcnn"):
        made = maker(name, THRESHOLD)(min_face=SMALLEST, device=asked.device)
        found = measure(made, images[: asked.limit], truth[: asked.limit], landmarker)
        parts = {key: found.pop(key) for key in ("recall", "groups")}
        values[name] = found
        for part, rows in parts.items():
            for row, (share, faces) in rows.items():
                values.setdefault(f"{part} of {name}", {})[row] = {"percent": 100 * share, "faces": faces}
    return table_of(asked.name, "Face detection", values, f"Scenes of {asked.data}.")


def video(asked: Asked) -> Table:
    """Jitter, lag and error in two videos whose motion is known."""
    from facerecon.pipeline import FaceReconstructor
    from facerecon.video.benchmark import run

    pipeline, photo = FaceReconstructor.from_pretrained(asked.device), ROOT / "examples" / "hopper.jpg"
    values = run(pipeline, photo, asked.limit or VIDEO_FRAMES)
    note = "Degrees, percent of the face's size, percent of an expression's range; lags in frames."
    return table_of(asked.name, "Video", values, note)


def script(asked: Asked, title: str, module: str, arguments: Sequence[str] = ()) -> Table:
    """The table of a module that prints JSON when it is run.

    Raises:
        FaceReconError: it failed, with the last line it said.
    """
    places = {"data": asked.data and asked.data.resolve(), "output": asked.output.resolve()}  # it runs in another folder
    given = [argument.format(**places) for argument in arguments]
    given += [] if asked.limit is None else ["--limit", str(asked.limit)]
    ran = subprocess.run([sys.executable, "-m", module, *given], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    start = ran.stdout.find("{")
    if ran.returncode or start < 0:
        said = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
        raise FaceReconError(f"{module} could not be measured: {said.rstrip('.')}.")
    return table_of(asked.name, title.rstrip("."), json.JSONDecoder().raw_decode(ran.stdout[start:])[0])


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most ``limit`` of the items, evenly spread; all of them for None."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, limit)]


def _need(data: Path | None, inside: str = "") -> Path:
    """The folder of ``--data``; raises FaceReconError where it does not hold what is needed."""
    if data is None or not (data / inside).exists():
        raise FaceReconError(f"There is no {inside or 'data'} in {data}: give --data the folder that this table is measured on.")
    return data
