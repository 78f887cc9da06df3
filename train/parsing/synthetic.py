"""Rendered people whose every pixel has its class: hair, clothes, hats, glasses and hands included."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.head import HeadModel
from facerecon.rendering import mesh_normals
from facerecon.types import Image
from train.parsing.bodies import Hats, bust
from train.parsing.occluders import glasses, hand, thing
from train.parsing.labels import BACKGROUND, FEATURES, HAIR, NECK, OTHER, SKIN
from train.parsing.wigs import Wigs
from train.reconstruction.appearance import Assets, to_linear
from train.reconstruction.people import sample_expression, sample_person
from train.reconstruction.synthetic import SyntheticFace, SyntheticFaces

STORED, STORED_FACE = 160, 134  # sides in pixels: of a stored crop, and of the template within it
HAIR_KIND, CLOTH_KIND, HAT_KIND, BARE_KIND = -1, -2, -3, -4  # beside the materials of the head
_BROWS = (slice(17, 22), slice(22, 27))
_EYES = (slice(36, 42), slice(42, 48))


class LabelledFaces(SyntheticFaces):
    """Draws random people in the framing of the parser's crops, with a little room around it.

    Args:
        head: the head model.
        assets: what to paint with.
        wigs: what they wear on their heads.
        size: side of the crops, pixels.
    """

    template, zoom = "reconstruction", STORED_FACE / STORED

    def __init__(self, head: HeadModel, assets: Assets, wigs: Wigs, size: int = STORED) -> None:
        super().__init__(head, assets, size)
        self.wigs, self.hats = wigs, Hats(head)
        self.classes = self._classes_of_triangles()
        self._tint = np.ones(0, np.float32)
        self._drawn = np.zeros(0, np.int64)

    def sample(self, rng: np.random.Generator) -> tuple[SyntheticFace, np.ndarray]:
        """One face, undamaged, and its classes (S, S) uint8; the same generator state gives the same."""
        person = sample_person(rng, len(self.head.identity_labels))
        expression = sample_expression(rng, self.head.expression_labels)
        vertices = self._vertices(person, expression)
        face = self._pose(person, expression, vertices, rng)
        self._labels: np.ndarray | None = None
        face.image = self._draw(face, vertices, rng)
        return face, self._labels

    def _classes_of_triangles(self) -> np.ndarray:
        """(F,) class of each of the head's own triangles."""
        skin = self.materials == self.head.material_labels.index("skin")
        share = {k: self.head.masks[k].numpy()[self.faces].mean(1) > 0.5 for k in ("lips", "neck", "ears")}
        classes = np.where(skin, SKIN, FEATURES)
        classes[skin & (share["neck"] | share["ears"])] = NECK
        classes[skin & share["lips"]] = FEATURES
        return classes

    def _draw(self, face: SyntheticFace, vertices: np.ndarray, rng: np.random.Generator) -> Image:
        normals = mesh_normals(vertices, self.faces)
        parts = [(vertices, self.faces, self.materials, np.ones(len(self.faces), np.float32))]

        def add(points: np.ndarray, faces: np.ndarray, kind: int, tint: np.ndarray | None = None) -> None:
            tint = np.ones(len(faces), np.float32) if tint is None else tint
            parts.append((points, faces, np.full(len(faces), kind), tint))

        style, thickness = rng.random(), rng.uniform(0.002, 0.03)
        if style < 0.62:
            points, faces, tint = self.wigs.wear(int(rng.integers(len(self.wigs.wigs))), vertices)
            add(points, faces, HAIR_KIND, tint)
        elif style < 0.9:
            add(*self.hair.cap(vertices, normals, rng, thickness), HAIR_KIND)
            if style > 0.8:
                add(*self.hair.curtain(vertices, rng, thickness), HAIR_KIND)
        if rng.random() < 0.85:
            points, faces, bare = bust(vertices, self.head.masks["neck"].numpy(), rng)
            add(points, faces[~bare], CLOTH_KIND)
            add(points, faces[bare], BARE_KIND)
        if rng.random() < 0.13:
            for points, faces in self.hats.wear(vertices, normals, rng):
                add(points, faces, HAT_KIND)
        offsets = np.cumsum([0] + [len(p[0]) for p in parts])
        points = np.concatenate([p[0] for p in parts]).astype(np.float32)
        faces = np.concatenate([p[1] + offset for p, offset in zip(parts, offsets)])
        kinds, self._tint = np.concatenate([p[2] for p in parts]), np.concatenate([p[3] for p in parts])
        own = len(self.classes)
        named = {HAIR_KIND: HAIR, CLOTH_KIND: OTHER, HAT_KIND: OTHER, BARE_KIND: NECK}
        self._drawn = np.concatenate([self.classes, [named[int(k)] for k in kinds[own:]]]).astype(np.uint8)
        return self._shade(face, points, faces, kinds, rng)

    def _albedo(self, face, hit, w, kinds, points, faces, rng) -> np.ndarray:  # noqa: ANN001
        out = super()._albedo(face, hit, w, kinds, points, faces, rng)
        out *= self._tint[hit][:, None]
        if (kinds == 0).any():
            out[kinds == BARE_KIND] = np.median(out[kinds == 0], 0)
        for kind in (CLOTH_KIND, HAT_KIND):
            here = kinds == kind
            if here.any():
                where = (points[faces[hit[here]]] * w[here][..., None]).sum(1)
                out[here] = _cloth(where, rng)
        return out

    def _occlude(self, image: np.ndarray, face: SyntheticFace, rng: np.random.Generator) -> np.ndarray:
        labels = np.where(face.triangles >= 0, self._drawn[face.triangles], BACKGROUND).astype(np.uint8)
        self._label_features(labels, face.landmarks)
        if rng.random() < 0.2:
            image = glasses(image, labels, face.landmarks, rng)
        chance = rng.random()
        if chance < 0.1:
            image = hand(image, labels, face.landmarks, rng)
        elif chance < 0.22:
            picture = self.assets.backgrounds[rng.integers(len(self.assets.backgrounds))]
            image = thing(image, labels, picture, rng)
        self._labels = labels
        return image

    def _label_features(self, labels: np.ndarray, landmarks: np.ndarray) -> None:
        """Brows and closed lids, which are paint and skin on the mesh."""
        drawn = np.zeros_like(labels)
        points = (landmarks * 8).round().astype(np.int32)
        width = max(int(0.035 * STORED_FACE * self.size / STORED), 1)
        for brow in _BROWS:
            cv2.polylines(drawn, [points[brow]], False, 1, width, cv2.LINE_8, 3)
        for eye in _EYES:
            cv2.fillPoly(drawn, [points[eye]], 1, cv2.LINE_8, 3)
        labels[(drawn > 0) & (labels == SKIN)] = FEATURES


def _cloth(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear colours (N, 3) of a fabric at ``points`` (N, 3): plain, or in stripes."""
    colours = to_linear(rng.integers(0, 256, (2, 3)).astype(np.uint8))
    if rng.random() < 0.4:
        colours[1] = colours[0] = colours[0].mean()
    if rng.random() < 0.35:
        colours *= rng.uniform(0.02, 0.2)  # suits are dark
    if rng.random() < 0.6:
        return np.tile(colours[0], (len(points), 1))
    stripes = np.sin(points @ rng.normal(0, 250, 3) + rng.uniform(0, 6)) > rng.uniform(-0.8, 0.8)
    return colours[stripes.astype(int)]
