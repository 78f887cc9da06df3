"""What ``embed``, ``cluster`` and ``label`` share: find faces, then ask one network about all faces of a batch."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

from batch.task import Task
from facerecon.checkpoints import checkpoint_version, find_checkpoint
from facerecon.faces import choose_faces, create_detector
from facerecon.pipeline import FaceReconstructor, NoFaceError
from facerecon.types import Face, Image

Found = list[tuple[int, Face]]


@dataclass
class FaceTask(Task):
    """A task whose network looks at faces, not at photos.

    Attributes:
        faces: which faces of a photo.
        detector: options of the face detector.
        max_side: photos are shrunk to this longer side, pixels; None keeps them.
        device: where the network and the detector run.
        checkpoint: name of the network's checkpoint.
        network: the network, once :meth:`load` was called.
    """

    faces: str | int = "all"
    detector: dict[str, Any] = field(default_factory=dict)
    max_side: int | None = None
    device: str = "auto"
    checkpoint = ""

    def __post_init__(self) -> None:
        self.network: Any = None
        self._finder: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "network": None, "_finder": None}

    def settings(self) -> dict[str, Any]:
        """What changes the results of a photo."""
        return {"faces": self.faces, "detector": self.detector, "max_side": self.max_side}

    def versions(self) -> dict[str, str]:
        """Of the code, the detector and the network (none for ``checkpoint`` "")."""
        found = FaceReconstructor().versions(restoration=False, reconstruction=False)
        return {**found, self.checkpoint: checkpoint_version(find_checkpoint(self.checkpoint))} if self.checkpoint else found

    def load(self) -> None:
        """Loads network and detector."""
        self._finder = self._finder or create_detector(**self.detector, device=self.device)
        self.network = self.network or self.make_network()

    @abstractmethod
    def make_network(self) -> Any:
        """The network, on its device. Raises FaceReconError."""

    def find(self, image: Image) -> Found | Exception:
        """The chosen faces of a photo, or why there are none: what is wrong with one photo must not cost the others."""
        try:
            found = self._finder.detect(image)
            if not found:
                return NoFaceError("No face was found in the photo.")
            return choose_faces(found, self.faces, image.shape)
        except Exception as error:
            return error
