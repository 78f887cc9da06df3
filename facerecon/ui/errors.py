"""Errors as sentences for visitors, with what to do about them."""

from __future__ import annotations

import html
import logging

from facerecon.images import ImageError
from facerecon.pipeline import NoFaceError
from facerecon.types import FaceReconError
from facerecon.ui.limits import TooLargeError

UNEXPECTED = "Something unexpected went wrong with this photo. Try it once more, or take another photo."
ADVICE = {  # the first that fits
    NoFaceError: "Try a photo in which the face is upright, not covered, and at least 30 pixels wide.",
    TooLargeError: "Save a smaller copy of it and take that.",
    ImageError: "A JPEG or PNG of a single picture works best.",
}


def sentence(error: Exception) -> str:
    """What a visitor reads; what was not foreseen goes to the log instead."""
    if not isinstance(error, FaceReconError):
        logging.getLogger(__name__).error("the page failed", exc_info=error)
        return UNEXPECTED
    advice = next((text for kind, text in ADVICE.items() if isinstance(error, kind)), "")
    return f"{error} {advice}".strip()


def alert(error: Exception) -> str:
    """HTML that screen readers announce at once."""
    return f'<div class="fr-alert" role="alert">{html.escape(sentence(error))}</div>'


def note(text: str) -> str:
    """HTML of a hint that is no error."""
    return f'<div class="fr-note" role="status">{html.escape(text)}</div>' if text else ""
