"""From an aligned crop to the parameters of a head, and its texture."""

from __future__ import annotations

from facerecon.reconstruction.reconstructor import HeadReconstructor

__all__ = ["HeadReconstructor"]
