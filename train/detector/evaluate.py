"""Face detectors side by side on the composed test.

    python -m train.detector.evaluate --test runs/detector/test --detectors facerecon+landmarks facerecon mtcnn

Prints a table by size and turn, and the recall of each detector by group. A face is found when a box shares at
least ``FOUND`` of the union with it; every further box is false. The error of the five points counts found faces
over 24 pixels that are no profiles, in distances between the eyes; once as the detector gives them, once refined by the
landmarks. ``+landmarks`` after a name means the detector as the pipeline has it, with landmarks that refine its points and have a
say in which candidates are faces. Times are medians over whole photos, a fifth of the scenes, at the detectors' own
smallest face, the detectors taking turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.faces.boxes import overlaps
from facerecon.faces.detect import FaceDetector, create_detector
from facerecon.faces.landmarker import FaceLandmarker
from facerecon.faces.refined import RefinedDetector
from facerecon.types import Face, Image
from train.command_line import command
from train.detector.export import FOUND
from train.landmarks.data import read_image

SMALLEST = 10  # pixels, of faces that the detectors look for
TIMED = 5  # every so many scenes is timed
ROWS = {"12-24 px": (0.0, 24.0), "24-60 px": (24.0, 60.0), "over 60 px": (60.0, np.inf)}
WITH_LANDMARKS = "+landmarks"
GROUPS = ("race", "age", "yaw", "pack")


class YuNet:
    """OpenCV's YuNet (Wu et al., 2023), for comparison, from a model file that the user has."""

    def __init__(self, path: str, threshold: float = 0.85) -> None:
        self._network = cv2.FaceDetectorYN.create(path, "", (320, 320), threshold)

    def detect(self, image: Image) -> list[Face]:
        """The faces of a photo."""
        self._network.setInputSize(image.shape[1::-1])
        found = self._network.detect(np.ascontiguousarray(image[..., ::-1]))[1]
        rows = found if found is not None else np.zeros((0, 15))
        return [Face(np.r_[r[:2], r[:2] + r[2:4]].astype(np.float32), r[4:14].reshape(5, 2).astype(np.float32), float(r[14])) for r in rows]


def measure(
    detector: FaceDetector, images: list[Image], truth: list[dict], landmarker: FaceLandmarker | None = None
) -> dict:
    """What a detector finds in all scenes; with a landmarker, how well that places the points as well.

    Of a ``RefinedDetector`` points are refined once, by itself.
    """
    hits: dict[str, list[bool]] = defaultdict(list)
    groups: dict[str, list[bool]] = defaultdict(list)
    errors, refined, false, empty_false = [], [], [], []
    for image, scene in zip(images, truth, strict=True):
        faces = detector.detect(image)
        taken: set[int] = set()
        for known in scene["faces"]:
            best = _match(known, faces, taken)
            hits[_row(known, scene["bad"])].append(best is not None)
            for group in GROUPS:
                if group in known["facts"]:
                    groups[f"{group}: {known['facts'][group]}"].append(best is not None)
            if best is not None:
                taken.add(best)
                if known["size"] > 24 and known["facts"]["yaw"] != "profile":
                    errors.append(_point_error(known, faces[best]))
                    if isinstance(detector, RefinedDetector):
                        refined.append(errors[-1])
                    elif landmarker:
                        refined.append(_point_error(known, landmarker.refine(image, [faces[best]])[0]))
        false.append(len(faces) - len(taken))
        if not scene["faces"]:
            empty_false.append(len(faces))
    recall = {name: (float(np.mean(values)), len(values)) for name, values in sorted(hits.items())}
    for turn in ("upright", "turned"):
        large = [v for name, values in hits.items() if name.endswith(turn) and not name.startswith("12") for v in values]
        recall[f"all over 24 px, {turn}"] = (float(np.mean(large)), len(large))
    return {
        "recall": recall,
        "false_per_100_empty": 100 * float(np.mean(empty_false)),
        "false_per_100": 100 * float(np.mean(false)),
        "point_error_percent": 100 * float(np.mean(errors)) if errors else float("nan"),
        "refined_point_error_percent": 100 * float(np.mean(refined)) if refined else float("nan"),
        "groups": {name: (float(np.mean(values)), len(values)) for name, values in sorted(groups.items())},
    }


