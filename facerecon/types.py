"""The nouns that every part of facerecon passes around.

Images are RGB ``(H, W, 3)`` uint8 at the edges. Lengths are metres, angles are
degrees here (radians only inside networks), y is up, z points toward the
camera, right-handed: glTF's frame. Pixel coordinates are x right, y down, with
the centre of the top-left pixel at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Image = np.ndarray  # (H, W, 3) uint8, RGB
Gender = Literal["female", "male"]
DemographicsSource = Literal["user", "estimated", "none"]
Mode = Literal["coarse", "detail"]
CROP_SCALE = 1.25
"""Framing of the encoder's crop, counted as DECA and EMICA do: the one it was trained on."""

UPSCALES = (1, 2, 4)
"""How many times larger a restored photo may be than the photo."""


class FaceReconError(Exception):
    """An error whose message is one clear sentence for the user."""


class VideoError(FaceReconError):
    """A video that cannot be read or written, and why."""


@dataclass(frozen=True)
class Face:
    """One face found in a photo.

    Attributes:
        box: (4,) float32, ``x0, y0, x1, y1`` in pixels of the photo.
        points: (5, 2) float32 in pixels: the eye at the left of the picture, the
            eye at its right, nose tip, mouth corner at the left, at the right.
        score: the detector's confidence in [0, 1].
        landmarks: (68, 2) float32 in pixels, iBUG order, where they were seen and may be trusted.
        landmark_errors: (68,) float32, pixels that each is expected to be off.
    """

    box: np.ndarray
    points: np.ndarray
    score: float = 1.0
    landmarks: np.ndarray | None = None
    landmark_errors: np.ndarray | None = None

    @property
    def size(self) -> float:
        """Square root of the box's area, pixels."""
        x0, y0, x1, y1 = self.box
        return float(np.sqrt(max(x1 - x0, 0.0) * max(y1 - y0, 0.0)))


@dataclass(frozen=True)
class Demographics:
    """Age, gender and ancestry, each of them optional.

    Attributes:
        age: years, 0 to 100, or None when unknown.
        gender: ``"female"``, ``"male"`` or None.
        race: one of ``facerecon.demographics.RACES`` or None.
        ethnicity: free text, or None.
        source: who said so.
        auto_detect: whether the network may judge what is None here; otherwise that is the average's.
        certainty: how sure the values are that a network estimated, by name: of ``"gender"`` and ``"race"`` the
            probability, of ``"age"`` the standard deviation in years. Values are equal whatever it is.
    """

    age: float | None = None
    gender: Gender | None = None
    race: str | None = None
    ethnicity: str | None = None
    source: DemographicsSource = "none"
    auto_detect: bool = True
    certainty: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass
class HeadParameters:
    """All that the encoder says of one head.

    Attributes:
        identity: (K,) float32, standard deviations, order of ``HeadModel.identity_labels``.
        expression: (52,) float32 in [0, 1], order of ``HeadModel.expression_labels``.
        demographics: what moved the head's mean.
        rotation: (3, 3) float32, head to camera frame (x right, y up, z toward the camera).
        translation_m: (3,) float32, head origin in the camera frame, metres (z negative: in front of the lens).
        focal_px: focal length in pixels of the photo.
        principal_point: (2,) float32, pixels of the photo.
        lighting: (9, 3) float32, second-order spherical harmonics of the light, RGB.
        mean_weights: (D,) float32, ``HeadModel.encode_demographics`` of the soft estimate that moved the mean;
            None means ``HeadModel.demographic_weights`` of ``demographics``.
        hair: (94,) float32: 64 metres, how far hair stands off the scalp in the directions of ``facerecon.head.hair.HairShell``,
            then for the left and the right how surely it covers the ear, and 14 metres, how far from the middle it ends at
            ``facerecon.head.hanging_hair.HEIGHTS_M``, 0 without; None leaves the head bald. The first 64 alone will do.
    """

    identity: np.ndarray
    expression: np.ndarray
    demographics: Demographics
    rotation: np.ndarray
    translation_m: np.ndarray
    focal_px: float
    principal_point: np.ndarray
    lighting: np.ndarray
    mean_weights: np.ndarray | None = None
    hair: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class PersonShape:
    """The shape of one person, whatever photo it is put into.

    Attributes:
        identity: (K,) float32 standard deviations.
        mean_weights: (D,) float32, ``HeadModel.encode_demographics``.
        demographics: the same in words.
    """

    identity: np.ndarray
    mean_weights: np.ndarray
    demographics: Demographics


