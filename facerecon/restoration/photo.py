"""The restored faces of one photo: cut out, scored, pasted back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from facerecon.faces.align import resize, similarity_from_points, warp
from facerecon.faces.masks import PERSON, FaceMasks
from facerecon.faces.paste import crop_mask, paste_crops
from facerecon.metrics.sharpness import blur_score, noise_sigma
from facerecon.types import UPSCALES, Face, FaceReconError, Image, Restoration, RestoredFace

CROP_SIZES = (256, 384, 512, 768, 1024)  # pixels; a crop is about as fine as the photo
MAX_OUTPUT_PIXELS = 64_000_000
MAX_WORKING_PIXELS = 16_000_000  # of the photo that heads are rebuilt from

SURROUNDINGS = 1.4  # times a crop's width: hair, ears and neck

# Where something is invented, it ends a little outside face and hair, and before what hides them.
MASK_MARGIN, MASK_SOFTNESS = 0.03, 0.012  # of a crop's side
FULLY_MASKED = 0.7  # fidelity up to which the mask counts in full; at 1, where nothing is invented, it does not count

# A photo is called sharp where its face has nearly the network's own pixels, is
# crisp and is clean. Sharp portraits score 0.31 to 0.44 in blur, the same after a light
# degradation 0.43 to 0.59; their noise stays below 2.5 grey levels.
SHARP_BLUR = 0.45
SHARP_NOISE = 3.0
SHARP_RESOLUTION = 0.75


def check_upscale(photos: list[Image], upscale: int) -> None:
    """Raises FaceReconError where a photo cannot be enlarged by ``upscale``."""
    if upscale not in UPSCALES:
        raise FaceReconError(f"The photo can be enlarged by 1, 2 or 4; {upscale} is not one of them.")
    height, width = max((photo.shape[:2] for photo in photos), key=lambda shape: shape[0] * shape[1])
    if height * width * upscale**2 > MAX_OUTPUT_PIXELS:
        raise FaceReconError(
            f"Enlarged {upscale} times, a photo of {width} x {height} would be too large to hold: choose a smaller upscale."
        )


def is_sharp(face: RestoredFace) -> bool:
    """Whether the photo was already sharp at this face, by ``SHARP_BLUR``, ``SHARP_NOISE``, ``SHARP_RESOLUTION``."""
    q = face.quality
    return q["blur_before"] <= SHARP_BLUR and q["noise_before"] <= SHARP_NOISE and q["resolution"] >= SHARP_RESOLUTION


def enlarge(image: Image, factor: int) -> Image:
    """A photo ``factor`` times the size, by a Lanczos filter."""
    height, width = image.shape[:2]
    if factor == 1:
        return image
    return cv2.resize(image, (width * factor, height * factor), interpolation=cv2.INTER_LANCZOS4)


def paste_faces(photo: Image, faces: list[RestoredFace], scale: int) -> Image:
    """The photo at ``scale`` times its size, with the restored faces in their places."""
    image = enlarge(photo, scale)
    around = [face.surroundings for face in faces if face.surroundings is not None]
    if around:
        image = paste_crops(image, [crop for crop, _ in around], [matrix for _, matrix in around], scale=scale)
    masks = [crop_mask(len(face.restored)) if face.mask is None else face.mask for face in faces]
    return paste_crops(image, [face.restored for face in faces], [face.matrix for face in faces], masks, scale)


def invented_mask(masks: FaceMasks, matrix: np.ndarray, size: int, fidelity: float) -> np.ndarray:
    """Where a restored crop counts: on face, hair and neck, but not on what is in front of them or behind.

    Elsewhere its surroundings show, which were restored faithfully.

    Args:
        masks: of the face.
        matrix: (2, 3), pixels of the photo to pixels of the crop.
        size: side of the crop.
        fidelity: that of the restored crop; the closer to 1, the less is invented and the less the masks count.

    Returns:
        (size, size) float32 in [0, 1].
    """
    person = masks.on(PERSON, matrix, size, beyond=1.0)
    wide = np.clip(2 * cv2.GaussianBlur(person, (0, 0), MASK_MARGIN * size), 0, 1)
    before = np.clip(2 * masks.on(("other",), matrix, size) - 0.5, 0, 1)  # a slight suspicion covers nothing
    own = np.maximum(wide, person) * (1 - before)
    own = cv2.GaussianBlur(own, (0, 0), MASK_SOFTNESS * size)
    share = min(1.0, (1 - fidelity) / (1 - FULLY_MASKED))
    return crop_mask(size) * (1 - share * (1 - own))


def reconstruction_sources(
    photo: Image, restoration: Restoration, sharp: Sequence[bool] | None = None
) -> list[tuple[Image, int]]:
    """For each face the image its head is rebuilt from, and how many times larger than the photo that is.

    Where the photo is sharp it is the photo; elsewhere the photo with the restored
    faces, large enough to hold all that the restored crops show. ``sharp`` says so for each
    face where it was decided before; by default ``is_sharp`` does.
    """
    sharp = [is_sharp(face) for face in restoration.faces] if sharp is None else sharp
    dull = [face for face, clear in zip(restoration.faces, sharp) if not clear]
    if not dull:
        return [(photo, 1)] * len(restoration.faces)
    wanted = max(1.0 / face.quality["resolution"] for face in dull)
    fitting = [s for s in UPSCALES if s == 1 or photo.shape[0] * photo.shape[1] * s * s <= MAX_WORKING_PIXELS]
    scale = next((s for s in fitting if s >= wanted), fitting[-1])
    ready = scale == restoration.upscale
    image = restoration.image if ready else paste_faces(photo, restoration.faces, scale)
    return [(photo, 1) if clear else (image, scale) for clear in sharp]


def align_face(photo: Image, index: int, face: Face) -> RestoredFace:
    """A face cut out of its photo, about as fine as the photo has it, not yet restored."""
    smallest = CROP_SIZES[0]
    matrix = similarity_from_points(face.points, smallest, "restoration")
    resolution = 1.0 / float(np.hypot(*matrix[:, 0]))  # photo pixels per pixel of the smallest crop
    size = next((s for s in CROP_SIZES if s >= resolution * smallest), CROP_SIZES[-1])
    matrix = similarity_from_points(face.points, size, "restoration")
    crop = warp(photo, matrix, size)
    return RestoredFace(index, face, crop, crop, matrix, {"resolution": resolution})


def align_surroundings(photo: Image, face: RestoredFace) -> tuple[Image, np.ndarray]:
    """A wider crop round an aligned face, of the same number of pixels, and its matrix.

    Restored faithfully and pasted below the face it brings hair, ears and neck along, so that
    no border between a mended face and a damaged head shows.
    """
    size = len(face.crop)
    matrix = face.matrix / SURROUNDINGS
    matrix[:, 2] += (size - 1) / 2 * (1 - 1 / SURROUNDINGS)
    return warp(photo, matrix, size), matrix


def finish_face(face: RestoredFace, restored: Image) -> RestoredFace:
    """A face with its restored crop and its scores.

    ``resolution`` is in photo pixels a pixel of the smallest crop; ``blur_before`` and
    ``blur_after`` in [0, 1]; ``noise_before`` in grey levels; ``agreement_db`` is the
    PSNR between the crop before and after.
    """
    before, after = (resize(crop, CROP_SIZES[0]) for crop in (face.crop, restored))
    error = float(np.mean((before.astype(np.float32) - after) ** 2))
    quality = {
        **face.quality,
        "blur_before": blur_score(before),
        "blur_after": blur_score(after),
        "noise_before": noise_sigma(face.crop),
        "agreement_db": float(min(10 * np.log10(255**2 / max(error, 1e-6)), 99.0)),
    }
    return replace(face, restored=restored, quality=quality)
