"""Reconstructed heads against scans (NoW, REALY) and against datasets with landmarks and pose.

``now_benchmark`` and ``realy_benchmark`` need the datasets; ``now_synthetic`` runs NoW's protocol
on rendered people, whose true heads stand for the scans.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from facerecon.metrics.landmarks import landmark_nme
from facerecon.metrics.scans import REGIONS, SEVEN, region_errors, scan_distances, summary
from facerecon.reconstruction.camera import yaw_of
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.types import Face, FaceReconError, HeadParameters
from train.data import open_dataset
from train.data.mat_landmarks import pose_errors
from train.data.scans import NOW_CHALLENGES, box_face, now_photos, read_obj, read_pp, realy_people
from train.landmarks.data import read_image, to_unit
from train.reconstruction.evaluate import find_faces

NOW_PEOPLE = 100  # rendered, by default
SCAN_NOISE_MM = 0.2
AFLW_YAWS = ((0, 30), (30, 60), (60, 90))
SCUT_POINTS = {
    11: 8, 46: 36, 42: 39, 54: 42, 50: 45, 66: 33, 79: 48, 73: 54, 78: 49, 77: 50, 76: 51, 75: 52, 74: 53,
}  # fmt: skip
"""Points of SCUT-FBP5500 that are iBUG's, too: chin, eye corners, base of the nose, upper lip with its corners."""


@torch.inference_mode()
def neutral_mesh(reconstructor: HeadReconstructor, parameters: HeadParameters) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) of the person without expression, millimetres, and the seven landmarks of NoW (7, 3)."""
    head = reconstructor.head
    identity = torch.from_numpy(np.asarray(parameters.identity, np.float32))[None]
    vertices = head.vertices(identity, None, head.mean_weights(parameters))
    return vertices[0].numpy() * 1000.0, head.landmarks(vertices)[0].numpy()[list(SEVEN)] * 1000.0


def skin_faces(reconstructor: HeadReconstructor) -> np.ndarray:
    """(F, 3) triangles of the skin; eyeballs and teeth are no part of a scan's surface."""
    faces = reconstructor.head.faces.cpu().numpy()
    return faces[reconstructor.head.masks["skin"].cpu().numpy()[faces].all(1)]


def now_benchmark(
    reconstructor: HeadReconstructor, root: Path, split: str = "validation", metrical: bool = False, limit: int | None = None
) -> dict:
    """The NoW challenge: scan-to-mesh distances of neutral heads, over all photos and for each challenge.

    Args:
        root: the dataset, see ``train.data.scans.now_photos``.
        metrical: keep the heads' own size.
        limit: the first so many photos.
    """
    photos, faces = now_photos(root, split)[:limit], skin_faces(reconstructor)
    distances: dict[str, list[np.ndarray]] = {name: [] for name in NOW_CHALLENGES}
    for photo in photos:
        image = read_image(photo.image)
        face = _face_in(image, photo.box)
        vertices, marks = neutral_mesh(reconstructor, reconstructor.encode([image], [face])[0])
        scan, truth = read_obj(photo.scan)[0], read_pp(photo.landmarks)
        distances.setdefault(photo.challenge, []).append(scan_distances(scan, truth, vertices, faces, marks, metrical))
    every = [part for found in distances.values() for part in found]
    return {**summary(every), "challenges": {name: summary(found) for name, found in distances.items() if found}}


def _face_in(image: np.ndarray, box: np.ndarray | None) -> Face:
    """The face of a photo that lies in the dataset's box, or where the box is."""
    if box is None:
        return find_faces([image])[0][0]
    x0, y0, x1, y1 = (int(v) for v in box)
    margin = max(x1 - x0, y1 - y0) // 2
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    faces, missed = find_faces([image[top : y1 + margin, left : x1 + margin]])
    if missed:
        return box_face(box)
    return Face(faces[0].box + (left, top, left, top), faces[0].points + np.float32((left, top)), faces[0].score)


