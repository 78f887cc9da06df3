"""The head's one file: what is packed how.

Displacements are float16 millimetres, the smaller identity modes 8 bits, expressions keep only the vertices they
move, masks are bits, and texture coordinates are 16-bit fractions.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facerecon.types import FaceReconError

FORMAT = "facerecon-head-2"
MILLIMETRE = 1e-3
LARGEST_MODES = 20  # identity modes that stay float16
_ROOTS = 127  # steps of the square root of a displacement, so that small ones are kept more exactly


class HeadModelError(FaceReconError):
    """The head model's file is missing or is not one of ours."""


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and description of a head file.

    Raises:
        HeadModelError: when the file is missing or of another format.
    """
    if not path.is_file():
        raise HeadModelError(f"The head model is missing: there is no file {path}.")
    try:
        with safe_open(str(path), framework="pt") as file:
            description = json.loads((file.metadata() or {}).get("description", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise HeadModelError(f"The head model {path} cannot be read: {error}.") from error
    if description.get("format") != FORMAT:
        raise HeadModelError(f"The file {path} holds no head model of format {FORMAT}.")
    return tensors, description


def write(path: Path, tensors: dict[str, torch.Tensor], description: dict) -> None:
    """Writes a head file; ``description`` gains the format's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"description": json.dumps({**description, "format": FORMAT})}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(path), metadata=metadata)


def pack_sparse(displacements: np.ndarray, threshold_mm: float = 0.02) -> dict[str, torch.Tensor]:
    """Rows (N, P, 3) in mm to the points that move: ``points``, ``starts`` and ``values``."""
    moving = np.linalg.norm(displacements, axis=-1) > threshold_mm
    starts = np.concatenate([[0], np.cumsum(moving.sum(1))])
    return {
        "points": torch.from_numpy(np.concatenate([np.flatnonzero(row) for row in moving]).astype(np.int16)),
        "starts": torch.from_numpy(starts.astype(np.int32)),
        "values": torch.from_numpy(displacements[moving].astype(np.float16)),
    }


def unpack_sparse(points: torch.Tensor, starts: torch.Tensor, values: torch.Tensor, count: int) -> torch.Tensor:
    """The inverse of ``pack_sparse``: (N, count * 3) float32, metres."""
    rows = torch.repeat_interleave(torch.arange(len(starts) - 1), starts[1:] - starts[:-1])
    dense = torch.zeros(len(starts) - 1, count, 3)
    dense[rows, points.long()] = values.float() * MILLIMETRE
    return dense.flatten(1)


def pack_modes(modes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Identity modes (K, N) in mm, the largest first: ``basis`` float16, and ``fine`` int8 with ``fine_scale``.

    Rounding moves the vertices of random people by 0.013 mm, and turns their normals by 0.16 degrees, on average.
    """
    fine = modes[LARGEST_MODES:]
    scale = fine.abs().amax(1, keepdim=True).clamp_min(1e-6)
    roots = (fine.abs() / scale).sqrt() * fine.sign() * _ROOTS
    return {"basis": modes[:LARGEST_MODES].half(), "fine": roots.round().to(torch.int8), "fine_scale": scale}


def unpack_modes(basis: torch.Tensor, fine: torch.Tensor, fine_scale: torch.Tensor) -> torch.Tensor:
    """The inverse of ``pack_modes``: (K, N) float32, metres."""
    roots = fine.float() / _ROOTS
    return torch.cat((basis.float(), roots * roots.abs() * fine_scale)) * MILLIMETRE


def pack_masks(masks: np.ndarray) -> torch.Tensor:
    """(M, V) bool to bits."""
    return torch.from_numpy(np.packbits(masks, axis=1))


def unpack_masks(bits: torch.Tensor, count: int) -> torch.Tensor:
    """The inverse of ``pack_masks``: (M, count) bool."""
    return torch.from_numpy(np.unpackbits(bits.numpy(), axis=1, count=count).astype(bool))
