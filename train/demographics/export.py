"""Makes the shipped file of a trained estimator: calibrated, folded, 6 bits a weight.

    python -m train.demographics.export --data runs/demographics_data --run runs/demographics --output weights/demographics

Temperatures are fitted on the faces that training held out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from facerecon.demographics import checkpoint
from facerecon.demographics.network import DemographicsNetwork, NetworkConfig, fold
from train.command_line import command
from train.demographics.calibrate import held_out_logits, summary, temperatures
from train.demographics.data import Faces


def export(run: Path, faces: Faces, output: Path) -> dict:
    """Writes ``output/demographics.safetensors``; returns temperatures and what the stored network says of the faces held out."""
    trained = torch.load(run / "demographics.pt", map_location="cpu", weights_only=False)
    network = DemographicsNetwork(NetworkConfig.from_dict(trained["config"]))
    network.load_state_dict(trained["weights"])
    folded = fold(network)
    folded.load_state_dict(checkpoint.expand(checkpoint.compress(folded.state_dict(), checkpoint.COARSE)))
    folded.to(torch.bfloat16).to(memory_format=torch.channels_last)
    logits, labels = held_out_logits(folded, faces)
    fitted, report = temperatures(logits, labels), summary(logits, labels)
    facts = {"steps": trained["steps"], "minutes": trained["minutes"], "faces": trained["faces"], "held_out": report}
    checkpoint.save(output / checkpoint.FILE, folded.float(), fitted, facts)
    return {"temperatures": fitted, **facts}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of train.demographics.prepare")
    parser.add_argument("--run", type=Path, default=Path("runs/demographics"))
    parser.add_argument("--output", type=Path, default=Path("weights/demographics"))
    args = parser.parse_args()
    print(json.dumps(export(args.run, Faces(args.data), args.output), indent=2))


if __name__ == "__main__":
    command(main)
