"""GLB and glTF: a textured head with 52 named morph targets, a small skeleton, and a clip where there is one.

The base shape is the person without expression; the mesh's initial weights are
the expression of the photo. Sparse accessors hold the morph targets.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pygltflib as gl

from facerecon.export.animation import Clip, add_clip
from facerecon.export.gltf_buffer import BufferBuilder
from facerecon.export.mesh import SplitMesh, mesh_tangents
from facerecon.export.rig import Rig
from facerecon.images import atomic_write
from facerecon.types import Image, Reconstruction

GENERATOR = "facerecon"
JPEG_QUALITY = 95
ROUGHNESS = 0.7
PLAIN_SKIN = (0.6, 0.34, 0.24, 1.0)  # linear, where there is no texture


def write_glb(
    stem: Path, reconstruction: Reconstruction, mesh: SplitMesh, rig: Rig, clip: Clip | None = None
) -> list[Path]:
    """Write ``STEM.glb``, one binary file with the texture as JPEG inside."""
    document, buffer, pictures = build_document(reconstruction, mesh, rig, clip)
    for image, (_, blob) in zip(document.images, pictures):
        image.bufferView = buffer.bytes(blob)
    document.buffers = [gl.Buffer(byteLength=len(buffer.data))]
    document.set_binary_blob(bytes(buffer.data))
    path = stem.with_name(f"{stem.name}.glb")
    with atomic_write(path) as temporary:
        Path(temporary).write_bytes(b"".join(document.save_to_bytes()))
    return [path]


def write_gltf(
    stem: Path, reconstruction: Reconstruction, mesh: SplitMesh, rig: Rig, clip: Clip | None = None
) -> list[Path]:
    """Write ``STEM.gltf``, one JSON file with buffer and texture inside as data URIs."""
    document, buffer, pictures = build_document(reconstruction, mesh, rig, clip)
    for image, (kind, blob) in zip(document.images, pictures):
        image.uri, image.mimeType = _data_uri(kind, blob), None
    uri = _data_uri("application/octet-stream", bytes(buffer.data))
    document.buffers = [gl.Buffer(byteLength=len(buffer.data), uri=uri)]
    path = stem.with_name(f"{stem.name}.gltf")
    with atomic_write(path) as temporary:
        Path(temporary).write_text(document.gltf_to_json(separators=(",", ":"), indent=None), encoding="utf-8")
    return [path]


def build_document(
    reconstruction: Reconstruction, mesh: SplitMesh, rig: Rig, clip: Clip | None = None
) -> tuple[gl.GLTF2, BufferBuilder, list[tuple[str, bytes]]]:
    """The document without its buffer, its images still empty, and media type and bytes of each image."""
    buffer = BufferBuilder()
    pictures = pictures_of(reconstruction)
    document = gl.GLTF2(asset=gl.Asset(generator=GENERATOR, version="2.0"))
    document.meshes = [_mesh(buffer, mesh, rig, "relief" in pictures)]
    document.materials = [_material(list(pictures))]
    if pictures:
        document.images = [gl.Image(mimeType=kind, name=name) for name, (kind, _) in pictures.items()]
        document.samplers = [
            gl.Sampler(magFilter=gl.LINEAR, minFilter=gl.LINEAR_MIPMAP_LINEAR, wrapS=gl.CLAMP_TO_EDGE, wrapT=gl.CLAMP_TO_EDGE)
        ]
        document.textures = [gl.Texture(sampler=0, source=index) for index in range(len(pictures))]
    joints = _joint_nodes(rig)
    head = gl.Node(name="head", mesh=0, skin=0, extras={"facerecon": describe(reconstruction)})
    document.nodes = [head, *joints]
    document.skins = [_skin(buffer, rig)]
    if clip is not None:
        add_clip(document, buffer, clip, rig, mesh_node=0, first_joint=1)
    document.scenes = [gl.Scene(nodes=[0, 1])]
    document.scene = 0
    document.accessors, document.bufferViews = buffer.accessors, buffer.views
    return document, buffer, list(pictures.values())


def describe(reconstruction: Reconstruction) -> dict[str, Any]:
    """Who the head is modelled on, for the node's extras; unknown values are left out."""
    known = reconstruction.parameters.demographics
    values = {
        "age": None if known.age is None else float(known.age),
        "gender": known.gender,
        "race": known.race,
        "ethnicity": known.ethnicity,
        "source": known.source,
    }
    return {"demographics": {key: value for key, value in values.items() if value is not None}}


