"""What a head's texture layout fixes for good: which triangle each texel lies on, its mirror image, its seams.

A texel is a pixel of the texture: column ``u * size - 0.5``, row
``(1 - v) * size - 0.5``. All of it depends on the topology alone, so it is worked
out once for a head and kept.
"""

from __future__ import annotations

from copy import copy
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import torch
from numba import njit
from scipy.spatial import cKDTree

from facerecon.head import HeadModel
from facerecon.reconstruction.texture_membrane import SurfaceGraph
from facerecon.reconstruction.texture_seams import Seams, find_seams
from facerecon.rendering import mesh_normals, rasterize

GUTTER = 16 / 1024
"""Width of the border painted around each chart against bleeding in mipmaps, as a share of the texture's side."""

SOFT_MASKS = ("ears", "eyes", "face", "lips", "neck", "scalp")
"""Region masks that are kept as pictures; each takes 4 MB."""

GUM_M = 0.001, 0.0025
"""Distances from the teeth over which gums are gums."""
ARCH_M, FRONT = 0.01, 0.85
"""The dental arch's middle before its rearmost teeth; the cosine from which on a tooth shows its front or back."""

_ATLASES: WeakKeyDictionary[HeadModel, dict[int, "TextureAtlas"]] = WeakKeyDictionary()


@njit(cache=True, nogil=True)
def _spread(values, faces, face_index, barycentric, out):
    height, width = face_index.shape
    for y in range(height):
        for x in range(width):
            face = face_index[y, x]
            if face >= 0:
                for corner in range(3):
                    vertex, weight = faces[face, corner], barycentric[y, x, corner]
                    for channel in range(values.shape[1]):
                        out[y, x, channel] += weight * values[vertex, channel]


@njit(cache=True, nogil=True)
def _gather(image, weights, faces, face_index, barycentric, sums):
    height, width = face_index.shape
    for y in range(height):
        for x in range(width):
            face = face_index[y, x]
            if face >= 0 and weights[y, x] != 0:
                for corner in range(3):
                    vertex, share = faces[face, corner], barycentric[y, x, corner]
                    share *= weights[y, x]
                    sums[vertex, 0] += share
                    for channel in range(image.shape[2]):
                        sums[vertex, channel + 1] += share * image[y, x, channel]


@torch.no_grad()
def _blink(head: HeadModel, template: np.ndarray) -> np.ndarray:
    """How far each vertex (V,) of the average head ``template`` (V, 3) goes when both eyes shut, over the farthest."""
    shut = torch.zeros(1, len(head.expression_labels))
    shut[0, [head.expression_labels.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]] = 1.0
    way = np.linalg.norm(head.vertices(expression=shut)[0].cpu().numpy() - template, axis=1)
    return way / way.max()


def _crowns(template: np.ndarray, faces: np.ndarray, teeth: np.ndarray, gums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each vertex (V,) belongs to a tooth's crown, and how far it faces out of or into the dental arch, both in [0, 1]."""
    tooth, gum = np.unique(faces[teeth]), np.unique(faces[gums])
    crown = np.zeros(len(template))
    crown[tooth] = 1
    # Lips that a fit raised a little too high would else bare more gum than anybody has.
    crown[gum] = np.clip((GUM_M[1] - cKDTree(template[tooth]).query(template[gum])[0]) / (GUM_M[1] - GUM_M[0]), 0, 1)
    outward = template - (0, 0, template[tooth, 2].min() + ARCH_M)
    level = [vectors[:, ::2] for vectors in (mesh_normals(template, faces), outward)]
    normal, away = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9) for vectors in level)
    return crown, np.clip(np.abs((normal * away).sum(1)) / FRONT, 0, 1)


