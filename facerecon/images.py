"""Reads photos of any sort as sRGB and writes files that are whole or absent."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageCms, UnidentifiedImageError

from facerecon.types import FaceReconError, Image

logger = logging.getLogger(__name__)

# A header that promises more than this is refused before anything is decoded.
LARGEST_PIXELS = 120_000_000
# Photos larger than this are reduced while they are read, so that a batch stays within 2 GB.
WORKING_PIXELS = 16_000_000
ANIMATED_FORMATS = ("GIF", "WEBP", "PNG", "AVIF")
JPEG_QUALITY = 93

_EXIF_FOLDER, _FOCAL_35MM = 0x8769, 0xA405
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
_NEARLY_ALL = 0.99  # of a float picture's values

# Ours is the stricter limit, and its message is clearer than Pillow's.
PillowImage.MAX_IMAGE_PIXELS = None
# Of metadata that it passes over; what is wrong with the pixels is an error. Not by a context: photos are read in threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class ImageError(FaceReconError):
    """A picture that cannot be read or written, and why."""


def load_image(path: str | Path, max_pixels: int = WORKING_PIXELS) -> Image:
    """A photo as it is meant to be seen.

    Turned upright by its EXIF tag, brought to sRGB by its embedded profile, transparency
    laid over white, 16 bits scaled to 8, CMYK, grey and palettes made RGB.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF of one frame, or whatever else Pillow reads.
        max_pixels: larger photos are reduced to fit, with a warning in the log.

    Returns:
        (H, W, 3) uint8 sRGB.

    Raises:
        ImageError: no such file, a folder, empty, not a picture, cut off, an animation,
            or more than ``LARGEST_PIXELS``.
    """
    path = Path(path)
    with _open(path) as picture:
        _refuse_animation(path, picture)
        width, height = picture.size
        if width * height > LARGEST_PIXELS:
            raise ImageError(
                f"{path.name} is {width} x {height} pixels; at most {LARGEST_PIXELS // 1_000_000} megapixels can be read."
            )
        upright = _orientation(path, picture)
        picture = _decode(path, picture, max_pixels)
        rgb = _to_srgb(path, picture)
    if upright is not None:
        rgb = rgb.transpose(upright)
    return np.array(rgb)


def check_photo(photo: object) -> None:
    """Refuses what is no photo as :func:`load_image` gives them: grey, RGBA, floats, other libraries' pictures, paths.

    Raises:
        ImageError: says what it is.
    """
    if isinstance(photo, np.ndarray):
        if photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3:
            return
        found = f"an array of {photo.dtype} and shape {photo.shape}"
    else:
        found = f"of type {type(photo).__name__}"
    raise ImageError(f"A photo must be an (H, W, 3) array of uint8 in RGB, as load_image gives it; this one is {found}.")


def focal_px_from_exif(path: str | Path, width: int) -> float | None:
    """Focal length in pixels from EXIF's 35 mm equivalent, which compares diagonals.

    Args:
        path: the photo; unreadable files count as having no tag.
        width: pixels across the upright photo as it was loaded, perhaps reduced.

    Returns:
        Pixels, or None when the tag is absent.
    """
    try:
        with PillowImage.open(path) as picture:
            focal_mm = float(picture.getexif().get_ifd(_EXIF_FOLDER).get(_FOCAL_35MM) or 0)
            full = picture.size
            upright = _orientation(Path(path), picture)
    except Exception:  # Pillow raises anything on broken metadata; a photo without a tag is normal.
        return None
    turned = upright in (
        PillowImage.Transpose.ROTATE_90,
        PillowImage.Transpose.ROTATE_270,
        PillowImage.Transpose.TRANSPOSE,
        PillowImage.Transpose.TRANSVERSE,
    )
    full_width = full[1] if turned else full[0]
    if not 1 <= focal_mm <= 2000:
        return None
    return focal_mm / _FILM_DIAGONAL_MM * math.hypot(*full) * width / full_width


def save_image(path: str | Path, image: Image, quality: int = JPEG_QUALITY) -> None:
    """Writes ``image`` (H, W, 3) or (H, W) uint8 in the format of the file's ending; ``quality``, 1 to 95, of JPEG and WebP.

    Raises:
        ImageError: unknown ending, or the disk refuses.
    """
    path = Path(path)
    kind = PillowImage.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"{path.name} does not end like a picture: use .png, .jpg or .webp.")
    options = {"JPEG": {"quality": quality, "subsampling": 0}, "WEBP": {"quality": quality}, "PNG": {"compress_level": 4}}
    with atomic_write(path) as part:
        PillowImage.fromarray(np.ascontiguousarray(image)).save(part, kind, **options.get(kind, {}))


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path``; when the block ends well it takes the name.

    The temporary name is always the same, so that what a killed run left behind is
    overwritten by the next one. The folder is made where missing.

    Raises:
        ImageError: the file cannot be written (a full disk, no permission).
    """
    path = Path(path)
    part = path.with_name(f".part-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        sync(part)
        os.replace(part, path)
        sync(path.parent)
    except OSError as error:
        _remove(part)
        raise ImageError(f"{path} cannot be written: {error.strerror or error}.") from error
    except BaseException:
        _remove(part)
        raise


def _remove(part: Path) -> None:
    with suppress(OSError):
        part.unlink()


def sync(path: Path) -> None:
    """Waits until the disk holds what was written to a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> PillowImage.Image:
    try:
        if path.is_dir():
            raise ImageError(f"{path.name} is a folder, not a picture.")
        if path.stat().st_size == 0:
            raise ImageError(f"{path.name} is empty.")
        return PillowImage.open(path)
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist.") from error
    except UnidentifiedImageError as error:
        hint = " (save HEIC photos as JPEG first)" if path.suffix.lower() in (".heic", ".heif") else ""
        raise ImageError(f"{path.name} is not a picture that can be read{hint}.") from error
    except ImageError:
        raise
    except PermissionError as error:
        raise ImageError(f"{path.name} may not be read: permission denied.") from error
    except Exception as error:  # Pillow's parsers raise many types on malformed headers.
        raise ImageError(f"{path.name} cannot be opened: {error}.") from error


def _refuse_animation(path: Path, picture: PillowImage.Image) -> None:
    try:
        frames = getattr(picture, "n_frames", 1)
    except Exception as error:
        raise ImageError(f"{path.name} is cut off or damaged: {error}.") from error
    if frames < 2:
        return
    if picture.format in ANIMATED_FORMATS:
        raise ImageError(f"{path.name} is an animation with {frames} frames; give a single frame.")
    if picture.format == "TIFF":
        logger.warning("%s has %d pages; the first is used.", path.name, frames)


def _orientation(path: Path, picture: PillowImage.Image) -> PillowImage.Transpose | None:
    if picture.format == "TIFF":  # Pillow turns these itself, sizes as it opens them and pixels as it loads them
        return None
    turn = PillowImage.Transpose
    table = {
        2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM, 5: turn.TRANSPOSE,
        6: turn.ROTATE_270, 7: turn.TRANSVERSE, 8: turn.ROTATE_90,
    }  # fmt: skip
    try:
        return table.get(picture.getexif().get(0x0112, 1))
    except Exception:  # broken metadata should not cost the photo
        logger.warning("%s has unreadable EXIF data; it is taken as upright.", path.name)
        return None


def _decode(path: Path, picture: PillowImage.Image, max_pixels: int) -> PillowImage.Image:
    """Decodes, reducing as early as the format allows."""
    width, height = picture.size
    shrink = math.sqrt(max(1.0, width * height / max_pixels))
    target = max(1, int(width / shrink)), max(1, int(height / shrink))
    try:
        if shrink > 1:
            picture.draft(None, target)  # JPEG alone decodes at a half, a quarter or an eighth
        picture.load()
    except MemoryError as error:
        raise ImageError(f"{path.name} does not fit into memory.") from error
    except Exception as error:  # truncated or corrupt: OSError, SyntaxError, zlib, struct errors
        raise ImageError(f"{path.name} is cut off or damaged: {error}.") from error
    picture = _eight_bits(path, picture)
    if shrink > 1:
        logger.warning("%s is %d x %d pixels; it is reduced to %d x %d.", path.name, width, height, *target)
        if picture.mode in ("P", "PA", "1"):
            picture = picture.convert("RGBA" if "transparency" in picture.info or picture.mode == "PA" else "RGB")
        profile = picture.info.get("icc_profile")
        picture = picture.resize(target, PillowImage.Resampling.LANCZOS, reducing_gap=2.0)
        picture.info["icc_profile"] = profile
    return picture


def _eight_bits(path: Path, picture: PillowImage.Image) -> PillowImage.Image:
    """Scales integer and float greys to 0 to 255; ``convert`` would clip them to white.

    Raises:
        ImageError: not one of the values is a number.
    """
    if not (picture.mode.startswith("I") or picture.mode == "F"):
        return picture
    values = np.asarray(picture).astype(np.float32)
    known = values[np.isfinite(values)]
    if not known.size:
        raise ImageError(f"{path.name} holds no pixel whose value is a number.")
    # A few floats lie beyond white: what resampling overshot, glints, stand-ins for what was not measured.
    top = float(np.quantile(known, _NEARLY_ALL) if picture.mode == "F" else known.max())
    values[np.isnan(values)] = 0.0
    if picture.mode.startswith("I;16"):
        white = 65535.0
    elif picture.mode == "F" and top <= 1.0:
        white = 1.0
    else:
        white = next((w for w in (255.0, 65535.0) if top <= w), top)
    grey = PillowImage.fromarray((np.clip(values / white, 0, 1) * 255 + 0.5).astype(np.uint8))
    grey.info["icc_profile"] = picture.info.get("icc_profile")
    return grey


def _to_srgb(path: Path, picture: PillowImage.Image) -> PillowImage.Image:
    profile = picture.info.get("icc_profile")
    if picture.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    alpha = None
    if picture.mode == "RGBA":
        alpha = picture.getchannel("A")
        picture = picture.convert("RGB")
    picture = _apply_profile(path, picture, profile).convert("RGB")
    if alpha is None or alpha.getextrema()[0] == 255:
        return picture
    return PillowImage.composite(picture, PillowImage.new("RGB", picture.size, "white"), alpha)


def _apply_profile(path: Path, picture: PillowImage.Image, profile: bytes | None) -> PillowImage.Image:
    if not profile or picture.mode not in ("RGB", "CMYK", "L", "LAB"):
        return picture
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return picture
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        logger.warning("%s has an unusable colour profile; it is ignored.", path.name)
        return picture
