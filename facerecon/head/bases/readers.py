"""Readers of FLAME, BFM and GNM in the files their makers give out.

FLAME (Li et al. 2017): ``generic_model.pkl`` or the same arrays as ``.npz``. Basel Face Model
2009 (Paysan et al.): ``01_MorphableModel.mat``; 2017 and 2019 (Gerig et al.): ``model2017-1_*.h5``.
GNM head (Google): ``gnm_head.npz``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facerecon.head.bases.linear import BasisError, LinearBasis, make_basis
from facerecon.head.bases.unpickle import read_arrays

FLAME_IDENTITY = 300  # of the 400 directions of the public models, the others are expressions
MICROMETRE, MILLIMETRE, METRE = 1e-6, 1e-3, 1.0


def load_basis(path: str | Path) -> LinearBasis:
    """A head model by what its file holds.

    Raises:
        BasisError: the file is missing, damaged or none of the known models.
    """
    path = Path(path)
    if not path.is_file():
        raise BasisError(f"The head model is missing: there is no file {path}.")
    readers: dict[str, Callable[[Path], LinearBasis]] = {
        ".pkl": lambda file: _flame(read_arrays(file), file),
        ".npz": _npz,
        ".mat": _bfm_2009,
        ".h5": _bfm_2017,
    }
    if path.suffix.lower() not in readers:
        raise BasisError(f"{path.name} is no head model: use FLAME (.pkl, .npz), BFM (.mat, .h5) or GNM (.npz).")
    return readers[path.suffix.lower()](path)


def _npz(path: Path) -> LinearBasis:
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = ("template_vertex_positions", "vertex_identity_basis", "expression_basis", "triangles")
            wanted += ("v_template", "shapedirs", "f")
            arrays = {name: file[name] for name in wanted if name in file.files}
    except (OSError, ValueError) as error:
        raise BasisError(f"The head model {path.name} cannot be read: {error}.") from error
    if "v_template" in arrays:
        return _flame(arrays, path)
    names = ("template_vertex_positions", "vertex_identity_basis", "expression_basis", "triangles")
    return make_basis("gnm", *_need(arrays, names, path), METRE)


def _flame(arrays: Mapping[str, np.ndarray], path: Path) -> LinearBasis:
    template, directions, faces = _need(arrays, ("v_template", "shapedirs", "f"), path)
    if directions.ndim != 3:
        raise BasisError(f"The shape directions of {path.name} are not (vertices, 3, components).")
    directions = np.moveaxis(directions, 2, 0)
    # A file cut down to fewer components keeps the public models' proportions.
    split = FLAME_IDENTITY if len(directions) >= FLAME_IDENTITY else round(0.75 * len(directions))
    return make_basis("flame", template, directions[:split], directions[split:], faces, METRE)


def _bfm_2009(path: Path) -> LinearBasis:
    from scipy.io import loadmat

    try:
        arrays = loadmat(path)
    except Exception as error:  # scipy has many names for a damaged file
        raise BasisError(f"The head model {path.name} cannot be read: {error}.") from error
    mean, components, deviations, faces = _need(arrays, ("shapeMU", "shapePC", "shapeEV", "tl"), path)
    identity = _columns(components, deviations.ravel(), path)
    return make_basis("bfm", mean, identity, None, faces.astype(np.int64) - 1, MICROMETRE)


def _bfm_2017(path: Path) -> LinearBasis:
    try:
        import h5py
    except ImportError as error:
        raise BasisError(f"Reading {path.name} needs the package h5py: pip install h5py.") from error
    try:
        with h5py.File(path, "r") as file:
            keys = [f"{part}/model/{name}" for part in ("shape", "expression") for name in ("mean", "pcaBasis", "pcaVariance")]
            arrays = {key: file[key][()] for key in (*keys, "shape/representer/cells") if key in file}
    except OSError as error:
        raise BasisError(f"The head model {path.name} cannot be read: {error}.") from error
    mean, components, variance, cells = _need(arrays, (*keys[:3], "shape/representer/cells"), path)
    identity, expression = _columns(components, np.sqrt(variance.ravel()), path), None
    if keys[4] in arrays:
        more, directions, spread = _need(arrays, tuple(keys[3:]), path)
        mean, expression = mean + more, _columns(directions, np.sqrt(spread.ravel()), path)
    faces = cells.T if cells.shape[0] == 3 else cells
    return make_basis("bfm", mean, identity, expression, faces, MILLIMETRE)


def _columns(components: np.ndarray, deviations: np.ndarray, path: Path) -> np.ndarray:
    """Components (3 V, K) times their deviations (K,), as (K, V, 3)."""
    if components.ndim != 2 or components.shape[1] != len(deviations) or components.shape[0] % 3:
        raise BasisError(f"The components of {path.name} do not fit their deviations.")
    return (components * deviations).T.reshape(len(deviations), -1, 3)


def _need(arrays: Mapping[str, Any], names: tuple[str, ...], path: Path) -> list[np.ndarray]:
    missing = [name for name in names if name not in arrays]
    if missing:
        raise BasisError(f"{path.name} is no head model that can be read: it has no {missing[0]}.")
    return [np.asarray(arrays[name]) for name in names]
