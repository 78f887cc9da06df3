"""What the way of a photo is gone with: detector, networks and head, each loaded at its first use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from facerecon import __version__
from facerecon.checkpoints import checkpoint_version, find_checkpoint, find_optional

_CHECKPOINTS = {"restorer": ("restoration",), "head": ("head",), "reconstructor": ("reconstruction", "appearance", "demographics")}
# Those that a part uses where they are there: their change, too, is a reason to do photos again.
_OPTIONAL = {
    "detector": ("detector", "landmarker", "mouth"),
    "restorer": ("identity", "quality", "colour", "texture", "parsing"),
    "reconstructor": ("shape", "identity", "parsing", "detail", "skin"),
}


class PipelineParts:
    """The parts of ``facerecon.pipeline.FaceReconstructor``, whose arguments these are; one that is handed over is used as it is."""

    def __init__(
        self,
        detector: Any = None,
        restorer: Any = None,
        reconstructor: Any = None,
        head: Any = None,
        device: str = "auto",
        detector_options: dict[str, Any] | None = None,
    ) -> None:
        self.device = device
        self._detector_options = {"refine": True, "device": device, **(detector_options or {})}
        given = {"detector": detector, "restorer": restorer, "reconstructor": reconstructor, "head": head}
        self._handed_over = {name: part for name, part in given.items() if part is not None}
        self.__dict__.update(self._handed_over)

    @cached_property
    def detector(self) -> Any:
        """Finds faces."""
        from facerecon.faces.detect import create_detector

        return create_detector(**self._detector_options)

    @cached_property
    def restorer(self) -> Any:
        """Restores crops."""
        from facerecon.restoration.restorer import FaceRestorer

        return FaceRestorer.from_pretrained(device=self.device)

    @cached_property
    def colouriser(self) -> Any:
        """Colours monochrome photos."""
        from facerecon.restoration.colouring import Colouriser

        return Colouriser.from_pretrained(device=self.device)

    @cached_property
    def parser(self) -> Any:
        """Tells face and hair from what is before and behind them; None where its weights are missing."""
        from facerecon.faces.parsing import FaceParser

        return FaceParser.shipped(self.device)

    @cached_property
    def scorer(self) -> Any:
        """Says how far a restored face may be believed."""
        from facerecon.restoration.scoring import FaceScorer

        return FaceScorer(device=self.device)

    @cached_property
    def head(self) -> Any:
        """The morphable head that reconstructions are parameters of."""
        from facerecon.head.model import HeadModel

        return HeadModel.from_pretrained()

    @cached_property
    def reconstructor(self) -> Any:
        """Rebuilds heads."""
        from facerecon.reconstruction.reconstructor import HeadReconstructor

        return HeadReconstructor.from_pretrained(device=self.device, head=self.head, parser=self.parser)

    def load(self, restoration: bool = True, reconstruction: bool = True) -> None:
        """Loads what the next call needs now, so that it does not wait; raises FaceReconError as that call would."""
        for part in ["detector"] + ["restorer"] * restoration + ["head", "reconstructor"] * reconstruction:
            getattr(self, part)

    def versions(self, restoration: bool = True, reconstruction: bool = True) -> dict[str, str]:
        """Which code and weights the results come from; loads no network.

        Raises:
            CheckpointError: a checkpoint that is needed was not found.
        """
        parts = ["detector"] + ["restorer"] * restoration + ["head", "reconstructor"] * reconstruction
        versions = {"facerecon": __version__}
        for part in parts:
            for name in _OPTIONAL.get(part, ()) if part not in self._handed_over else ():
                if (path := find_optional(name)) is not None:
                    versions[name] = checkpoint_version(path)
            for name in _CHECKPOINTS.get(part, ()):
                if part in self._handed_over:
                    versions[name] = str(getattr(self._handed_over[part], "version", "custom"))
                else:
                    versions[name] = checkpoint_version(find_checkpoint(name))
        return versions