def _draw_layout(corners: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangle (S, S) and barycentrics (S, S, 3) of each texel.

    Where triangles (F, 3, 2) overlap, as those about the rear pole of an eyeball
    do, the one with the shortest edges has the texel.
    """
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(1)
    depth = np.repeat(1 + longest / size, 3)[:, None]
    flat = np.concatenate([corners.reshape(-1, 2), depth], axis=1).astype(np.float32)
    faces = torch.arange(len(flat)).reshape(-1, 3)
    fragments = rasterize(torch.from_numpy(flat)[None], faces, size, size, backend="numba")
    return fragments.face_index[0].numpy().astype(np.int32), fragments.barycentric[0].numpy()


class TextureAtlas:
    """The texels of one head model's layout.

    Attributes:
        size: side of the texture, S.
        faces: (F, 3) int64 triangles of vertices.
        face_index: (S, S) int32 triangle of each texel, -1 outside every chart.
        barycentric: (S, S, 3) float32.
        inside: (S, S) bool, texels of some chart.
        mirror: (S, S, 2) float32 column and row of each texel's mirror image across the sagittal plane.
        material: (S, S) int8 index into ``HeadModel.material_labels``, -1 outside.
        skin: (S, S) bool, texels of the material ``skin``.
        neck_faces: (F,) bool, triangles of the neck.
        height: (S, S) float32 metres above the eyes, on the average adult.
        masks: the head's ``SOFT_MASKS`` by name, (S, S) float32 in [0, 1].
        lids: (S, S) float32, how far a blink moves the skin, its farthest is 1.
        crown: (S, S) float32, 1 on the teeth, falling to 0 on the gums about them.
        tooth_facing: (S, S) float32 in [0, 1], how far a tooth faces out of or into the dental arch; low where it turns to its
            neighbour.
        graph: the skin's vertices as a graph, to spread colours over.
        seams: where charts meet on the surface.
        covered: (V,) float32 in [0, 1], how far hair hangs over each vertex; see :meth:`under_hair`.
        alike: (S, S) in [0, 1], or 1 for all: how far hair covers a texel as much as its mirror image.
    """

    def __init__(self, head: HeadModel, size: int) -> None:
        self.size = size
        self.faces = np.ascontiguousarray(head.faces.cpu().numpy(), dtype=np.int64)
        uv = head.uv.cpu().numpy().astype(np.float64)
        uv_faces = head.uv_faces.cpu().numpy()
        self.texel_uv = np.stack([uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5], axis=1).astype(np.float32)
        self.face_index, self.barycentric = _draw_layout(self.texel_uv[uv_faces], size)
        self.inside = self.face_index >= 0
        materials = head.face_materials.cpu().numpy().astype(np.int8)
        self.material = np.where(self.inside, materials[self.face_index], -1)
        self.material_labels = head.material_labels
        self.skin = self.material == self.material_labels.index("skin")
        with torch.no_grad():
            self.template = head.vertices()[0].cpu().numpy().astype(np.float32)
        self.neck_faces = head.masks["neck"].cpu().numpy()[self.faces].all(1)
        self.height = self.spread(self.template[:, 1:2])[..., 0]
        masks = ((name, head.masks[name].cpu().numpy().astype(np.float32)) for name in SOFT_MASKS)
        self.masks = {name: self.spread(mask[:, None])[..., 0] for name, mask in masks}
        self.lids = self.spread(_blink(head, self.template)[:, None])[..., 0] * self.skin
        crown, facing = _crowns(self.template, self.faces, *(materials == head.material_labels.index(m) for m in ("teeth", "gums")))
        mouth = np.isin(self.material, [head.material_labels.index(name) for name in ("teeth", "gums")])
        self.crown, self.tooth_facing = (x * mouth for x in cv2.split(self.spread(np.column_stack((crown, facing)))))
        skin_faces = self.faces[materials == self.material_labels.index("skin")]
        self.graph = SurfaceGraph(self.template, skin_faces)
        self.seams: Seams = find_seams(self.faces, uv_faces, self.texel_uv, self.inside)
        self.mirror = self._mirror(uv, uv_faces)
        self.covered = np.zeros(len(self.template), np.float32)
        self.alike: np.ndarray | float = 1.0
        self._total = self._weights_about()
        self._border = self._nearest_inside(GUTTER * size)
        self._fringe = self._nearest_inside(2.0)

    def under_hair(self, cover: np.ndarray) -> TextureAtlas:
        """This atlas for a head whose ears and neck hair hangs over: what it covers counts as scalp.

        Args:
            cover: (V,) in [0, 1], how far each vertex is covered.
        """
        other = copy(self)
        covered = self.spread(cover[:, None])[..., 0]
        bare = {name: self.masks[name] * (1 - covered) for name in ("ears", "face", "neck")}
        other.masks = {**self.masks, **bare, "scalp": np.maximum(self.masks["scalp"], covered)}
        other.covered = cover
        other.alike = 1 - np.abs(covered - self.flip(covered[..., None]))
        other.neck_faces = self.neck_faces & (cover[self.faces].mean(1) < 0.5)
        return other

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Vertex values (V, C) interpolated to texels, (S, S, C) float32, zero outside the charts."""
        values = np.ascontiguousarray(values, np.float32)
        out = np.zeros((self.size, self.size, values.shape[1]), np.float32)
        _spread(values, self.faces, self.face_index, self.barycentric, out)
        return out

    def gather(self, image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted means of the texels around each vertex, over every chart the vertex lies in.

        Args:
            image: (S, S, C) float32.
            weights: (S, S) float32, zero to leave a texel out.

        Returns:
            means (V, C), and the mean weight (V,) around each vertex; both zero where nothing counted.
        """
        image, weights = np.ascontiguousarray(image, np.float32), np.ascontiguousarray(weights, np.float32)
        count = len(self.template)
        sums = np.zeros((count, image.shape[2] + 1), np.float64)
        _gather(image, weights, self.faces, self.face_index, self.barycentric, sums)
        means = sums[:, 1:] / np.maximum(sums[:, :1], 1e-9)
        return means.astype(np.float32), (sums[:, 0] / self._total).astype(np.float32)

    def _weights_about(self) -> np.ndarray:
        """(V,) float64, what the texels around each vertex weigh together."""
        sums, ones = np.zeros((len(self.template), 1)), np.ones((self.size, self.size), np.float32)
        _gather(np.zeros((self.size, self.size, 0), np.float32), ones, self.faces, self.face_index, self.barycentric, sums)
        return np.maximum(sums[:, 0], 1e-9)

    def flip(self, image: np.ndarray) -> np.ndarray:
        """The texture (S, S, C), at most 4 channels, as it looks on the mirrored head."""
        fringed = image.reshape(self.size**2, -1).copy()
        targets, sources = self._fringe
        fringed[targets] = fringed[sources]
        return cv2.remap(fringed.reshape(image.shape), self.mirror[..., 0], self.mirror[..., 1], cv2.INTER_LINEAR)

    def pad(self, texture: np.ndarray) -> np.ndarray:
        """Paints a border around every chart of (S, S, C), and the skin's mean colour beyond it."""
        flat = texture.reshape(self.size**2, -1)
        padded = flat.copy()
        padded[~self.inside.ravel()] = flat[self.skin.ravel()][::7].mean(0)
        targets, sources = self._border
        padded[targets] = flat[sources]
        return padded.reshape(texture.shape)

    def _nearest_inside(self, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """Flat positions of the texels within reach of the charts, and of the charts' texels nearest to them."""
        outside = (~self.inside).astype(np.uint8)
        distance, label = cv2.distanceTransformWithLabels(
            outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        position_of = np.zeros(label.max() + 1, np.int64)
        position_of[label[self.inside]] = np.flatnonzero(self.inside.ravel())
        targets = np.flatnonzero(((distance > 0) & (distance <= reach)).ravel())
        return targets, position_of[label.ravel()[targets]]

    def _mirror(self, uv: np.ndarray, uv_faces: np.ndarray) -> np.ndarray:
        """Texel coordinates of the mirror image, by way of each vertex's mirror partner."""
        partner = cKDTree(self.template).query(self.template * np.array([-1, 1, 1], np.float32))[1]
        vertex_of = np.zeros(len(uv), np.int64)
        vertex_of[uv_faces] = self.faces
        chart = self.seams.chart_of_uv
        order = np.argsort(vertex_of, kind="stable")
        starts = np.searchsorted(vertex_of[order], np.arange(len(self.template) + 1))
        copies = np.diff(starts)
        target = order[starts[partner[vertex_of]]]
        single = copies[partner[vertex_of]] == 1
        # Vertices on seams have several places: take the one in the partner chart, then the one nearest to 1 - u.
        votes = np.zeros((chart.max() + 1, chart.max() + 1), np.int64)
        np.add.at(votes, (chart[single], chart[target[single]]), 1)
        chart_partner = votes.argmax(1)
        for t in np.flatnonzero(~single):
            vertex = partner[vertex_of[t]]
            options = order[starts[vertex] : starts[vertex + 1]]
            wrong = chart[options] != chart_partner[chart[t]]
            distance = np.abs(uv[options, 0] - (1 - uv[t, 0])) + np.abs(uv[options, 1] - uv[t, 1])
            target[t] = options[(distance + 10 * wrong).argmin()]
        out = np.zeros((self.size, self.size, 2), np.float32)
        _spread(self.texel_uv[target], np.ascontiguousarray(uv_faces), self.face_index, self.barycentric, out)
        return out


def atlas_of(head: HeadModel, size: int) -> TextureAtlas:
    """The head's atlas at a texture size, made at first use and kept as long as the head."""
    sizes = _ATLASES.setdefault(head, {})
    if size not in sizes:
        sizes[size] = TextureAtlas(head, size)
    return sizes[size]