@torch.inference_mode()
def now_synthetic(reconstructor: HeadReconstructor, folder: Path, count: int = NOW_PEOPLE, metrical: bool = False) -> dict:
    """NoW's protocol on rendered faces of ``train.reconstruction.prerender``: the true neutral head is the scan."""
    images, labels = np.load(folder / "images.npy", mmap_mode="r"), dict(np.load(folder / "labels.npz"))
    head, faces, rng = reconstructor.head, skin_faces(reconstructor), np.random.default_rng(0)
    crops = to_unit(torch.from_numpy(np.array(images[:count])), reconstructor.dtype)
    code = reconstructor.encoder(crops.to(reconstructor.device))
    found = head.vertices(code.identity.cpu(), None, head.encode_demographics(code.age.cpu(), code.gender.cpu(), code.ancestry.cpu()))
    truth = {key: torch.from_numpy(labels[key][:count]) for key in ("identity", "age", "gender", "ancestry")}
    real = head.vertices(truth["identity"], None, head.encode_demographics(truth["age"], truth["gender"], truth["ancestry"]))
    marks, true_marks = (head.landmarks(v)[:, list(SEVEN)].numpy() * 1000 for v in (found, real))
    skin = head.masks["skin"].numpy()
    distances = [
        scan_distances(scan + rng.normal(0, SCAN_NOISE_MM, scan.shape), b, mesh, faces, a, metrical)
        for mesh, scan, a, b in zip(found.numpy() * 1000, real[:, skin].numpy() * 1000, marks, true_marks)
    ]
    return summary(distances)


def realy_benchmark(reconstructor: HeadReconstructor, root: Path, images: Path) -> dict:
    """REALY: error of each region, mm, mean over photos; see ``facerecon.metrics.scans.region_errors``."""
    faces, errors = skin_faces(reconstructor), {name: [] for name in REGIONS}
    head = reconstructor.head
    for person in realy_people(root, images):
        for path in person.images:
            image = read_image(path)
            parameters = reconstructor.encode([image], find_faces([image])[0])[0]
            vertices = neutral_mesh(reconstructor, parameters)[0]
            with torch.inference_mode():
                marks = head.landmarks(torch.from_numpy(vertices.astype(np.float32))[None])[0].numpy()
            found = region_errors(person.regions, person.keypoints, vertices, faces, marks, person.scale_mm)
            for name, value in found.items():
                errors[name].append(value)
    means = {f"{name}_mm": float(np.mean(values)) for name, values in errors.items()}
    return {"photos": len(errors[REGIONS[0]]), **means, "all_mm": float(np.mean(list(means.values())))}


def aflw2000_benchmark(
    reconstructor: HeadReconstructor, root: Path, layout: str = "aflw2000_3d", limit: int | None = None
) -> dict:
    """AFLW2000-3D, or 300W-LP: 68 landmarks over the box, by yaw, and head pose in degrees; of the first ``limit`` photos."""
    pack = open_dataset(layout, root)
    pack.names = pack.names[:limit]
    errors, turns, truth = [], [], []
    for i in range(len(pack)):
        image, labels = pack.image(i), pack.labels(i)
        parameters = reconstructor.encode([image], find_faces([image])[0])[0]
        errors.append(float(landmark_nme(reconstructor.geometry(parameters)[1], labels.landmarks)) * 100)
        turns.append(parameters.rotation)
        truth.append(labels.rotation)
    rotations, values = np.stack(truth), np.array(errors)
    yaw = np.abs(np.degrees(yaw_of(torch.from_numpy(rotations)).numpy()))
    groups = {f"yaw_{a}_{b}": values[(yaw >= a) & (yaw < b)] for a, b in AFLW_YAWS}
    means = {name: float(group.mean()) for name, group in groups.items() if len(group)}
    return {"faces": len(values), "nme_percent": means, "balanced_percent": float(np.mean(list(means.values()))),
            "pose_degrees": pose_errors(np.stack(turns), rotations)}  # fmt: skip


def scut_benchmark(reconstructor: HeadReconstructor, root: Path, limit: int | None = None) -> dict:
    """Landmarks that SCUT-FBP5500 and iBUG share, as shares of the distance between the outer eye corners."""
    pack = open_dataset("scut_fbp5500", root)
    rows = [i for i in range(len(pack)) if pack.labels(i).landmarks is not None][:limit]
    if not rows:
        raise FaceReconError(f"There are no photos with landmarks in {root}.")
    images, truth = [pack.image(i) for i in rows], np.stack([pack.labels(i).landmarks for i in rows])
    faces, missed = find_faces(images)
    found = np.stack([reconstructor.geometry(p)[1] for p in reconstructor.encode(images, faces)])
    theirs, ours = list(SCUT_POINTS), list(SCUT_POINTS.values())
    between = np.linalg.norm(truth[:, 46] - truth[:, 50], axis=1)
    off = np.linalg.norm(found[:, ours] - truth[:, theirs], axis=2) / between[:, None] * 100
    return {
        "faces": len(rows), "not_found": missed, "points": len(ours), "mean_percent": float(off.mean()),
        "median_percent": float(np.median(off.mean(1))),
        "by_point": {str(mark): round(float(value), 2) for mark, value in zip(ours, off.mean(0))},
    }  # fmt: skip