def maker(name: str, threshold: float) -> Callable[..., FaceDetector]:
    """What makes a detector by a name of the command line."""
    return partial(create_detector, name.removesuffix(WITH_LANDMARKS), threshold, refine=name.endswith(WITH_LANDMARKS))


def milliseconds(detectors: dict[str, FaceDetector], images: list[Image]) -> dict[str, float]:
    """Median times of a whole photo, after a few to warm up; each photo is given to all in turn, so that they share the machine alike."""
    seconds = defaultdict(list)
    for image in [*images[:3], *images]:
        for name, detector in detectors.items():
            began = time.perf_counter()
            detector.detect(image)
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * float(np.median(times[3:])) for name, times in seconds.items()}


def _row(known: dict, bad: bool) -> str:
    """Plain faces in ordinary photos by size and turn; what is covered or badly taken has rows of its own."""
    if known["facts"]["face"] == "covered":
        return "covered faces, any size"
    if bad:
        return f"bad photos, {'12-24' if known['size'] < 24 else 'over 24'} px"
    size = next(name for name, (low, high) in ROWS.items() if low <= known["size"] < high)
    return f"{size}, {'turned' if known['turned'] else 'upright'}"


def _match(known: dict, faces: list[Face], taken: set[int]) -> int | None:
    free = [i for i in range(len(faces)) if i not in taken]
    if not free:
        return None
    shares = overlaps([known["box"]], np.stack([faces[i].box for i in free]))[0]
    return free[int(shares.argmax())] if shares.max() >= FOUND else None


def _point_error(known: dict, face: Face) -> float:
    points = np.array(known["points"])
    return float(np.linalg.norm(face.points - points, axis=1).mean() / np.linalg.norm(points[1] - points[0]))


def read_test(folder: Path) -> tuple[list[Image], list[dict]]:
    """The scenes of ``train.detector.testset`` and their truth."""
    truth = json.loads((folder / "truth.json").read_text())
    return [read_image(folder / f"{i:03d}.png") for i in range(len(truth))], truth


def tables(results: dict[str, dict]) -> str:
    """Markdown: one column a detector."""
    names = list(results)
    first = results[names[0]]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row, (_, count) in first["recall"].items():
        lines.append(f"| recall, {row} ({count}) | " + " | ".join(f"{100 * results[n]['recall'][row][0]:.1f} %" for n in names) + " |")
    for key, title, form in (
        ("false_per_100_empty", "false boxes in 100 scenes without a face", "{:.1f}"),
        ("false_per_100", "false boxes a 100 scenes, all", "{:.1f}"),
        ("point_error_percent", "five points, of the eye distance", "{:.2f} %"),
        ("refined_point_error_percent", "the same, refined by the landmarks", "{:.2f} %"),
        ("ms", "time for 640 x 480, median", "{:.1f} ms"),
    ):
        lines.append(f"| {title} | " + " | ".join(form.format(results[n][key]) for n in names) + " |")
    lines += ["", "| recall by group | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for group, (_, count) in first["groups"].items():
        lines.append(f"| {group} ({count}) | " + " | ".join(f"{100 * results[n]['groups'][group][0]:.1f} %" for n in names) + " |")
    return "\n".join(lines)


def main() -> None:
    """The command line; prints Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", type=Path, required=True, help="folder of train.detector.testset")
    parser.add_argument("--detectors", nargs="+", default=["facerecon", "mtcnn"], help=f"names that create_detector knows, with {WITH_LANDMARKS} or without")
    parser.add_argument("--yunet", help="OpenCV's face_detection_yunet file, to measure it as well")
    parser.add_argument("--threshold", type=float, default=0.85)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    images, truth = read_test(args.test)
    makers = {name: maker(name, args.threshold) for name in args.detectors}
    if args.yunet:
        makers["yunet"] = lambda **_: YuNet(args.yunet, args.threshold)
    landmarker = FaceLandmarker.from_pretrained()
    results = {name: measure(make(min_face=SMALLEST), images, truth, landmarker) for name, make in makers.items()}
    for name, ms in milliseconds({name: make() for name, make in makers.items()}, images[::TIMED]).items():
        results[name]["ms"] = ms
    print(tables(results))


if __name__ == "__main__":
    command(main)
