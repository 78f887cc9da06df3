"""Pictures of heads: textured, as clay, as normals, as depth, over a photo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facerecon.rendering.camera import pixel_vertices, scale_pixels
from facerecon.rendering.fragments import Fragments
from facerecon.rendering.interpolation import interpolate
from facerecon.rendering.rasterizer import rasterize
from facerecon.rendering.shading import (
    bend_normals,
    directional_light,
    linear_to_srgb,
    sample_texture,
    shade,
    srgb_to_linear,
    uniform_light,
    vertex_normals,
    vertex_tangents,
)
from facerecon.types import HeadParameters, Image

Mode = Literal["texture", "geometry", "normals", "depth"]
MODES: tuple[Mode, ...] = ("texture", "geometry", "normals", "depth")
CLAY = (0.72, 0.70, 0.68)
MOUTH_SHADE = 0.45  # light that reaches the mouth's inside, which the harmonics do not shadow
BACKGROUND = (244, 244, 246)
BLOCK = 1 << 17  # pixels that are coloured at a time, so that a large picture takes little memory
# Key light from the upper left, fill from the right, rim from above and behind.
_STUDIO = ((-0.6, 0.6, 0.9), (0.9, 0.1, 0.6), (0.1, 1.0, -0.7))
_STUDIO_STRENGTH = (0.78, 0.13, 0.24)
_STUDIO_AMBIENT = 0.1


class Topology(Protocol):
    """What the pictures need of a head model."""

    faces: Tensor
    uv: Tensor
    uv_faces: Tensor
    masks: Mapping[str, Tensor]


def studio_light() -> Tensor:
    """A soft three-point light, (9, 3)."""
    lamps = directional_light(torch.tensor(_STUDIO), torch.tensor(_STUDIO_STRENGTH)[:, None].expand(3, 3))
    return lamps + uniform_light(1, _STUDIO_AMBIENT)[0]


def soft_light() -> Tensor:
    """A nearly even light, (9, 3), that shows the form of a head whose texture holds a photo's own shading."""
    front = directional_light(torch.tensor([[-0.3, 0.5, 1.0]]), torch.tensor([[0.42, 0.42, 0.42]]))
    return front + uniform_light(1, 0.64)[0]


