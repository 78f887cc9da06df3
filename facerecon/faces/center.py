"""The face detector that is trained here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.devices import fast_dtype, resolve_device, to_fast
from facerecon.faces.align import MIRROR_5, invert, transform_points
from facerecon.faces.center_network import CenterConfig, CenterNetwork, decode, overlaps, patches_of, suppress
from facerecon.faces.center_pictures import Source, canvas, grid, letterbox, of_middle, resized, upright
from facerecon.faces.views import Candidates, ViewingDetector
from facerecon.types import Face, Image

NAME = "detector"
_FIRST_LONGEST, _SECOND_LONGEST = 480, 1280  # long side of the first look and of the closer one, pixels
_CLOSER = 8 / 3  # the closer look is at most so many times larger
_SMALL, _HINT = 20.0, 0.02  # a face smaller than that in the first look, and at least that likely, deserves the closer one
_AROUND = 2.0  # sizes of such a face that the closer look sees on all sides of it
_TINY = 12.0  # who asks for faces smaller than that in the first look gets the closer one anyway
_MOST_CANDIDATES = 400
_OVERLAP, _ALIKE = 0.4, 0.65  # shares of the union: two faces have less, two sights of one face more
_NESTED = 0.6  # share of the smaller box from which it lies in the other
# Sides of the crops in which a candidate is seen again, of the face in them, and of the largest candidates that need it,
# pixels. Enlarged further, a small face is but a blur; the larger one shows better where eyes and mouth are.
_SIGHTS = ((64, 36.0, 48.0), (128, 60.0, math.inf))
_DOUBT, _MOST_CONFIRMED = 0.05, 32  # what is less likely is not looked at again; no more than so many are
_SEEN = -2.0  # logit from which the points of a closer sight count
# What landmarks have to say of a candidate: its score's logit, the logarithm of the error that they expect, over what is
# to be expected, and a constant make the joint logit (train.detector.joint). Of small faces they say less.
_JOINT = (1.24, -0.59, -0.01)
ORDINARY_ERROR, FULLY_SEEN = 0.05, 100.0  # of the face's size, and its size in pixels from which the error counts in full
_BATCH_PIXELS = 16 * 640 * 512  # of the pictures that the network sees at once


class CenterDetector(ViewingDetector):
    """Finds faces by a fully convolutional network, small ones by a closer look where the first suggests it or they are asked for.

    Args:
        network: in evaluation mode.
        threshold: as for ``create_detector``.
        min_face: as for ``create_detector``.
        device: where it runs.
        dtype: number type of the network; the fastest of the device by default.
    """

    certain = 0.93  # it has seen faces upside down
    dominant_score = 0.7
    worth_turning = 0.02
    later_doubt = 0.5
    worth_verifying = 0.1

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
        self.network = to_fast(network, self.device, self.dtype)
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

    def joint_score(self, face: Face, error: float) -> float:
        """A candidate's score once landmarks were looked for in it, which expect to be off by ``error`` sizes of the face."""
        values = (logit(face.score), landmark_evidence(error, face.size), 1.0)
        return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(_JOINT, values))))

    def look(self, views: list[Image], smallest: list[float]) -> list[Candidates]:
        """What is in each view; see :meth:`ViewingDetector.look`."""
        scales = [min(1.0, _FIRST_LONGEST / max(view.shape[:2])) for view in views]
        pictures = [resized(view, scale) for view, scale in zip(views, scales)]
        seen = self._see(pictures, scales)
        closer = [self._closer(view, found, scale, least) for view, found, scale, least in zip(views, seen, scales, smallest)]
        again = [(i, *look) for i, look in enumerate(closer) if look]
        if again:
            second = self._see([resized(views[i][part], scale) for i, scale, part in again], [scale for _, scale, _ in again])
            for (i, _, (rows, columns)), (boxes, points, scores) in zip(again, second):
                corner = torch.tensor([columns.start, rows.start])
                found = boxes + corner.repeat(2), points + corner, scores
                seen[i] = tuple(torch.cat(both) for both in zip(seen[i], found))
        sources = [Source(*parts) for parts in zip(views, pictures, scales)]
        confirmed = self._confirmed(sources, [_merged(*found, least) for found, least in zip(seen, smallest)])
        return [_without_nested(found) for found in confirmed]

    def _closer(
        self, view: Image, found: tuple[Tensor, Tensor, Tensor], scale: float, smallest: float
    ) -> tuple[float, tuple[slice, slice]] | None:
        """The scale of a closer look and the rows and columns of the view that it is worth, None where it is not needed."""
        closest = min(_CLOSER * scale, _SECOND_LONGEST / max(view.shape[:2]))
        height, width = view.shape[:2]
        if smallest * scale < _TINY:
            return closest, (slice(0, height), slice(0, width))
        boxes, _, scores = found
        sizes = (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp_min(0).sqrt()
        small = (sizes * scale < _SMALL) & (sizes > 0.7 * smallest) & (scores > _HINT)
        if not small.any():
            return None
        margin = _AROUND * sizes[small, None]
        x0, y0 = (boxes[small, :2] - margin).amin(0).floor().int().clamp_min(0).tolist()
        x1, y1 = (boxes[small, 2:] + margin).amax(0).ceil().int().tolist()
        return closest, (slice(y0, min(y1, height)), slice(x0, min(x1, width)))

    def _confirmed(self, sources: list[Source], found: list[Candidates]) -> list[Candidates]:
        """Every likely candidate set upright, brought to two sizes, a large one to one, and seen again, with its mirror image.

        A face stays one, most others do not: the mean of the logits is the score. The points are the mean of those of
        the closer sights.
        """
        places = [(v, i) for v, seen in enumerate(found) for i in np.flatnonzero(seen.scores >= _DOUBT)[:_MOST_CONFIRMED]]
        if not places:
            return found
        candidates = [(sources[v], found[v].boxes[i], found[v].points[i]) for v, i in places]
        seen_by: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in candidates]  # logits (2,) and points (5, 2)
        for crop, face, largest in _SIGHTS:
            members = [k for k, (_, box, _) in enumerate(candidates) if np.prod(box[2:] - box[:2]) < largest**2]
            if members:
                logits, points = self._sight([candidates[k] for k in members], crop, face)
                for k, both, five in zip(members, logits.T, points):
                    seen_by[k].append((both, five))
        out = [Candidates(seen.boxes, seen.points.copy(), seen.scores.copy()) for seen in found]
        for k, (v, i) in enumerate(places):
            logits = [logit(found[v].scores[i]), *(seen for both, _ in seen_by[k] for seen in both)]
            out[v].scores[i] = 1 / (1 + np.exp(-np.mean(logits)))
            certain = [points for both, points in seen_by[k] if both.min() > _SEEN]
            if certain:
                out[v].points[i] = np.mean(certain, axis=0)
        return out

    def _sight(
        self, candidates: list[tuple[Source, np.ndarray, np.ndarray]], side: int, face: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Candidates (source, box, points) in crops of so many pixels, the face ``face`` pixels large.

        Returns:
            Logits (2, N), straight and mirrored; points (N, 5, 2), the mean of both, in pixels of the view.
        """
        matrices = [upright(box, points, side, face) for _, box, points in candidates]
        crops = [source.cut(matrix, side) for (source, *_), matrix in zip(candidates, matrices)]
        logits, points = of_middle(self.forward([*crops, *(crop[:, ::-1] for crop in crops)], side, side), side, face)
        straight, mirrored = points.unflatten(0, (2, -1)).numpy()
        mean = (straight + (mirrored * (-1, 1) + (side - 1, 0))[:, MIRROR_5]) / 2
        back = np.stack([transform_points(five, invert(matrix)) for five, matrix in zip(mean, matrices)])
        return logits.unflatten(0, (2, -1)).numpy(), back

    def _see(self, pictures: list[Image], scales: list[float]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Boxes (N, 4), points (N, 5, 2) and scores (N,) of all likely cells, in pixels before the pictures were scaled."""
        order = sorted(range(len(pictures)), key=lambda i: canvas(pictures[i].shape))
        found: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        while order:
            height, width = canvas(pictures[order[0]].shape)
            chunk = [order.pop(0)]
            while order and len(chunk) * height * width < _BATCH_PIXELS and canvas(pictures[order[0]].shape) == (height, width):
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
        centers, strides = grid(height, width)
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


def logit(score: float) -> float:
    """Of a score in [0, 1], which is taken for neither end."""
    score = min(max(float(score), 1e-6), 1 - 1e-6)
    return math.log(score / (1 - score))


def landmark_evidence(error: float, size: float) -> float:
    """How much more than ordinary landmarks are expected to be off (``error`` in sizes of the face), as a logarithm."""
    return min(size / FULLY_SEEN, 1.0) * math.log(max(error, 1e-6) / ORDINARY_ERROR)


def build(config: dict) -> CenterNetwork:
    """The network of a checkpoint's plain values, without weights."""
    return CenterNetwork(CenterConfig(**config))


def _without_nested(found: Candidates) -> Candidates:
    """Faces stand beside each other: of boxes one inside the other, the likeliest stays."""
    boxes, scores = torch.from_numpy(found.boxes), torch.from_numpy(found.scores)
    keep = suppress(boxes, scores, _NESTED, of_smaller=True).numpy()
    return Candidates(found.boxes[keep], found.points[keep], found.scores[keep])


def _merged(boxes: Tensor, points: Tensor, scores: Tensor, smallest: float) -> Candidates:
    """One candidate a face: the likeliest, its box and points the mean, by score, of all sights of the same face."""
    large = (boxes[:, 2:] - boxes[:, :2]).prod(1) >= smallest**2
    boxes, points, scores = boxes[large], points[large], scores[large]
    keep = suppress(boxes, scores, _OVERLAP)
    weight = (overlaps(boxes[keep], boxes) > _ALIKE) * scores**2
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-9)
    merged = weight @ boxes, (weight @ points.flatten(1)).unflatten(1, (5, 2)), scores[keep]
    return Candidates(*(value.numpy() for value in merged))
