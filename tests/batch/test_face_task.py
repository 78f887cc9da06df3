"""What tasks of one network for all faces share."""

from __future__ import annotations

from batch.face_task import FaceTask


class Nothing(FaceTask):
    """Looks for faces and does nothing with them."""

    def make_network(self) -> str:
        """No network."""
        return "none"

    def compute(self, prepared, write):
        """Nothing."""

    def write(self, computed):
        """Nothing."""


def test_faces_are_looked_for_on_the_device_of_the_network() -> None:
    task = Nothing(device="meta")
    task.load()
    assert task._finder.device.type == "meta"
