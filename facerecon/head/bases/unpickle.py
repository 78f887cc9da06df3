"""Reads pickles of arrays without running what is in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy._core import multiarray

from facerecon.head.bases.linear import BasisError


class _Held:
    """Stands for an object of scipy or chumpy: only its state is kept."""

    def __init__(self, *_: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _latin(text: Any, encoding: str = "latin1") -> bytes:
    """``_codecs.encode`` as pickles of protocol 2 use it for bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("only latin1 text stands for bytes")
    return text.encode("latin1")


def _rebuild(kind: type, base: type, state: Any) -> Any:
    """``copyreg._reconstructor``, for the stand-in alone."""
    if kind is not _Held:
        raise pickle.UnpicklingError(f"{kind} must not be rebuilt")
    return _Held()


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin,
    ("builtins", "object"): object,
    ("copyreg", "_reconstructor"): _rebuild,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_module, "_reconstruct"] = multiarray._reconstruct
    _ALLOWED[_module, "scalar"] = multiarray.scalar
_PYTHON_2 = {"copy_reg": "copyreg", "__builtin__": "builtins"}
_SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Arrays; stand-ins for sparse matrices and chumpy's; nothing else."""
        module = _PYTHON_2.get(module, module)
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return _Held
        if module == "chumpy" or module.startswith("chumpy."):
            return _Held
        raise pickle.UnpicklingError(f"{module}.{name} is not an array")


def load_restricted(file: BinaryIO) -> Any:
    """What a pickle of plain values and arrays holds.

    Raises:
        pickle.UnpicklingError: it names anything else.
    """
    return _Unpickler(file, encoding="latin1").load()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The dense arrays of a pickled dictionary, chumpy's among them; sparse ones and the rest are left out.

    Raises:
        BasisError: the file is no such pickle, or names anything but arrays.
    """
    try:
        with path.open("rb") as file:
            values = load_restricted(file)
    except OSError as error:
        raise BasisError(f"The head model {path.name} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # damaged pickles raise nearly anything
        raise BasisError(f"The head model {path.name} is no pickle of arrays: {error}.") from error
    if not isinstance(values, dict):
        raise BasisError(f"The head model {path.name} holds no dictionary of arrays.")
    arrays = {str(key): _dense(value) for key, value in values.items()}
    return {key: array for key, array in arrays.items() if array is not None}


def _dense(value: Any) -> np.ndarray | None:
    if isinstance(value, _Held):  # chumpy keeps the values of an array in "x"
        value = value.state.get("x")
    return value if isinstance(value, np.ndarray) and value.dtype != object else None
