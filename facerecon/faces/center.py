"""The face detector that is trained here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.devices import fast_dtype, resolve_device
from facerecon.faces.align import invert, transform_points, warp
from facerecon.faces.center_network import STRIDES, CenterConfig, CenterNetwork, cell_centers, decode, overlaps, patches_of, suppress
from facerecon.faces.views import Candidates, ViewingDetector
from facerecon.types import Image

NAME = "detector"
_FIRST_LONGEST, _SECOND_LONGEST = 640, 1280  # long side of the first look and of the closer one, pixels
_SMALL, _HINT = 26.0, 0.02  # a face smaller than that in the first look, and at least that likely, deserves the closer one
_MOST_CANDIDATES = 400
_OVERLAP, _ALIKE = 0.4, 0.65  # shares of the union: two faces have less, two sights of one face more
_NESTED = 0.6  # share of the smaller box from which it lies in the other
_CROP, _CROP_FACE = 128, 60.0  # sides of the crop in which a candidate is seen again, and of the face in it, pixels
_DOUBT, _MOST_CONFIRMED = 0.05, 32  # what is less likely is not looked at again; no more than so many are
_NOTHING, _SEEN = -6.0, -2.0  # logit where no cell answers for the face; logit from which its points count
_MIRRORED_POINTS = [1, 0, 2, 4, 3]
_BATCH_PIXELS = 16 * 640 * 512  # of the pictures that the network sees at once
_GREY = 128  # what lies beside a picture in its letterbox


class CenterDetector(ViewingDetector):
    """Finds faces by a fully convolutional network, small ones by a closer look where the first suggests it.

    Args:
        network: in evaluation mode.
        threshold: as for ``create_detector``.
        min_face: as for ``create_detector``.
        device: where it runs.
        dtype: number type of the network; the fastest of the device by default.
    """

    certain = 0.93  # it has seen faces upside down
    dominant_score = 0.85
    worth_turning = 0.02

    def __init__(
        self,
        network: CenterNetwork,
        threshold: float = 0.85,
        min_face: int = 20,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(threshold, min_face)
        self.device = torch.device(device)
        self.dtype = dtype or fast_dtype(self.device)
        network = network.eval().requires_grad_(False)
        self.network = network.to(self.device, self.dtype, memory_format=torch.channels_last)
        self.network.predict.float()

    @classmethod
    def from_pretrained(
        cls, threshold: float = 0.85, min_face: int = 20, device: str = "auto", path: str | Path | None = None
    ) -> CenterDetector:
        """The shipped network, or another file of its kind.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
            FaceReconError: an argument out of range.
        """
        return cls(load_network(NAME, build, path), threshold, min_face, resolve_device(device))

    def look(self, views: list[Image], smallest: list[float]) -> list[Candidates]:
        """What is in each view; see :meth:`ViewingDetector.look`."""
        scales = [min(1.0, _FIRST_LONGEST / max(view.shape[:2])) for view in views]
        seen = self._see([_resized(view, scale) for view, scale in zip(views, scales)], scales)
        closer = [self._closer(view, found, scale, least) for view, found, scale, least in zip(views, seen, scales, smallest)]
        again = [i for i, scale in enumerate(closer) if scale]
        if again:
            second = self._see([_resized(views[i], closer[i]) for i in again], [closer[i] for i in again])
            for i, found in zip(again, second):
                seen[i] = tuple(torch.cat(both) for both in zip(seen[i], found))
        confirmed = self._confirmed(views, [_merged(*found, least) for found, least in zip(seen, smallest)])
        return [_without_nested(found) for found in confirmed]

    def _closer(self, view: Image, found: tuple[Tensor, Tensor, Tensor], scale: float, smallest: float) -> float:
        """The scale of a closer look, 0 where none is needed."""
        boxes, _, scores = found
        sizes = (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp_min(0).sqrt()
        if not ((sizes * scale < _SMALL) & (sizes > 0.7 * smallest) & (scores > _HINT)).any():
            return 0.0
        return min(2.0 * scale, _SECOND_LONGEST / max(view.shape[:2]))

    def _confirmed(self, views: list[Image], found: list[Candidates]) -> list[Candidates]:
        """Every likely candidate set upright, brought to one size and seen again with its mirror image.

        A face stays one, most others do not: the mean of the three logits is the score. The points are those of the
        two closer sights.
        """
        places = [(v, i) for v, seen in enumerate(found) for i in np.flatnonzero(seen.scores >= _DOUBT)[:_MOST_CONFIRMED]]
        if not places:
            return found
        matrices = [_upright(found[v].boxes[i], found[v].points[i]) for v, i in places]
        crops = [warp(views[v], matrix, _CROP, cv2.BORDER_CONSTANT) for (v, _), matrix in zip(places, matrices)]
        logits, points = _of_middle(self.forward([*crops, *(crop[:, ::-1] for crop in crops)], _CROP, _CROP))
        logits, (straight, mirrored) = logits.unflatten(0, (2, -1)).numpy(), points.unflatten(0, (2, -1)).numpy()
        mirrored = (mirrored * (-1, 1) + (_CROP - 1, 0))[:, _MIRRORED_POINTS]
        out = [Candidates(seen.boxes, seen.points.copy(), seen.scores.copy()) for seen in found]
        for k, ((v, i), matrix) in enumerate(zip(places, matrices)):
            score = np.clip(found[v].scores[i], 1e-6, 1 - 1e-6)
            mean = (np.log(score / (1 - score)) + logits[:, k].sum()) / 3
            out[v].scores[i] = 1 / (1 + np.exp(-mean))
            if logits[:, k].min() > _SEEN:
                back = invert(matrix)
                out[v].points[i] = transform_points((straight[k] + mirrored[k]) / 2, back)
        return out

    def _see(self, pictures: list[Image], scales: list[float]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Boxes (N, 4), points (N, 5, 2) and scores (N,) of all likely cells, in pixels before the pictures were scaled."""
        order = sorted(range(len(pictures)), key=lambda i: _canvas(pictures[i].shape))
        found: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        while order:
            height, width = _canvas(pictures[order[0]].shape)
            chunk = [order.pop(0)]
            while order and len(chunk) * height * width < _BATCH_PIXELS and _canvas(pictures[order[0]].shape) == (height, width):
                chunk.append(order.pop(0))
            cells = self.forward([pictures[i] for i in chunk], height, width)
            for i, cell in zip(chunk, cells):
                found[i] = self._likely(cell, height, width, pictures[i].shape, scales[i])
        return [found[i] for i in range(len(pictures))]

    @torch.inference_mode()
    def forward(self, pictures: Sequence[Image], height: int, width: int) -> Tensor:
        """(B, N, 15) of pictures in a letterbox, as the network gives them, on the CPU."""
        images = torch.from_numpy(letterbox(pictures, height, width)).to(self.device)
        return self.network(patches_of(images, self.dtype)).cpu()

    def _likely(
        self, cells: Tensor, height: int, width: int, shape: tuple[int, ...], scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        centers, strides = _grid(height, width)
        scores = torch.sigmoid(cells[:, 0])
        least = min(self.lowest_score, self.worth_turning, _HINT)
        index = torch.nonzero(scores >= least)[:, 0]
        if len(index) > _MOST_CANDIDATES:
            index = index[scores[index].topk(_MOST_CANDIDATES).indices]
        boxes, points = decode(cells[index], centers[index], strides[index])
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((middle > -0.5) & (middle < torch.tensor([shape[1] - 0.5, shape[0] - 0.5]))).all(1)
        boxes, points, index = boxes[inside], points[inside], index[inside]
        return (boxes + 0.5) / scale - 0.5, (points + 0.5) / scale - 0.5, scores[index]


def build(config: dict) -> CenterNetwork:
    """The network of a checkpoint's plain values, without weights."""
    return CenterNetwork(CenterConfig(**config))


def _without_nested(found: Candidates) -> Candidates:
    """Faces stand beside each other: of boxes one inside the other, the likeliest stays."""
    boxes, scores = torch.from_numpy(found.boxes), torch.from_numpy(found.scores)
    keep = suppress(boxes, scores, _NESTED, of_smaller=True).numpy()
    return Candidates(found.boxes[keep], found.points[keep], found.scores[keep])


def _upright(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The (2, 3) matrix from a view to the crop in which a candidate stands upright in the middle."""
    down = points[3:].mean(0) - points[:2].mean(0)
    length = float(np.hypot(*down))
    s, c = (-down[0] / length, down[1] / length) if length > 1e-3 else (0.0, 1.0)
    # A turned face has a larger box round it.
    size = float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1.0)))) / (1 + 0.3 * abs(2 * s * c))
    linear = _CROP_FACE / size * np.array([[c, s], [-s, c]])
    return np.concatenate((linear, ((_CROP - 1) / 2 - linear @ (box[:2] + box[2:]) / 2)[:, None]), axis=1)


def _of_middle(cells: Tensor) -> tuple[Tensor, Tensor]:
    """What cells (B, N, 15) of crops say of the face in their middle: logit (B,) and points (B, 5, 2)."""
    boxes, points = decode(cells, *_grid(_CROP, _CROP))
    low, high = (_CROP - 1 - _CROP_FACE) / 2, (_CROP - 1 + _CROP_FACE) / 2
    here = overlaps(boxes.flatten(0, 1), torch.tensor([[low, low, high, high]])).view(cells.shape[:2]) > _OVERLAP
    logits = torch.where(here, cells[..., 0], _NOTHING)
    best = logits.amax(1)
    weight = torch.softmax(2 * logits, dim=1)
    return best, torch.einsum("bn,bnpc->bpc", weight, points)


def letterbox(pictures: Sequence[Image], height: int, width: int) -> np.ndarray:
    """(B, height, width, 3) uint8: pictures at the upper left, grey beside them."""
    canvas = np.full((len(pictures), height, width, 3), _GREY, np.uint8)
    for place, picture in zip(canvas, pictures):
        place[: picture.shape[0], : picture.shape[1]] = picture
    return canvas


@lru_cache(maxsize=32)
def _grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    return cell_centers(height, width)


def _canvas(shape: tuple[int, ...]) -> tuple[int, int]:
    """The letterbox of a picture: the next multiples of the coarsest stride."""
    coarsest = STRIDES[-1]
    return -(-shape[0] // coarsest) * coarsest, -(-shape[1] // coarsest) * coarsest


def _resized(view: Image, scale: float) -> Image:
    if scale == 1.0:
        return view
    size = max(1, round(view.shape[1] * scale)), max(1, round(view.shape[0] * scale))
    return cv2.resize(view, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _merged(boxes: Tensor, points: Tensor, scores: Tensor, smallest: float) -> Candidates:
    """One candidate a face: the likeliest, its box and points the mean, by score, of all sights of the same face."""
    large = (boxes[:, 2:] - boxes[:, :2]).prod(1) >= smallest**2
    boxes, points, scores = boxes[large], points[large], scores[large]
    keep = suppress(boxes, scores, _OVERLAP)
    weight = (overlaps(boxes[keep], boxes) > _ALIKE) * scores**2
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-9)
    merged = weight @ boxes, (weight @ points.flatten(1)).unflatten(1, (5, 2)), scores[keep]
    return Candidates(*(value.numpy() for value in merged))
