"""What the reconstruction video shows: the frame, the heads over it, the heads shining through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from facerecon.head.hair import uncovered, without_neck
from facerecon.rendering.pictures import Mode, overlay_head
from facerecon.types import HeadParameters, Image

TRANSPARENT_OPACITY = 0.5
ImageType = Literal["geometry", "texture", "normals"]
IMAGE_TYPES: tuple[ImageType, ...] = ("geometry", "texture", "normals")


@dataclass(frozen=True)
class Layout:
    """Panels of the reconstruction video, side by side.

    Attributes:
        original: the frame as it is.
        rec: the heads, opaque.
        transparent: the heads, half transparent over the frame.
        black_background: opaque heads before black, not over the frame.
        cat_dim: 0 puts the panels one below the other, 1 side by side.
        use_mask: draw the face alone; otherwise the head, ears and scalp, too.
        image_type: heads in clay, textured, or as normals.
    """

    original: bool = True
    rec: bool = True
    transparent: bool = True
    black_background: bool = False
    cat_dim: int = 0
    use_mask: bool = True
    image_type: ImageType = "geometry"

    @property
    def panels(self) -> int:
        """How many there are."""
        return self.original + self.rec + self.transparent


@dataclass(frozen=True)
class PosedHead:
    """A head of one frame: vertices (V, 3) in its own frame, its camera, and its texture where one is shown."""

    vertices: np.ndarray
    parameters: HeadParameters
    texture: Image | None = None


def draw(frame: Image, heads: list[PosedHead], model: Any, layout: Layout) -> Image:
    """The panels of one frame (H, W, 3) as one picture.

    Args:
        frame: the frame.
        heads: of all faces in it.
        model: the head model.
        layout: at least one panel.
    """
    panels = []
    if layout.original:
        panels.append(frame)
    if layout.rec:
        panels.append(_with_heads(np.zeros_like(frame) if layout.black_background else frame, heads, model, layout, 1.0))
    if layout.transparent:
        panels.append(_with_heads(frame, heads, model, layout, TRANSPARENT_OPACITY))
    return np.concatenate(panels, axis=layout.cat_dim)


def panel_size(size: tuple[int, int], layout: Layout) -> tuple[int, int]:
    """(height, width) of the picture :func:`draw` makes of frames of a size (height, width)."""
    height, width = size
    return (height * layout.panels, width) if layout.cat_dim == 0 else (height, width * layout.panels)


def _with_heads(ground: Image, heads: list[PosedHead], model: Any, layout: Layout, opacity: float) -> Image:
    """Heads over a picture, the farthest first."""
    for head in sorted(heads, key=lambda head: float(head.parameters.translation_m[2])):
        mode: Mode = layout.image_type
        if mode == "texture" and head.texture is None:
            mode = "geometry"
        ground = overlay_head(ground, head.vertices, head.parameters, model, head.texture, mode, opacity, _region(head, model, layout.use_mask))
    return ground


def _region(head: PosedHead, model: Any, use_mask: bool) -> Any:
    """Vertices to draw: what the face shows, or all but the neck."""
    masks, hair = model.masks, head.parameters.hair
    if not use_mask:
        return without_neck(head.vertices, hair, model)
    shown = uncovered(masks["face"], head.vertices, hair, model).clone()
    for part in ("lips", "eyes", "left_eyeball", "right_eyeball", "teeth", "tongue", "mouth_interior"):
        shown |= masks[part]
    return shown
