"""What a run tells while it goes on: a line for the reader of the terminal, curves and pictures for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from facerecon.types import Image


class RunLog:
    """Lines and TensorBoard events of one process; the others of a run keep silent.

    Args:
        folder: of the run; events go to its ``events``, for ``tensorboard --logdir``.
        first: step the run begins with; what an interrupted run told of later ones is dropped.
        speaks: whether this is the process that tells.
    """

    def __init__(self, folder: Path, first: int = 0, speaks: bool = True) -> None:
        self.writer = SummaryWriter(str(folder / "events"), purge_step=first) if speaks else None

    def tell(self, step: int, line: str, values: Mapping[str, float]) -> None:
        """Prints ``line`` and the values by name, and keeps the values as curves."""
        if self.writer is None:
            return
        print(f"{step} {line} " + " ".join(f"{name} {value:.4g}" for name, value in values.items()), flush=True)
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def show(self, step: int, name: str, picture: Image) -> None:
        """Keeps a picture (H, W, 3) uint8."""
        if self.writer is not None:
            self.writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Writes what is left."""
        if self.writer is not None:
            self.writer.close()
