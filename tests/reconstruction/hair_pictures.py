"""Pictures of the shipped head with hair, and what a faultless parser says of them."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.head.hair import grow_hair
from facerecon.rendering.pictures import render_layer, vertices_in_camera
from facerecon.types import Demographics, HeadParameters

PHOTO, MASKS = 400, 128


def posed(yaw: float) -> HeadParameters:
    """The head in the middle of the photo, hair and all."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return HeadParameters(
        identity=np.zeros(80, np.float32), expression=np.zeros(52, np.float32), demographics=Demographics(),
        rotation=np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32), translation_m=np.array([0, -0.01, -0.9], np.float32),
        focal_px=PHOTO * 1.9, principal_point=np.array([PHOTO / 2, PHOTO / 2], np.float32), lighting=np.zeros((9, 3), np.float32),
    )  # fmt: skip


def seen(head, bald: np.ndarray, hair: np.ndarray | None, parameters: HeadParameters) -> FaceMasks:
    """What a faultless parser says of a head with that hair: everything of it that is not the bald head."""
    camera = (PHOTO, PHOTO), parameters.focal_px, parameters.principal_point
    layers = [
        render_layer(vertices_in_camera(v, parameters), head, *camera, mode="depth")[..., 3]
        for v in (bald, grow_hair(bald, hair, head))
    ]
    skin, whole = (cv2.resize(np.float32(layer > 0.5), (MASKS, MASKS), interpolation=cv2.INTER_AREA) for layer in layers)
    probabilities = np.zeros((len(CLASSES), MASKS, MASKS), np.float32)
    probabilities[CLASSES.index("skin")] = skin
    probabilities[CLASSES.index("hair")] = np.clip(whole - skin, 0, 1)
    probabilities[CLASSES.index("background")] = 1 - np.maximum(whole, skin)
    zoom = MASKS / PHOTO
    return FaceMasks(probabilities, np.array([[zoom, 0, (zoom - 1) / 2], [0, zoom, (zoom - 1) / 2]]))
