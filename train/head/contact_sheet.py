"""Draws docs/head_contact_sheet.webp: ages, genders, ancestries, identities and expressions of the head.

    python -m train.head.contact_sheet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.head import HeadModel
from facerecon.head.skinning import rotation_matrices
from facerecon.reconstruction.appearance import load_appearance
from facerecon.rendering.pictures import BACKGROUND, render_head, studio_light
from facerecon.types import Image
from train.command_line import command

CELL = 220
CAPTION = 16
AGES = (2, 10, 25, 50, 80)
TONES = {"african": (42.0, 13.0, 16.0), "asian": (68.0, 11.0, 19.0), "caucasian": (71.0, 12.0, 14.0)}
"""CIE Lab of the face's skin, one plausible tone for each ancestry."""

EXPRESSIONS = (
    {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6},
    {"jawOpen": 0.6},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"mouthPucker": 0.9},
    {"browInnerUp": 1.0, "eyeWideLeft": 0.8, "eyeWideRight": 0.8, "jawOpen": 0.2},
    {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8, "browDownLeft": 0.9, "browDownRight": 0.9},
    {"noseSneerLeft": 0.9, "noseSneerRight": 0.9, "mouthUpperUpLeft": 0.7, "mouthUpperUpRight": 0.7},
    {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8},
    {"cheekPuff": 0.9},
    {"tongueOut": 1.0, "jawOpen": 0.35},
    {"eyeBlinkLeft": 1.0, "mouthSmileLeft": 0.8},
    {"mouthFunnel": 0.8, "jawOpen": 0.15},
)
IRIS = (0.30, 0.19, 0.11)
DISTANCE_M = 1.1
FIELD_M = 0.30
"""Height of what a cell shows of an adult, metres."""


class Studio:
    """Renders single heads in front of a plain ground."""

    def __init__(self, head: HeadModel, size: int = 1024) -> None:
        self.head = head
        appearance = load_appearance(size, len(head.uv))
        self.lab, self.iris, self.pupil = appearance.lab, appearance.iris[..., None], appearance.pupil[..., None]
        self.skin = self._skin_mask(size)

    def texture(self, tone: np.ndarray) -> Image:
        """The mean skin at another tone (Lab), with brown eyes: (S, S, 3) uint8."""
        shift = np.asarray(tone, np.float32) - np.median(self.lab[self.skin > 0.9], axis=0)
        rgb = cv2.cvtColor((self.lab + self.skin[..., None] * shift).astype(np.float32), cv2.COLOR_LAB2RGB)
        rgb = rgb * (1 - self.iris) + self.iris * np.array(IRIS, np.float32)
        return (np.clip(rgb * (1 - self.pupil) + 0.02 * self.pupil, 0, 1) * 255).astype(np.uint8)

    def picture(self, vertices: torch.Tensor, texture: Image, yaw: float = 0.0, zoom: float = 1.0) -> Image:
        """One head (V, 3) from a metre's distance, turned by ``yaw`` degrees."""
        turn = rotation_matrices(torch.tensor([0.0, float(np.radians(yaw)), 0.0]))
        seen = vertices @ turn.T + torch.tensor([0.0, 0.035 / zoom, -DISTANCE_M])
        focal = CELL * DISTANCE_M / FIELD_M * zoom
        return render_head(seen, self.head, CELL, focal, None, texture, "texture", studio_light())

    def _skin_mask(self, size: int) -> np.ndarray:
        picture = np.zeros((size, size), np.uint8)
        skin = self.head.face_materials == self.head.material_labels.index("skin")
        corners = self.head.uv[self.head.uv_faces[skin]].numpy() * [1, -1] * size + [0, size]
        cv2.fillPoly(picture, list(np.round(corners).astype(np.int32)), 255)
        return cv2.dilate(picture, np.ones((7, 7), np.uint8)).astype(np.float32) / 255


def people(head: HeadModel, age: float, gender: float, ancestry: str) -> torch.Tensor:
    """Demographic weights (1, D) of one person."""
    weights = torch.tensor([[float(name == ancestry) for name in head.ancestry_labels]])
    return head.encode_demographics(torch.tensor([float(age)]), torch.tensor([float(gender)]), weights)


def label(picture: Image, text: str) -> Image:
    """Adds a caption below a picture."""
    strip = np.full((CAPTION, picture.shape[1], 3), BACKGROUND, np.uint8)
    cv2.putText(strip, text, (6, CAPTION - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (70, 70, 80), 1, cv2.LINE_AA)
    return np.concatenate([picture, strip])


def draw(head: HeadModel) -> Image:
    """The whole sheet, (H, W, 3) uint8."""
    torch.manual_seed(7)
    studio, cells = Studio(head), []
    textures = {name: studio.texture(np.array(tone)) for name, tone in TONES.items()}
    kinds = [(gender, ancestry) for gender in (0, 1) for ancestry in head.ancestry_labels]
    for age in AGES:
        for gender, ancestry in kinds:
            head_points = head.vertices(demographics=people(head, age, gender, ancestry))[0]
            caption = f"{age} {'male' if gender else 'female'} {ancestry}"
            cells.append(label(studio.picture(head_points, textures[ancestry], yaw=15, zoom=1.1 if age < 5 else 1.0), caption))
    for row, age in enumerate((7, 30, 60)):
        for gender, ancestry in kinds:
            identity = torch.randn(1, len(head.identity_labels))
            points = head.vertices(identity, demographics=people(head, age, gender, ancestry))[0]
            cells.append(label(studio.picture(points, textures[ancestry], yaw=(-25, 0, 35)[row]), f"identity, {age}"))
    for number, weights in enumerate(EXPRESSIONS):
        gender, ancestry = kinds[number % len(kinds)]
        row = torch.tensor([[weights.get(name, 0.0) for name in head.expression_labels]])
        points = head.vertices(None, row, people(head, 30, gender, ancestry))[0]
        cells.append(label(studio.picture(points, textures[ancestry], yaw=12, zoom=1.2), " ".join(list(weights)[:2])))
    rows = [np.concatenate(cells[i : i + len(kinds)], axis=1) for i in range(0, len(cells), len(kinds))]
    return np.concatenate(rows, axis=0)


def main() -> None:
    """Draws and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=Path, default=None, help="head file (default: the shipped one)")
    parser.add_argument("--output", type=Path, default=Path("docs/head_contact_sheet.webp"))
    arguments = parser.parse_args()
    with torch.no_grad():
        sheet = draw(HeadModel.from_pretrained(arguments.head))
    cv2.imwrite(str(arguments.output), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 86])


if __name__ == "__main__":
    command(main)