@torch.no_grad()
def render_layer(
    vertices_camera: np.ndarray | Tensor,
    head: Topology,
    size: tuple[int, int],
    focal_px: float,
    principal_point: np.ndarray,
    texture: Image | None = None,
    mode: Mode = "texture",
    lighting: np.ndarray | Tensor | None = None,
    face_subset: Tensor | None = None,
    supersample: int = 2,
    normal_map: Image | None = None,
) -> np.ndarray:
    """Draw a head alone, with its coverage, antialiased.

    Args:
        vertices_camera: (V, 3) metres, camera frame.
        head: gives ``faces``, ``uv``, ``uv_faces`` and ``masks``.
        size: (height, width) of the picture.
        focal_px: pixels of the picture.
        principal_point: (2,) pixels of the picture.
        texture: (T, T, 3) uint8 sRGB; needed for ``mode="texture"``.
        mode: ``"texture"``, ``"geometry"`` (clay), ``"normals"`` or ``"depth"`` (near is bright).
        lighting: (9, 3) of ``shading``. None: clay under ``studio_light``, texture as it is.
        face_subset: rows of ``head.faces`` to draw; None draws all.
        supersample: samples per pixel along each axis.
        normal_map: (D, D, 3) uint8, fine relief as ``types.Detail`` has it; all modes but depth show it.

    Returns:
        (H, W, 4) float32 in [0, 1], colour multiplied by coverage.

    Raises:
        ValueError: an unknown mode, or ``"texture"`` without a texture.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    if mode == "texture" and texture is None:
        raise ValueError("mode 'texture' needs a texture")
    height, width = size
    vertices = torch.as_tensor(vertices_camera, dtype=torch.float32).cpu()[None]
    faces, uv_faces = head.faces.cpu(), head.uv_faces.cpu()
    if face_subset is not None:
        faces, uv_faces = faces[face_subset], uv_faces[face_subset]
    principal = torch.as_tensor(np.asarray(principal_point), dtype=torch.float32).reshape(1, 2)
    pixels = scale_pixels(pixel_vertices(vertices, torch.tensor([float(focal_px)]), principal), supersample)
    # The walls of the sockets lie so close under the lower lids that they would come through.
    fragments = rasterize(pixels, faces, height * supersample, width * supersample, cull_backfaces=True)
    seen = fragments.mask[0].numpy()
    layer = np.zeros((*seen.shape, 4), np.float32)
    layer[seen, 3] = 1
    colours = _colour(mode, vertices, pixels, head, faces, uv_faces, fragments, texture, lighting, normal_map)
    layer[seen, :3] = colours.clamp(0, 1)
    return cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA) if supersample > 1 else layer


def _colour(
    mode: Mode,
    vertices: Tensor,
    pixels: Tensor,
    head: Topology,
    faces: Tensor,
    uv_faces: Tensor,
    fragments: Fragments,
    texture: Image | None,
    lighting: np.ndarray | Tensor | None,
    normal_map: Image | None,
) -> Tensor:
    """Colour of every pixel that sees the head, (P, 3) sRGB."""
    blocks = _seen_blocks(fragments)
    if not blocks:
        return torch.zeros(0, 3)
    if mode == "depth":
        return _depth_colour(torch.cat([interpolate(pixels[..., 2:], faces, block)[0, 0] for block in blocks]))
    image = None if mode != "texture" else _picture(texture)
    uv = head.uv.cpu()[None].float()
    # Normals come from all triangles, so that a subset has no false edge at its rim.
    whole = vertex_normals(vertices, head.faces.cpu())
    light = studio_light() if lighting is None else torch.as_tensor(np.asarray(lighting), dtype=torch.float32)
    clay = _clay(head, vertices.shape[1])
    relief = None if normal_map is None else (_picture(normal_map), _tangents(head, vertices[0], whole[0])[None])

    def draw(block: Fragments) -> Tensor:
        if image is not None:
            albedo = sample_texture(image, interpolate(uv, uv_faces, block))
            if lighting is None:
                return albedo
            albedo = srgb_to_linear(albedo)
        normals = functional.normalize(interpolate(whole, faces, block), dim=-1)
        if relief is not None:
            bump = sample_texture(relief[0], interpolate(uv, uv_faces, block))
            normals = bend_normals(normals, interpolate(relief[1], uv_faces, block), bump)
        if mode == "normals":
            return normals * 0.5 + 0.5
        if mode == "geometry":
            albedo = interpolate(clay, faces, block)
        return linear_to_srgb(shade(albedo, normals, light[None]))

    return torch.cat([draw(block)[0, 0] for block in blocks])


def _picture(image: Image) -> Tensor:
    """An image (H, W, 3) uint8 as (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255


def _tangents(head: Topology, vertices: Tensor, normals: Tensor) -> Tensor:
    """(T, 4) of the corners of the texture's layout."""
    corners, places = head.uv_faces.cpu().long(), head.uv.cpu().float()
    split = [torch.zeros(len(places), 3).index_put((corners,), values[head.faces.cpu().long()]) for values in (vertices, normals)]
    return vertex_tangents(*split, corners, places)


def _seen_blocks(fragments: Fragments) -> list[Fragments]:
    """The pixels of one picture that see a surface, in order, as pictures of one row and at most ``BLOCK`` columns."""
    seen = fragments.mask
    index, weights = fragments.face_index[seen], fragments.barycentric[seen]
    pairs = zip(index.split(BLOCK), weights.split(BLOCK))
    return [Fragments(i[None, None], w[None, None]) for i, w in pairs if len(i)]


def _clay(head: Topology, count: int) -> Tensor:
    """Clay for every vertex, (1, V, 3) linear, darker inside the mouth."""
    clay = torch.tensor(CLAY).repeat(1, count, 1)
    if "mouth_interior" in head.masks:
        clay[:, head.masks["mouth_interior"].cpu()] *= MOUTH_SHADE
    return clay


def _depth_colour(depth: Tensor) -> Tensor:
    """Grey (P, 3) of depths (P, 1): near is bright."""
    near, far = depth.min(), depth.max()
    return (1.0 - 0.85 * (depth - near) / (far - near).clamp_min(1e-6)).expand(-1, 3)


def composite(layer: np.ndarray, background: Image | tuple[int, int, int] | None = None, opacity: float = 1.0) -> Image:
    """Lay a layer (H, W, 4) of ``render_layer`` over a picture (H, W, 3) uint8 or a plain colour."""
    height, width = layer.shape[:2]
    plain = BACKGROUND if background is None else background
    ground = np.broadcast_to(np.asarray(plain, np.float32), (height, width, 3))
    mixed = ground * (1 - opacity * layer[..., 3:]) + 255 * opacity * layer[..., :3]
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def render_head(
    vertices_camera: np.ndarray | Tensor,
    head: Topology,
    size: int | tuple[int, int],
    focal_px: float | None = None,
    principal_point: np.ndarray | None = None,
    texture: Image | None = None,
    mode: Mode = "texture",
    lighting: np.ndarray | Tensor | None = None,
    background: Image | tuple[int, int, int] | None = None,
    supersample: int = 2,
    normal_map: Image | None = None,
) -> Image:
    """Draw a head before a background.

    Args:
        vertices_camera: (V, 3) metres, camera frame (z negative: in front of the lens).
        size: the side of a square picture, or (height, width).
        focal_px: pixels; None frames the head to fill the picture.
        principal_point: (2,) pixels; None is the middle, or what frames the head.
        background: (H, W, 3) uint8, an RGB colour, or None for near white.

    The others are those of ``render_layer``.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = (size, size) if isinstance(size, int) else size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    if focal_px is None:
        focal_px, principal_point = framing(vertices_camera, height, width)
    layer = render_layer(
        vertices_camera, head, (height, width), focal_px, middle if principal_point is None else principal_point,
        texture, mode, lighting, supersample=supersample, normal_map=normal_map,
    )
    return composite(layer, background)


def framing(vertices_camera: np.ndarray | Tensor, height: int, width: int, fill: float = 0.9) -> tuple[float, np.ndarray]:
    """Focal length in pixels and principal point (2,) that show vertices (V, 3) whole, filling ``fill`` of the picture."""
    points = np.asarray(vertices_camera, dtype=np.float64)
    slopes = points[:, :2] / -points[:, 2:]
    low, high = slopes.min(0), slopes.max(0)
    focal = fill * float(min(width / (high[0] - low[0]), height / (high[1] - low[1])))
    centre = (low + high) / 2
    return focal, np.array([(width - 1) / 2 - focal * centre[0], (height - 1) / 2 + focal * centre[1]])


def overlay_head(
    photo: Image,
    vertices: np.ndarray,
    parameters: HeadParameters,
    head: Topology,
    texture: Image | None = None,
    mode: Mode = "geometry",
    opacity: float = 1.0,
    region: np.ndarray | Tensor | None = None,
    normal_map: Image | None = None,
) -> Image:
    """Draw a head over the photo it came from, through the photo's own camera.

    Args:
        photo: (H, W, 3) uint8.
        vertices: (V, 3) metres, head frame, with expression.
        parameters: pose and camera.
        texture: for ``mode="texture"``.
        opacity: of the head over the photo, 0 to 1.
        region: (V,) bool, draw only triangles inside it (a mask of ``head.masks``); None draws all.
        normal_map: as for ``render_layer``.

    Returns:
        (H, W, 3) uint8.
    """
    points = vertices_in_camera(vertices, parameters)
    principal = np.asarray(parameters.principal_point, np.float64)
    x0, y0, x1, y1 = _pixel_bounds(points, parameters.focal_px, principal, photo.shape)
    picture = photo.copy()
    if x1 <= x0 or y1 <= y0:
        return picture
    subset = None if region is None else torch.as_tensor(region).cpu()[head.faces.cpu()].all(dim=1)
    layer = render_layer(
        points, head, (y1 - y0, x1 - x0), parameters.focal_px, principal - (x0, y0), texture, mode,
        face_subset=subset, supersample=2 if max(y1 - y0, x1 - x0) < 1500 else 1, normal_map=normal_map,
    )
    picture[y0:y1, x0:x1] = composite(layer, photo[y0:y1, x0:x1], opacity)
    return picture


def vertices_in_camera(vertices: np.ndarray, parameters: HeadParameters) -> np.ndarray:
    """Vertices (V, 3) of the head frame, in the camera frame of the photo, metres."""
    return np.asarray(vertices) @ np.asarray(parameters.rotation).T + np.asarray(parameters.translation_m)


def _pixel_bounds(points: np.ndarray, focal: float, principal: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Box x0, y0, x1, y1 of the part of the photo the head covers."""
    ahead = points[points[:, 2] < 0]
    if not len(ahead):
        return 0, 0, 0, 0
    pixels = principal + focal * ahead[:, :2] * (1, -1) / -ahead[:, 2:]
    limit = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(pixels.min(0)) - 1, 0, limit).astype(int)
    high = np.clip(np.ceil(pixels.max(0)) + 2, 0, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
