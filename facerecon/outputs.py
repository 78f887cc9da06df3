"""The files a result becomes. The command line and the page both write them here.

Names and the keys of ``parameters/*.json`` are documented in docs/OUTPUTS.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from facerecon.export import Clip, export_head
from facerecon.export.obj import write_plain_obj
from facerecon.faces.align import reconstruction_matrix, warp
from facerecon.head.bases import LinearBasis, fit_basis
from facerecon.head.hair import bald_vertices, without_neck
from facerecon.images import atomic_write, save_image
from facerecon.output_names import CROP_SIDE
from facerecon.rendering.pictures import overlay_head, render_head, vertices_in_camera
from facerecon.rendering.turntable import turntable_frames, write_video
from facerecon.restoration.photo import enlarge
from facerecon.restoration.scoring import doubts
from facerecon.scaling import shrink_to, size_within
from facerecon.types import CROP_SCALE, Image, Reconstruction, Restoration

COMPARISON_SIDE = 1200  # pixels, the longer side of each half
GEOMETRY_SIDE = 768
OVERLAY_OPACITY = 0.85
TURNTABLE_SIDE = 384


def write_restoration(
    folder: Path, name: str, photo: Image, restoration: Restoration, comparison: bool = False, only_faces: bool = False
) -> list[Path]:
    """Writes the restored photo (but for ``only_faces``), the restored faces and, if asked for, before and after side by side."""
    files = []
    if not only_faces:
        files.append(folder / "restored" / f"{name}.png")
        _save(files[-1], restoration.image)
    for face in restoration.faces:
        files.append(folder / "faces" / f"{name}_{face.index:02d}_restored.png")
        _save(files[-1], face.restored)
    if comparison:
        files.append(folder / "comparisons" / f"{name}_compare.jpg")
        _save(files[-1], side_by_side(enlarge(photo, restoration.upscale), restoration.image))
    return files


def write_head(
    folder: Path, name: str, head: Reconstruction, model: Any, formats: Iterable[str], clip: Clip | None = None
) -> list[Path]:
    """Writes one reconstruction of a head ``model`` in the formats asked for; OBJ brings its MTL and PNG, GLB the clip."""
    stem = folder / "heads" / f"{name}_{head.index:02d}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    return [Path(path) for path in export_head(stem, head, model, list(formats), clip)]


def write_pictures(
    folder: Path,
    name: str,
    photo: Image,
    head: Reconstruction,
    model: Any,
    pictures: Iterable[str],
    crop_size: int = CROP_SIDE,
    crop_scale: float = CROP_SCALE,
    on_frame: Callable[[float], None] | None = None,
) -> list[Path]:
    """Writes the pictures asked for.

    ``"overlay"`` lies on the photo; ``"geometry"`` (clay), ``"texture"``, ``"normals"`` and ``"depth"`` show the
    head alone in the photo's pose; ``"crop"`` is the part of the photo that the encoder saw, ``crop_size`` pixels
    a side; ``"turntable"`` is a video, and ``on_frame`` hears which share of its frames is drawn.
    """
    stem = f"{name}_{head.index:02d}"
    files = []
    for picture in pictures:
        file = folder / "renders" / f"{stem}_{picture}{'.mp4' if picture == 'turntable' else '.png'}"
        if picture == "overlay":
            _save(file, overlay_picture(photo, head, model))
        elif picture == "crop":
            _save(file, crop_picture(photo, head, crop_size, crop_scale))
        elif picture != "turntable":
            _save(file, head_picture(head, model, picture))
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            mode = "geometry" if head.texture is None else "texture"
            frames = turntable_frames(
                head.vertices, model, TURNTABLE_SIDE, texture=head.texture, mode=mode, normal_map=relief_of(head), on_frame=on_frame
            )
            write_video(file, frames)
        files.append(file)
    return files


def write_parameters(
    folder: Path, name: str, photo: Image, head: Reconstruction, model: Any, versions: dict[str, str]
) -> Path:
    """Writes ``parameters/NAME_00.json``."""
    file = folder / "parameters" / f"{name}_{head.index:02d}.json"
    write_json(file, parameters(photo, head, model, versions))
    return file


def write_basis(folder: Path, name: str, head: Reconstruction, model: Any, basis: LinearBasis) -> list[Path]:
    """Writes a head without its hair as a mesh of another head model, ``heads/NAME_00_KIND.obj``, and its coefficients."""
    stem = folder / "heads" / f"{name}_{head.index:02d}_{basis.kind}"
    fit = fit_basis(basis, head.vertices if head.parameters.hair is None else bald_vertices(head.parameters, model), model)
    stem.parent.mkdir(parents=True, exist_ok=True)
    return [write_plain_obj(stem.with_name(f"{stem.name}.obj"), fit.vertices, basis.faces), fit.write(stem)]


def write_codes(folder: Path, name: str, head: Reconstruction, model: Any) -> Path:
    """Writes ``codes/NAME_00.npz``: all that makes the head, as arrays in full precision."""
    file, p = folder / "codes" / f"{name}_{head.index:02d}.npz", head.parameters
    weights = model.mean_weights(p)[0].cpu().numpy()
    arrays = {
        "identity": p.identity, "expression": p.expression, "mean_weights": weights, "rotation": p.rotation,
        "translation_m": p.translation_m, "focal_px": p.focal_px, "principal_point": p.principal_point,
        "lighting": p.lighting, "landmarks_68": head.landmarks_68, "vertices": head.vertices,
    }  # fmt: skip
    if p.hair is not None:
        arrays["hair"] = p.hair
    if head.detail is not None:
        arrays["displacement_m"] = head.detail.displacement_m
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, **{key: np.asarray(value, np.float32) for key, value in arrays.items()})
    return file


def parameters(photo: Image, head: Reconstruction, model: Any, versions: dict[str, str]) -> dict[str, Any]:
    """A reconstruction as plain values: pixels of the photo, metres, degrees."""
    p = head.parameters
    known = p.demographics
    return {
        "image_size": [photo.shape[1], photo.shape[0]],
        "landmarks_68": _numbers(head.landmarks_68, 2),
        "box": _numbers(head.face.box, 2),
        "head_pose_degrees": {key: round(value, 3) for key, value in pose_degrees(p.rotation).items()},
        "camera": {
            "focal_px": round(float(p.focal_px), 3),
            "principal_point": _numbers(p.principal_point, 3),
            "translation_m": _numbers(p.translation_m, 6),
        },
        "identity": dict(zip(model.identity_labels, _numbers(p.identity, 5), strict=True)),
        "expression": dict(zip(model.expression_labels, _numbers(p.expression, 5), strict=True)),
        "demographics": {
            "age": None if known.age is None else round(float(known.age), 1),
            "gender": known.gender,
            "race": known.race,
            "ethnicity": known.ethnicity,
            "source": known.source,
        },
        "mean_weights": _numbers(model.mean_weights(p)[0], 6),
        "lighting": _numbers(p.lighting, 5),
        "hair": None if p.hair is None else _numbers(p.hair, 6),
        "quality": plain(head.quality),
        "model_versions": dict(versions),
        "seconds": {key: round(float(value), 4) for key, value in head.seconds.items()},
    }


def pose_degrees(rotation: np.ndarray) -> dict[str, float]:
    """Yaw, pitch and roll of a head-to-camera rotation (3, 3).

    Positive yaw turns the nose to the right of the picture, positive pitch raises it,
    positive roll leans the head anticlockwise in the picture. The rotation is
    ``Rz(roll) @ Rx(-pitch) @ Ry(yaw)``: turn first, then nod, then lean.
    """
    r = np.asarray(rotation, np.float64)
    pitch = np.arcsin(np.clip(-r[2, 1], -1, 1))
    yaw = np.arctan2(-r[2, 0], r[2, 2])
    roll = np.arctan2(-r[0, 1], r[1, 1])
    return {key: float(np.degrees(v)) for key, v in (("yaw", yaw), ("pitch", pitch), ("roll", roll))}


def write_json(path: Path, values: Any) -> None:
    """Writes JSON that reads well, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        Path(temporary).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Scores with numbers rounded for a file."""
    return {k: round(float(v), 4) if isinstance(v, (int, float, np.number)) else v for k, v in values.items()}


def restoration_figures(restoration: Restoration) -> dict[str, Any]:
    """What ``restoration_stats.json`` says of a photo."""
    faces = [
        {
            "index": face.index,
            "box": _numbers(face.face.box, 2),
            "score": round(float(face.face.score), 4),
            **plain(face.quality),
            "doubts": doubts(face.quality),
        }
        for face in restoration.faces
    ]
    height, width = restoration.image.shape[:2]
    return {"width": width, "height": height, "faces": faces}


def reconstruction_figures(heads: list[Reconstruction], model: Any) -> dict[str, Any]:
    """What ``reconstruction_stats.json`` says of a photo."""
    entries = [
        {
            "index": head.index,
            "box": _numbers(head.face.box, 2),
            "head_pose_degrees": {key: round(value, 3) for key, value in pose_degrees(head.parameters.rotation).items()},
            **plain(head.quality),
        }
        for head in heads
    ]
    return {"vertices": len(heads[0].vertices), "triangles": len(model.faces), "heads": entries}


def overlay_picture(photo: Image, head: Reconstruction, model: Any) -> Image:
    """The head in clay over the photo, with its hair and without its neck, so that one sees how well it fits."""
    region = without_neck(head.vertices, head.parameters.hair, model)
    return overlay_head(
        photo, head.vertices, head.parameters, model, opacity=OVERLAY_OPACITY, region=region, normal_map=relief_of(head)
    )


def head_picture(head: Reconstruction, model: Any, mode: str) -> Image:
    """The head alone, posed as in the photo, in a mode of ``render_head``; without a texture it is clay."""
    mode = "geometry" if mode == "texture" and head.texture is None else mode
    points = vertices_in_camera(head.vertices, head.parameters)
    return render_head(points, model, GEOMETRY_SIDE, texture=head.texture, mode=mode, normal_map=relief_of(head))


def relief_of(head: Reconstruction) -> Image | None:
    """The normal map of a head, where it has one."""
    return None if head.detail is None else head.detail.normal_map


def crop_picture(photo: Image, head: Reconstruction, size: int = CROP_SIDE, scale: float = CROP_SCALE) -> Image:
    """The part of the photo that the encoder saw, upright, ``size`` pixels a side."""
    return warp(photo, reconstruction_matrix(head.face.points, size, scale), size)


def side_by_side(before: Image, after: Image) -> Image:
    """Before at the left, after at the right, shrunk to at most ``COMPARISON_SIDE`` a half."""
    size = size_within(after, COMPARISON_SIDE)
    halves = [shrink_to(half, size) for half in (before, after)]
    gap = np.full((size[1], 8, 3), 255, np.uint8)
    return np.hstack([halves[0], gap, halves[1]])


def _save(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(path, image)


def _numbers(values: Any, digits: int) -> list[Any]:
    return np.round(np.asarray(values, np.float64), digits).tolist()
