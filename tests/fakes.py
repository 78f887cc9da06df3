"""Stand-ins for the networks: instant, predictable, honest about shapes."""

from __future__ import annotations

import numpy as np

from facerecon.head.model import HeadModel
from facerecon.types import Demographics, Face, HeadParameters, Image, Reconstruction

# Five points of a face in a box of one pixel.
POINTS = np.array([[0.32, 0.38], [0.68, 0.38], [0.5, 0.58], [0.36, 0.78], [0.64, 0.78]], np.float32)


def make_face(x: float, y: float, side: float, score: float = 0.99) -> Face:
    """A face in a square box."""
    box = np.array([x, y, x + side, y + side], np.float32)
    return Face(box, (POINTS * side + (x, y)).astype(np.float32), score)


def make_photo(height: int = 120, width: int = 160, seed: int = 0) -> Image:
    """A smooth colour field, never black."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    channels = [110 + 60 * np.sin(6 * (a * x + b * y)) for a, b in rng.uniform(-1, 1, (3, 2))]
    return np.clip(np.stack(channels, -1), 20, 235).astype(np.uint8)


class FakeDetector:
    """Finds the faces it was given, or one in the middle; none in a black photo."""

    version = "fake-1"

    def __init__(self, faces: list[Face] | None = None) -> None:
        self.faces = faces

    def detect(self, image: Image) -> list[Face]:
        """All faces."""
        if image.max() == 0:
            return []
        if self.faces is not None:
            return self.faces
        height, width = image.shape[:2]
        side = 0.6 * min(height, width)
        return [make_face((width - side) / 2, (height - side) / 2, side)]


class FakeRestorer:
    """Turns crops into their negatives and counts its calls."""

    version = "fake-1"

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.people: list[list[Demographics | None] | None] = []

    def restore(
        self, crops: list[Image], fidelity: float = 0.7, people: list[Demographics | None] | None = None
    ) -> list[Image]:
        """Negatives."""
        self.calls.append(len(crops))
        self.people.append(people)
        return [255 - crop for crop in crops]

    def clean(self, photo: Image) -> Image:
        """A photo with a darker left column, so that one can tell."""
        return np.concatenate((photo[:, :1] // 2, photo[:, 1:]), axis=1)


class FakeColouriser:
    """Turns everything red."""

    def colour(self, photo: Image, faces: list[Face]) -> Image:
        """Red of the photo's own green."""
        return np.stack((photo[..., 1], photo[..., 1] // 4, photo[..., 1] // 4), -1)


class FakeReconstructor:
    """Sees each face's points as landmarks and remembers the images it was shown."""

    version = "fake-1"

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        self.images: list[Image] = []

    def reconstruct(self, images, faces, demographics=None, focal_px=None, textured=True) -> list[Reconstruction]:
        """The mean head, sized to the face."""
        self.images = list(images)
        return [self._one(*each) for each in zip(images, faces, demographics, focal_px)]

    def _one(self, image: Image, face: Face, known: Demographics | None, focal_px: float | None) -> Reconstruction:
        height, width = image.shape[:2]
        focal = focal_px or 1.2 * max(height, width)
        parameters = HeadParameters(
            identity=np.zeros(len(self.head.identity_labels), np.float32),
            expression=np.zeros(len(self.head.expression_labels), np.float32),
            demographics=known or Demographics(),
            rotation=np.eye(3, dtype=np.float32),
            translation_m=np.array([0, 0, -0.18 * focal / max(face.size, 1)], np.float32),
            focal_px=focal,
            principal_point=np.array([(width - 1) / 2, (height - 1) / 2], np.float32),
            lighting=np.zeros((9, 3), np.float32),
        )
        texture = np.full((32, 32, 3), image.reshape(-1, 3).mean(0), np.uint8)
        return Reconstruction(
            index=0,
            face=face,
            parameters=parameters,
            vertices=self.head.vertices()[0].numpy(),
            landmarks_68=np.resize(face.points, (68, 2)).astype(np.float32),
            texture=texture,
            visibility=np.full((32, 32), 255, np.uint8),
            quality={"visible": 1.0},
            seconds={"encode": 0.0},
        )
