"""Photos of heads turned by half, turned further: profiles in photos, with landmarks that are known.

    python -m train.landmarks.profiles --crops runs/real --count 8000 --output runs/profiles

Labels of photos seen wholly from the side are not to be trusted, and rendered profiles are no photos. So a head is fitted to
a photo that labels do describe, every pixel gets that head's depth, and the picture is turned about the head's own axis: face
profiling, by which 300W-LP was made (Zhu, Lei, Liu, Shi and Li, CVPR 2016). What lies around the head turns the less the
further off it lies, so that the frame stays filled. The output is read as ``train.reconstruction.prerender``'s is.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor

from facerecon.devices import leave_cores_to_torch
from facerecon.metrics.landmarks import landmark_nme
from facerecon.reconstruction.camera import yaw_of
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.rendering import interpolate, pixel_vertices, rasterize
from facerecon.rendering.pictures import vertices_in_camera
from facerecon.types import FaceReconError, HeadParameters, Image
from train.command_line import command
from train.landmarks.data import face_of
from train.landmarks.turned import frontality

HALF_TURNED = (0.15, 0.75)  # frontality of heads that are turned on: some 10 to 40 degrees, whose labels are right
MOST = 0.015  # disagreement of the labeller with itself up to which its landmarks are taken
FITTED = 0.03  # of the face's size: how near a head must come to the landmarks
LABEL_ERROR = 0.01  # of the face's size: how far labels are expected to be off
PROFILE_YAW, LONGEST_TURN = (50.0, 90.0), 65.0  # degrees of the heads made, and how far one is turned on at most
STILL = 0.45  # of the photo's side: distance from the head at which almost nothing turns any more
BEHIND = 0.35  # how much deeper the surroundings lie a metre beside the head, metres
BATCH = 32


class Profiler:
    """Turns the heads of photos aside.

    Args:
        reconstructor: fits heads; the shipped one without metric shape by default.
    """

    def __init__(self, reconstructor: HeadReconstructor | None = None) -> None:
        if reconstructor is None:
            reconstructor = HeadReconstructor.from_pretrained(metric=False)
            reconstructor.estimator = None  # puts people into words, which nobody reads here
        self.reconstructor = reconstructor

    def fit(self, images: list[Image], landmarks: np.ndarray) -> list[HeadParameters | None]:
        """Heads of photos with landmarks (N, 68, 2); None where none comes near enough to them."""
        sizes = np.sqrt((landmarks.max(1) - landmarks.min(1)).prod(1))
        faces = [face_of(points, np.full(68, LABEL_ERROR * size, np.float32)) for points, size in zip(landmarks, sizes)]
        heads = self.reconstructor.encode(images, faces)
        errors = landmark_nme(np.stack([self.reconstructor.geometry(head)[1] for head in heads]), landmarks)
        return [head if error < FITTED else None for head, error in zip(heads, errors)]

    @torch.inference_mode()
    def turn(self, image: Image, parameters: HeadParameters, degrees: float) -> tuple[Image, HeadParameters]:
        """The photo (H, W, 3) with its head turned on, and that head.

        Args:
            image: the photo.
            parameters: its head.
            degrees: about the head's upright axis, positive as yaw is.
        """
        vertices, _ = self.reconstructor.geometry(parameters)
        shape, focal = image.shape[:2], float(parameters.focal_px)
        inside, depth = self._depth(vertices, parameters, shape)
        away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5) / max(shape)
        points = _unproject(depth, focal, parameters.principal_point)
        around = _unproject(depth + BEHIND * away * depth * max(shape) / focal, focal, parameters.principal_point)
        fades = np.exp(-((away / (STILL / 2)) ** 2))
        within = cv2.erode(inside.astype(np.uint8), np.ones((3, 3))) > 0  # its outermost pixels show what is behind it
        out = np.array(image)
        for picture, seen in (
            _draw(_fill(image, inside), _turned(around, parameters, degrees * fades), np.ones(shape, bool), parameters, cull=False),
            _draw(image, _turned(points, parameters, np.full(shape, degrees)), within, parameters),
        ):
            out[seen] = picture[seen]
        turned = replace(parameters, rotation=(parameters.rotation @ _about_y(np.array(degrees))).astype(np.float32))
        return out, turned

    def _depth(self, vertices: np.ndarray, parameters: HeadParameters, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Where the head is seen (H, W), and depths (H, W) in metres: the head's, and beside it those of its nearest edge."""
        head, seen = self.reconstructor.head, _projected(vertices_in_camera(vertices, parameters), parameters)
        fragments = rasterize(seen, head.faces, *shape)
        inside = fragments.mask[0].numpy()
        depth = interpolate(seen[..., 2:], head.faces, fragments)[0, ..., 0].numpy()
        _, nearest = cv2.distanceTransformWithLabels((~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        of_label = np.zeros(nearest.max() + 1, np.float32)
        of_label[nearest[inside]] = depth[inside]
        beside = cv2.GaussianBlur(of_label[nearest], (0, 0), max(shape) / 40)
        return inside, np.where(inside, depth, beside)


def _projected(points: np.ndarray, parameters: HeadParameters) -> Tensor:
    """Points (N, 3) of the camera frame as ``rasterize`` wants them, (1, N, 3)."""
    principal = torch.from_numpy(np.asarray(parameters.principal_point, np.float32))[None]
    return pixel_vertices(torch.from_numpy(points.astype(np.float32))[None], torch.tensor([parameters.focal_px]), principal)


def _unproject(depth: np.ndarray, focal: float, principal: np.ndarray) -> np.ndarray:
    """Points (H, W, 3) of the camera frame, metres."""
    v, u = np.indices(depth.shape)
    return np.stack(((u - principal[0]) * depth / focal, -(v - principal[1]) * depth / focal, -depth), -1).astype(np.float32)


def _about_y(degrees: np.ndarray) -> np.ndarray:
    """Turns (..., 3, 3) about the head's upright axis."""
    c, s, zero, one = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), np.zeros_like(degrees), np.ones_like(degrees)
    return np.stack((np.stack((c, zero, s), -1), np.stack((zero, one, zero), -1), np.stack((-s, zero, c), -1)), -2)


def _turned(points: np.ndarray, parameters: HeadParameters, degrees: np.ndarray) -> np.ndarray:
    """Points (H, W, 3) of the camera frame, each turned about the head's axis by its own angle."""
    rotation = np.asarray(parameters.rotation, np.float64)
    arms = (points - parameters.translation_m) @ rotation
    return np.einsum("hwij,hwj->hwi", _about_y(degrees), arms) @ rotation.T + parameters.translation_m


def _draw(
    image: Image, points: np.ndarray, used: np.ndarray, parameters: HeadParameters, cull: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) whose pixels have moved to ``points``, as a mesh of those ``used``, and where it has any."""
    height, width = used.shape
    at = np.arange(height * width).reshape(height, width)
    squares = used[:-1, :-1] & used[1:, :-1] & used[:-1, 1:] & used[1:, 1:]
    a, b, c, d = (part[squares] for part in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    faces = torch.from_numpy(np.concatenate((np.stack((a, b, c), 1), np.stack((a, c, d), 1))))
    fragments = rasterize(_projected(points.reshape(-1, 3), parameters), faces, height, width, cull_backfaces=cull)
    v, u = np.indices(used.shape)
    places = torch.from_numpy(np.stack((u, v), -1).reshape(1, -1, 2).astype(np.float32))
    found = interpolate(places, faces, fragments)[0].numpy()
    return cv2.remap(image, found[..., 0], found[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), fragments.mask[0].numpy()


def _fill(image: Image, hole: np.ndarray) -> Image:
    """The picture with a hole filled smoothly from around it."""
    hole = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5))) > 0
    filled, empty = np.zeros(image.shape, np.float32), np.ones(hole.shape, bool)
    for sigma in (2, 4, 8, 16, 32, 64):
        near = cv2.GaussianBlur((~hole).astype(np.float32), (0, 0), sigma)
        colour = cv2.GaussianBlur(image * (~hole[..., None]).astype(np.float32), (0, 0), sigma)
        known = empty & (near > 0.05)
        filled[known] = colour[known] / near[known, None]
        empty &= ~known
    filled[empty] = image[~hole].mean(0) if (~hole).any() else 128
    smooth = cv2.GaussianBlur(filled, (0, 0), 2)
    return np.where(hole[..., None], smooth, image).astype(np.uint8)


def chosen(labels: dict[str, np.ndarray]) -> np.ndarray:
    """Rows of photos whose heads can be turned on."""
    turned = frontality(labels["landmarks"])
    return np.flatnonzero((turned > HALF_TURNED[0]) & (turned < HALF_TURNED[1]) & (labels["disagreement"] <= MOST))


_profiler: Profiler | None = None
_photos: tuple[np.ndarray, np.ndarray]


def _start(crops: Path) -> None:
    global _profiler, _photos
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    _profiler = Profiler()
    _photos = np.load(crops / "images.npy", mmap_mode="r"), np.load(crops / "labels.npz")["landmarks"]


def _make(job: tuple[int, np.ndarray]) -> list[tuple[Image, np.ndarray, np.ndarray]]:
    """The photos of some rows (N,), turned, with landmarks and rotation; those without a head that fits are left out."""
    seed, rows = job
    images, made = [np.array(_photos[0][i]) for i in rows], []
    for i, image, head in zip(rows, images, _profiler.fit(images, _photos[1][rows])):
        if head is not None:
            rng = np.random.default_rng((seed, i))
            yaw = math.degrees(float(yaw_of(torch.from_numpy(head.rotation)[None])))
            turned, there = _profiler.turn(image, head, math.copysign(min(rng.uniform(*PROFILE_YAW) - abs(yaw), LONGEST_TURN), yaw))
            made.append((turned, _profiler.reconstructor.geometry(there)[1], there.rotation))
    return made


def profiles(crops: Path, output: Path, count: int, seed: int, workers: int) -> int:
    """Writes up to ``count`` turned photos; returns how many there are.

    Raises:
        FaceReconError: none of the photos is turned by half and fitted by a head.
    """
    rows = np.random.default_rng(seed).permutation(chosen(dict(np.load(crops / "labels.npz"))))[: 2 * count]
    jobs = [(seed, rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    made: list[tuple[Image, np.ndarray, np.ndarray]] = []
    leave_cores_to_torch()
    with get_context("spawn").Pool(workers, _start, (crops,)) as pool, Progress() as bar:
        task = bar.add_task("Turning heads", total=count)
        for part in pool.imap(_make, jobs):
            made += part
            bar.update(task, completed=min(len(made), count))
            if len(made) >= count:
                break
    if not made:
        raise FaceReconError(f"{crops.name} holds no photo of a head turned by 10 to 40 degrees that a head could be fitted to.")
    images, landmarks, rotation = zip(*made[:count])
    output.mkdir(parents=True, exist_ok=True)
    np.save(output / "images.npy", np.stack(images))
    np.savez(output / "labels.npz", landmarks=np.stack(landmarks).astype(np.float32), rotation=np.stack(rotation))
    return len(images)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, required=True, help="what train.landmarks.label wrote")
    parser.add_argument("--output", type=Path, default=Path("runs/profiles"))
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    print(f"{profiles(args.crops, args.output, args.count, args.seed, args.workers)} photos of heads seen from the side")


if __name__ == "__main__":
    command(main)
