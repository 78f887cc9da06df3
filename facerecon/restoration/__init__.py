"""Restoration of degraded faces: codebook, code transformer, controllable feature transform.

The networks' modules are imported when one is asked for, as torch takes seconds and 200 MB that
those who only paste faces, or only ask which weights there are, need not spend.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "CONFIGS": "configuration",
    "CodeFormer": "codeformer",
    "FaceRestorer": "restorer",
    "RestorationConfig": "configuration",
}
__all__ = ["CONFIGS", "CodeFormer", "FaceRestorer", "RestorationConfig"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