def pictures_of(reconstruction: Reconstruction) -> dict[str, tuple[str, bytes]]:
    """Media type and bytes of the images of a head, by name: its colours and its normal map, where it has them."""
    pictures = {}
    if reconstruction.texture is not None:
        pictures["head"] = ("image/jpeg", encode_jpeg(reconstruction.texture))
    if reconstruction.detail is not None:
        flipped = np.ascontiguousarray(reconstruction.detail.normal_map[..., ::-1])
        pictures["relief"] = ("image/png", cv2.imencode(".png", flipped)[1].tobytes())
    return pictures


def encode_jpeg(texture: Image) -> bytes:
    """A texture (T, T, 3) uint8 RGB as JPEG with full colour resolution."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", np.ascontiguousarray(texture[..., ::-1]), options)[1].tobytes()


def _mesh(buffer: BufferBuilder, mesh: SplitMesh, rig: Rig, tangents: bool) -> gl.Mesh:
    # glTF puts the origin of UV at the upper left.
    uv = np.stack((mesh.uv[:, 0], 1 - mesh.uv[:, 1]), axis=1).astype(np.float32)
    vertex = gl.ARRAY_BUFFER
    attributes = gl.Attributes(
        POSITION=buffer.array(rig.neutral[mesh.source], vertex, bounds=True),
        NORMAL=buffer.array(rig.normals[mesh.source], vertex),
        TANGENT=buffer.array(mesh_tangents(rig.neutral, rig.normals, mesh), vertex) if tangents else None,
        TEXCOORD_0=buffer.array(uv, vertex),
        JOINTS_0=buffer.array(rig.influence_joints[mesh.source], vertex),
        WEIGHTS_0=buffer.array(rig.influence_weights[mesh.source], vertex),
    )
    kind = np.uint16 if len(uv) <= 65535 else np.uint32
    indices = buffer.array(mesh.faces.astype(kind).reshape(-1), gl.ELEMENT_ARRAY_BUFFER)
    names = list(rig.names)
    moves = buffer.sparse(rig.moves[:, mesh.source], bounds=True, names=names)
    turns = buffer.sparse(rig.turns[:, mesh.source], bounds=False, names=names)
    targets = [gl.Attributes(POSITION=move, NORMAL=turn) for move, turn in zip(moves, turns)]
    primitive = gl.Primitive(attributes=attributes, indices=indices, material=0, targets=targets)
    weights = [round(float(weight), 5) for weight in rig.weights]
    return gl.Mesh(name="head", primitives=[primitive], weights=weights, extras={"targetNames": names})


def _material(pictures: list[str]) -> gl.Material:
    surface = gl.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=ROUGHNESS)
    if "head" in pictures:
        surface.baseColorTexture = gl.TextureInfo(index=pictures.index("head"))
    else:
        surface.baseColorFactor = list(PLAIN_SKIN)
    bumps = gl.NormalMaterialTexture(index=pictures.index("relief")) if "relief" in pictures else None
    # One-sided: the walls of the eye sockets lie so close under the lower lids that they would come through.
    return gl.Material(name="head", pbrMetallicRoughness=surface, normalTexture=bumps, doubleSided=False, alphaCutoff=None)


def _joint_nodes(rig: Rig) -> list[gl.Node]:
    """One node a joint, placed relative to its parent; nodes start at index 1, after the mesh's."""
    nodes = []
    for index, (name, parent) in enumerate(zip(rig.joint_names, rig.joint_parents)):
        origin = rig.joint_positions[parent] if parent >= 0 else np.zeros(3)
        children = [child + 1 for child, of in enumerate(rig.joint_parents) if of == index]
        offset = [float(value) for value in rig.joint_positions[index] - origin]
        nodes.append(gl.Node(name=f"joint_{name}", translation=offset, children=children))
    return nodes


def _skin(buffer: BufferBuilder, rig: Rig) -> gl.Skin:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rig.joint_names), 1, 1))
    inverse[:, 3, :3] = -rig.joint_positions  # column-major: the translation is the last row here
    matrices = buffer.array(inverse.reshape(-1, 16))
    joints = [index + 1 for index in range(len(rig.joint_names))]
    return gl.Skin(name="head", inverseBindMatrices=matrices, skeleton=1, joints=joints)


def _data_uri(kind: str, blob: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(blob).decode('ascii')}"