@dataclass(frozen=True)
class RestorationExtras:
    """What else restoration does than mend faces as it sees them.

    Attributes:
        background: the whole photo goes through the cleaner, not only faces and what surrounds them.
        colorize: a monochrome photo gets the colours it may have had; others keep theirs.
        person: what is known of the people, to guide what fidelity below 1 invents.
    """

    background: bool = False
    colorize: bool = False
    person: Demographics | None = None


@dataclass(frozen=True)
class ReconstructionOptions:
    """How heads are rebuilt.

    Attributes:
        crop_scale: framing of the encoder's crop; ``CROP_SCALE`` is what it was trained on, twice as much shows
            twice as much around the face, in as many pixels.
        delight: take the photo's light out of the base colour.
        person: a shape that stands in place of the one each photo shows.
        mode: ``"detail"`` adds wrinkles and folds to the mesh, ``"coarse"`` does not.
        hair: give textured heads the volume of the hair that the photo shows.
    """

    crop_scale: float = CROP_SCALE
    delight: bool = False
    person: PersonShape | None = None
    mode: Mode = "detail"
    hair: bool = True


@dataclass
class RestoredFace:
    """One restored face.

    Attributes:
        index: position of the face in the photo's list of faces.
        face: where it was found.
        crop: (S, S, 3) uint8, the aligned crop before.
        restored: (S, S, 3) uint8, the crop after.
        matrix: (2, 3) float64, photo pixels to crop pixels.
        quality: sharpness and agreement scores by name.
        mask: (S, S) float32 in [0, 1], where the restored crop counts when it is pasted; None for all but its rim.
        surroundings: the hair and neck round the face: a restored crop (S, S, 3) and its matrix (2, 3); None without.
        parts: ``facerecon.faces.FaceMasks`` of the photo, where they were needed.
    """

    index: int
    face: Face
    crop: Image
    restored: Image
    matrix: np.ndarray
    quality: dict[str, float] = field(default_factory=dict)
    surroundings: tuple[Image, np.ndarray] | None = None
    mask: np.ndarray | None = None
    parts: Any = None


@dataclass
class Restoration:
    """A restored photo: ``image`` (H * upscale, W * upscale, 3) uint8 and its faces."""

    image: Image
    faces: list[RestoredFace]
    upscale: int
    fidelity: float
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Detail:
    """Wrinkles and folds that are finer than the head's mesh, in its texture layout.

    Attributes:
        displacement_m: (D, D) float32 metres along the normals of the mesh; zero where the photo saw no skin.
        normal_map: (D, D, 3) uint8, the same as a tangent-space normal map in glTF's convention.
    """

    displacement_m: np.ndarray
    normal_map: Image


@dataclass
class Reconstruction:
    """A textured 3D head.

    Attributes:
        index: position of the face in the photo's list of faces.
        face: where it was found in the photo.
        parameters: what the encoder said.
        vertices: (V, 3) float32 metres, with expression and hair, without head pose.
        landmarks_68: (68, 2) float32, iBUG order, pixels of the input photo.
        texture: (T, T, 3) uint8 base colour in UV, or None.
        visibility: (T, T) uint8, 255 where the photo saw the texel, or None.
        quality: scores by name.
        seconds: duration of each step.
        detail: what is finer than the mesh, or None.
    """

    index: int
    face: Face
    parameters: HeadParameters
    vertices: np.ndarray
    landmarks_68: np.ndarray
    texture: Image | None = None
    visibility: np.ndarray | None = None
    quality: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    detail: Detail | None = None


@dataclass
class Result:
    """What the whole way of a photo gives: the restored photo and its heads."""

    restoration: Restoration
    reconstructions: list[Reconstruction]
    seconds: dict[str, float] = field(default_factory=dict)
