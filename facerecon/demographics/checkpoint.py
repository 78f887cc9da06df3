"""The estimator's file: convolutions as whole numbers of 6 bits with a scale for each output channel, the rest float16."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from facerecon.demographics.network import DemographicsNetwork, NetworkConfig, fold
from facerecon.quantization import compress, expand
from facerecon.types import FaceReconError

FILE = "demographics.safetensors"
COARSE = ("stages.",)  # what takes 6 bits


def save(path: Path, network: DemographicsNetwork, temperatures: dict[str, float], facts: dict | None = None) -> None:
    """Writes a folded network with the temperatures of its heads, and facts for the reader."""
    metadata = {"config": network.config.to_dict(), "temperatures": temperatures, "facts": facts or {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(compress(network.state_dict(), COARSE), path, {k: json.dumps(v) for k, v in metadata.items()})


def load(path: Path) -> tuple[DemographicsNetwork, dict[str, float]]:
    """The folded network, float32 and ready for use, and the temperatures of its heads.

    Raises:
        FaceReconError: the file is no such checkpoint.
    """
    try:
        with safe_open(str(path), "pt") as handle:
            metadata = handle.metadata()
        network = fold(DemographicsNetwork(NetworkConfig.from_dict(json.loads(metadata["config"]))))
        network.load_state_dict(expand(load_file(path)))
        return network, json.loads(metadata["temperatures"])
    except Exception as error:
        raise FaceReconError(f"The demographics checkpoint {path.name} cannot be used: {error}") from error
