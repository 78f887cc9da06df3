"""The morphable head model."""

from __future__ import annotations

from facerecon.head.model import HeadModel
from facerecon.head.storage import HeadModelError

__all__ = ["HeadModel", "HeadModelError"]
