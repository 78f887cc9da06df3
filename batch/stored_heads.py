"""Heads read back from what a run left: ``parameters/NAME_00.json`` and the texture beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from batch.sentences import in_short
from facerecon.head.hair import bald_vertices, checked_hair, grow_hair
from facerecon.images import load_image
from facerecon.types import Demographics, Face, FaceReconError, HeadParameters, Image, Reconstruction

PARAMETERS = "parameters"  # folder of an output folder


class StoredHeadError(FaceReconError):
    """A file that holds no head of ours, and why."""


def find_parameters(source: Path) -> Iterator[tuple[Path, str]]:
    """Every parameters file of an output folder (of its ``parameters``, or of a folder in there), or one file.

    Yields:
        The file, and the head's name: the file's path below ``parameters`` without its suffix.

    Raises:
        StoredHeadError: there is none.
    """
    root, asked = _parameters_folder(source), source.absolute()
    if source.is_file():
        yield source, asked.relative_to(root).with_suffix("").as_posix()
        return
    below, found = asked if asked.is_relative_to(root) else root, False
    for file in sorted(below.rglob("*.json")) if below.is_dir() else ():
        if not file.name.startswith(".") and not file.name.endswith("_stats.json"):
            found = True
            yield file, file.relative_to(root).with_suffix("").as_posix()
    if not found:
        raise StoredHeadError(f"There are no parameters/*.json in {source}.")


def output_folder(source: Path) -> Path:
    """The output folder that a source of :func:`find_parameters` is, or belongs to."""
    root = _parameters_folder(source)
    return root.parent if root.name == PARAMETERS else root


def _parameters_folder(source: Path) -> Path:
    """The folder that names of heads begin in; for strange folders the source itself."""
    source = source.absolute()
    if (source / PARAMETERS).is_dir():
        return source / PARAMETERS
    enclosing = (folder for folder in (source, *source.parents) if folder.name == PARAMETERS)
    return next(enclosing, source if source.is_dir() else source.parent)


def read_head(file: Path, model: Any, texture: Image | None = None) -> Reconstruction:
    """A head as its parameters have it.

    Args:
        file: a ``parameters/NAME_00.json`` (docs/OUTPUTS.md).
        model: the ``HeadModel`` it was made with.
        texture: (T, T, 3) uint8, see :func:`find_texture`.

    Raises:
        StoredHeadError: the file is no such file, or another head model's.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        parameters = _parameters(values, model)
        face = Face(np.array(values["box"], np.float32), np.zeros((5, 2), np.float32))
        landmarks = np.array(values["landmarks_68"], np.float32).reshape(68, 2)
    except OSError as error:
        raise StoredHeadError(f"{file} cannot be read: {error.strerror}.") from error
    except KeyError as error:
        raise StoredHeadError(f"{file.name} is no parameters file of this head model: it lacks {error}.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoredHeadError(f"{file.name} is no parameters file of this head model: {in_short(error)}.") from error
    vertices = grow_hair(bald_vertices(parameters, model), parameters.hair, model)
    index = file.stem.rpartition("_")[2]
    return Reconstruction(
        index=int(index) if index.isdecimal() else 0, face=face, parameters=parameters, vertices=vertices,
        landmarks_68=landmarks, texture=texture, quality=dict(values.get("quality", {})),
    )  # fmt: skip


def find_texture(stem: Path) -> Image | None:
    """The texture of ``heads/NAME_00``: from its PNG, else from its GLB; None where neither is there.

    Raises:
        ImageError: the PNG cannot be read.
        StoredHeadError: the GLB cannot be read.
    """
    picture, glb = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.glb")
    if picture.is_file():
        return load_image(picture)
    return _texture_of_glb(glb) if glb.is_file() else None


def rotation_from_degrees(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The head-to-camera rotation (3, 3) of ``outputs.pose_degrees``: ``Rz(roll) @ Rx(-pitch) @ Ry(yaw)``."""
    (cy, cx, cz), (sy, sx, sz) = (f(np.radians([yaw, -pitch, roll])) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    lean = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (lean @ nod @ turn).astype(np.float32)


def _parameters(values: dict[str, Any], model: Any) -> HeadParameters:
    known, camera = values["demographics"], values["camera"]
    weights, hair = values.get("mean_weights"), values.get("hair")
    return HeadParameters(
        identity=np.array([values["identity"][label] for label in model.identity_labels], np.float32),
        expression=np.array([values["expression"][label] for label in model.expression_labels], np.float32),
        demographics=Demographics(known["age"], known["gender"], known["race"], known["ethnicity"], known["source"]),
        rotation=rotation_from_degrees(**values["head_pose_degrees"]),
        translation_m=np.array(camera["translation_m"], np.float32),
        focal_px=float(camera["focal_px"]),
        principal_point=np.array(camera["principal_point"], np.float32),
        lighting=np.array(values["lighting"], np.float32).reshape(9, 3),
        mean_weights=None if weights is None else np.array(weights, np.float32),
        hair=None if hair is None else checked_hair(hair),
    )


def _texture_of_glb(path: Path) -> Image | None:
    import pygltflib
    from PIL import Image as PillowImage

    try:
        document = pygltflib.GLTF2().load_binary(str(path))
        if not document.images or document.images[0].bufferView is None:
            return None
        view = document.bufferViews[document.images[0].bufferView]
        start = view.byteOffset or 0
        picture = PillowImage.open(BytesIO(document.binary_blob()[start : start + view.byteLength]))
        return np.array(picture.convert("RGB"))
    except Exception as error:  # pygltflib and Pillow raise many types on damaged files
        raise StoredHeadError(f"{path.name} cannot be read: {in_short(error)}.") from error
