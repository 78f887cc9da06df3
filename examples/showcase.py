"""Draws ``docs/showcase.webp``: what the pipeline makes of the examples.

    python -m examples.showcase
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facerecon.head.hair import uncovered
from facerecon.images import load_image, save_image
from facerecon.pipeline import FaceReconstructor
from facerecon.rendering.pictures import overlay_head, render_head
from facerecon.rendering.shading import uniform_light
from facerecon.rendering.turntable import turn
from facerecon.types import Image

HERE = Path(__file__).resolve().parent
PHOTOS = ("astronaut_blurred.jpg", "hopper_old.jpg", "hopper_noisy.jpg", "astronaut.jpg")
TILE = 200
FIDELITY = 0.7
QUALITY = 85


def row(pipeline: FaceReconstructor, photo: Image) -> Image:
    """Input, restored, head over the photo, and the textured head from three sides."""
    result = pipeline.run(photo, fidelity=FIDELITY, faces="largest")
    head, model = result.reconstructions[0], pipeline.head
    face = uncovered(model.masks["face"], head.vertices, head.parameters.hair, model)
    over = overlay_head(photo, head.vertices, head.parameters, model, opacity=0.6, region=face)
    box = head.face.box
    views = [
        render_head(turn(head.vertices, yaw), model, TILE, texture=head.texture, lighting=uniform_light()[0])
        for yaw in (0, 45, -75)
    ]
    return np.concatenate([*(around(image, box) for image in (photo, result.restoration.image, over)), *views], axis=1)


def around(photo: Image, box: np.ndarray) -> Image:
    """The square around a face box, a tile large."""
    center, side = (box[:2] + box[2:]) / 2, 1.5 * max(box[2:] - box[:2])
    matrix = np.array([[1, 0, side / 2 - center[0]], [0, 1, side / 2 - center[1]]]) * TILE / side
    return cv2.warpAffine(photo, matrix, (TILE, TILE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def main() -> None:
    """Writes the picture."""
    pipeline = FaceReconstructor.from_pretrained()
    rows = [row(pipeline, load_image(HERE / name)) for name in PHOTOS]
    save_image(HERE.parent / "docs" / "showcase.webp", np.concatenate(rows), QUALITY)


if __name__ == "__main__":
    main()
