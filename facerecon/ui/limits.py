"""What the page takes from visitors, and how long it keeps what it made for them."""

from __future__ import annotations

import math
from pathlib import Path

from gradio.utils import get_upload_folder
from PIL import Image as PillowImage

from facerecon.images import ImageError, focal_px_from_exif, load_image
from facerecon.types import Face, Image

MAX_UPLOAD_BYTES = 25_000_000
MAX_UPLOAD_PIXELS = 60_000_000
WORKING_PIXELS = 12_000_000  # larger photos are reduced: a phone's picture stays as it is
MAX_FACES = 8  # of one photo, the largest
MAX_WAITING = 100  # visitors in the queue; the next is told to come back
AT_ONCE = 1  # calls of the networks; they use every core themselves
EXPORTS_AT_ONCE = 2
RUNS_KEPT = 3  # of one visitor
KEPT_SECONDS = 3600
SHARED_SECONDS = 24 * 3600
MAX_VISITORS_BYTES = 4_000_000_000
MAX_SHARED_BYTES = 2_000_000_000
PRIVATE_FOLDER = "facerecon"


class TooLargeError(ImageError):
    """A photo of more bytes or pixels than the page takes."""


def private_root() -> Path:
    """What the page writes; inside gradio's cache, so that it may be served, in folders nobody can guess."""
    return Path(get_upload_folder()) / PRIVATE_FOLDER


def kept_root() -> Path:
    """What outlives gradio's cache; never served from here, only linked into a visitor's folder."""
    uploads = Path(get_upload_folder())
    return uploads.with_name(f"{uploads.name}-{PRIVATE_FOLDER}")


def check_uploaded(path: str) -> Path:
    """The path of an upload.

    Raises:
        ImageError: it lies outside the folder of uploads, or among what the page wrote for somebody.
    """
    place, uploads = Path(path).resolve(), Path(get_upload_folder()).resolve()
    if not place.is_relative_to(uploads) or place.is_relative_to(private_root().resolve()):
        raise ImageError("Only a photo that you upload yourself can be opened.")
    return place


def open_photo(path: str | Path) -> tuple[Image, float | None]:
    """A visitor's photo, and its focal length in pixels where the file knows it.

    Raises:
        TooLargeError: too many bytes or pixels.
        ImageError: what ``load_image`` raises.
    """
    path = Path(path)
    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_UPLOAD_BYTES:
        raise TooLargeError(f"The file has {math.ceil(size / 1e6)} MB; at most {MAX_UPLOAD_BYTES / 1e6:.0f} MB can be taken.")
    width, height = _header(path)
    if width * height > MAX_UPLOAD_PIXELS:
        raise TooLargeError(
            f"The photo is {width} x {height} pixels; at most {MAX_UPLOAD_PIXELS // 1_000_000} megapixels can be taken."
        )
    photo = load_image(path, WORKING_PIXELS)
    return photo, focal_px_from_exif(path, photo.shape[1])


def _header(path: Path) -> tuple[int, int]:
    try:
        with PillowImage.open(path) as picture:
            return picture.size
    except Exception:  # load_image says in one sentence what is wrong
        return 0, 0


class LargestFaces:
    """A detector that gives only the largest faces of another, so that a crowd does not fill the memory."""

    def __init__(self, detector: object, most: int = MAX_FACES) -> None:
        self.detector, self.most = detector, most

    def detect(self, image: Image) -> list[Face]:
        """At most ``most`` faces, the largest first."""
        return sorted(self.detector.detect(image), key=lambda face: -face.size)[: self.most]
