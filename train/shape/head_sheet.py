"""Photos and their heads, seen from the front and turned aside, to look at; those that look most and least like the person.

    python -m train.shape.head_sheet --data PHOTOS --output heads.webp [--count 10]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from facerecon.faces.align import crop_face, warp
from facerecon.identity import IdentityEncoder, similarity
from facerecon.images import save_image
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.rendering.pictures import render_head
from facerecon.rendering.shading import uniform_light
from facerecon.rendering.turntable import turn
from facerecon.types import Face, Image
from train.command_line import command
from train.data import open_dataset
from train.reconstruction.evaluate import find_faces
from train.shape.likeness import turned_views

SIDE = 128
YAWS = (0, 45)
QUALITY = 75  # of the file, which is part of the documentation
PHOTO_SCALE, RAISED = 2.1, 0.06
"""Side of what is shown of a photo, in sides of the face's box, and how far its middle lies above the box's, in its own."""


def tile(reconstructor: HeadReconstructor, image: Image, face: Face) -> Image:
    """A photo's middle and its head from ``YAWS``, side by side, (``SIDE``, 3 ``SIDE``, 3)."""
    side = PHOTO_SCALE * float((face.box[2:] - face.box[:2]).max())
    center = (face.box[:2] + face.box[2:]) / 2 - (0, RAISED * side)
    matrix = np.column_stack((np.eye(2), side / 2 - center)) * SIDE / side
    (head,) = reconstructor.reconstruct([image], [face])
    views = [
        render_head(turn(head.vertices, yaw), reconstructor.head, SIDE, texture=head.texture, lighting=uniform_light()[0])
        for yaw in YAWS
    ]
    return np.concatenate((warp(image, matrix, SIDE, cv2.BORDER_REPLICATE), *views), axis=1)


def head_sheet(reconstructor: HeadReconstructor, folder: Path, count: int) -> Image:
    """The ``count`` photos whose heads, turned by 20 degrees, the embedding finds most like the person, left, and least, right.

    Args:
        folder: photos of one face each, a folder or a tar; those without one are left out.
    """
    encoder, pack = IdentityEncoder.from_pretrained(), open_dataset("image_folder", folder)
    found = []
    for i in track(range(len(pack)), description="heads"):
        image = pack.image(i)
        (face,), missed = find_faces([image])
        if missed:
            continue
        views = turned_views(reconstructor, image, face)
        there = encoder.embed([crop_face(picture, points, encoder.size, "identity")[0] for picture, points in views])
        here = encoder.embed([encoder.crop(image, face)])
        found.append((float(similarity(there, np.repeat(here, len(there), 0)).mean()), i, face))
    found.sort(key=lambda each: -each[0])
    count = min(count, len(found) // 2)
    columns = [[tile(reconstructor, pack.image(i), face) for _, i, face in part] for part in (found[:count], found[-count:][::-1])]
    return np.concatenate([np.concatenate(column) for column in columns], axis=1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="photos of one face each, a folder or a tar")
    parser.add_argument("--output", type=Path, required=True, help="the picture to write")
    parser.add_argument("--count", type=int, default=10, help="of each kind")
    args = parser.parse_args()
    save_image(args.output, head_sheet(HeadReconstructor.from_pretrained(), args.data, args.count), QUALITY)


if __name__ == "__main__":
    command(main)
