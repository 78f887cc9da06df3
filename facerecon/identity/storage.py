"""Reads and writes the embedding network: one safetensors file, its size in the metadata."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from facerecon import checkpoints, quantization
from facerecon.identity.network import IdentityConfig, IdentityNetwork
from facerecon.images import atomic_write


def save_network(network: IdentityNetwork, path: Path, training: dict | None = None) -> None:
    """Writes a network compressed, aside first and then renamed; ``training`` says where it comes from."""
    metadata = {"config": json.dumps(asdict(network.config)), **({"training": json.dumps(training)} if training else {})}
    with atomic_write(path) as aside:
        save_file(quantization.compress(network.state_dict()), aside, metadata=metadata)


def load_network(path: Path | None = None) -> IdentityNetwork:
    """The shipped network, or that of a file or folder :func:`save_network` wrote to: float32, for inference.

    Raises:
        CheckpointError: the file is missing, is something else, or does not fit this code.
    """
    return checkpoints.load_network("identity", _build, path).eval()


def _build(values: dict) -> IdentityNetwork:
    return IdentityNetwork(IdentityConfig(**values))
