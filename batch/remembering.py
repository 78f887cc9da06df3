"""A detector that finds faces while the networks still work on the photos before."""

from __future__ import annotations

from typing import Any

from facerecon.types import Face, Image


class Remembering:
    """A detector that looks ahead in one thread and answers in another.

    Args:
        detector: a ``facerecon.faces.FaceDetector``.
    """

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self._seen: dict[int, list[Face]] = {}

    def look(self, image: Image) -> None:
        """Finds the faces of an image that is soon asked for."""
        self._seen[id(image)] = self._detector.detect(image)

    def detect(self, image: Image) -> list[Face]:
        """The faces of an image."""
        found = self._seen.get(id(image))
        return self._detector.detect(image) if found is None else found

    def forget(self, image: Image) -> None:
        """An image is done with; its identity may become another's."""
        self._seen.pop(id(image), None)
