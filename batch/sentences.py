"""What went wrong, in so few words that they fit into a sentence."""

from __future__ import annotations

_LONGEST = 200  # characters


def in_short(error: BaseException) -> str:
    """The words of an error on one line, without a full stop; its type where it has none."""
    return (" ".join(str(error).split()) or type(error).__name__)[:_LONGEST].rstrip(".")
