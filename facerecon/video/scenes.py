"""Notices where one shot ends and another begins."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image

_WIDTH, _HEIGHT = 64, 36
# Mean change of hue, saturation and value that a cut exceeds (PySceneDetect's content detector uses 27),
# and by how much it must stand out from the changes before it, so that fast motion is no cut.
CUT_CHANGE = 27.0
CUT_RATIO = 3.0
_MEMORY = 0.8  # share of the running mean that each frame leaves


class SceneCuts:
    """Watches frames go by, in order.

    A change counts when it is large both by itself and beside the running mean of the
    changes before it, as PySceneDetect's adaptive detector has it, without looking ahead. A shot
    has at least two frames.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._usual = np.inf  # not known yet

    def update(self, image: Image) -> bool:
        """Whether this frame (H, W, 3) uint8 begins a new shot; the first frame does not."""
        small = cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
        hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.int16)
        last, self._last = self._last, hsv
        if last is None:
            return False
        difference = np.abs(hsv - last)
        difference[..., 0] = np.minimum(difference[..., 0], 180 - difference[..., 0])  # hue is a circle
        change = float(difference.mean())
        cut = change > CUT_CHANGE and change > CUT_RATIO * self._usual
        known = np.isfinite(self._usual)
        self._usual = np.inf if cut else _MEMORY * self._usual + (1 - _MEMORY) * change if known else change
        return cut

    def state(self) -> dict[str, np.ndarray]:
        """All that the next frame needs."""
        last = np.zeros((0, _WIDTH, 3), np.int16) if self._last is None else self._last
        return {"last": last, "usual": np.array(self._usual)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a state."""
        self._last = state["last"] if len(state["last"]) else None
        self._usual = float(state["usual"])
