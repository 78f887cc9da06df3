"""Reads and writes the embedding network: one safetensors file, its size in the metadata."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facerecon.checkpoints import CheckpointError, load_weights
from facerecon.identity.network import IdentityConfig, IdentityNetwork

FILE_NAME = "identity.safetensors"


def save_network(network: IdentityNetwork, path: Path) -> None:
    """Writes a network in float16, aside first and then renamed."""
    tensors = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    save_file(tensors, aside, metadata={"config": json.dumps(asdict(network.config))})
    aside.rename(path)


def load_network(path: Path) -> IdentityNetwork:
    """The network of a file that :func:`save_network` wrote, float32, for inference.

    Raises:
        CheckpointError: the file is missing, is something else, or does not fit this code.
    """
    weights = load_weights(path)
    try:
        with safe_open(path, "pt") as file:
            values = json.loads((file.metadata() or {})["config"])
        config = IdentityConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        network = IdentityNetwork(config)
        network.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in weights.items()})
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"The checkpoint {path} holds no face embedding of this version.") from error
    return network.eval()
