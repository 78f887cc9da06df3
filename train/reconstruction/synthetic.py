"""Synthetic faces with exact ground truth, drawn in a few milliseconds each.

After Wood et al., "Fake It Till You Make It", ICCV 2021, with far simpler means: CC0
skins recoloured along the range of human skin, painted brows, caps of hair, spherical
harmonics of real environments.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from facerecon.faces.align import points_from_landmarks, similarity_from_points
from facerecon.head import HeadModel
from facerecon.rendering import irradiance, mesh_normals, rasterize, sh_from_environment, uniform_light
from facerecon.restoration.degradations import degrade, random_level
from facerecon.types import Image
from train.reconstruction.appearance import Assets, to_linear, to_srgb
from train.reconstruction.hair import HairMaker
from train.reconstruction.people import Person, euler, sample_expression, sample_person, sample_rotation

SUPERSAMPLE = 1.5
SKIN_DARK, SKIN_LIGHT = np.array([0.055, 0.027, 0.017]), np.array([0.70, 0.46, 0.36])  # linear albedo
HAIR = np.array([[0.01, 0.008, 0.007], [0.03, 0.018, 0.011], [0.10, 0.055, 0.03], [0.35, 0.23, 0.11], [0.3, 0.29, 0.28]])
IRIS = np.array([[0.05, 0.025, 0.015], [0.10, 0.05, 0.025], [0.16, 0.11, 0.05], [0.12, 0.20, 0.30], [0.18, 0.22, 0.22]])
MATERIAL_COLOURS = {"mouth": (0.13, 0.03, 0.03), "teeth": (0.62, 0.56, 0.46), "gums": (0.35, 0.10, 0.10)}


@dataclass
class SyntheticFace:
    """A crop of the ``"head"`` template and all that is true of it.

    The camera is the crop's own: it looks at the head's origin, so the head is at
    ``(0, 0, -distance)`` and the principal point where the origin is seen.

    Attributes:
        image: (S, S, 3) uint8.
        rotation: (3, 3) head to crop camera.
        scale: pixels of the crop per metre at the origin's depth; the focal length is ``scale * distance``.
        center: (2,) pixels of the crop, the principal point.
        distance: metres from camera to the head's origin.
        landmarks: (68, 2) pixels of the crop.
        lighting: (9, 3) spherical harmonics.
        triangles: (S, S) int64, which triangle of all that were drawn each pixel shows, occluders left out; -1 for none.
    """

    image: Image
    person: Person
    expression: np.ndarray
    rotation: np.ndarray
    scale: float
    center: np.ndarray
    distance: float
    landmarks: np.ndarray
    lighting: np.ndarray
    triangles: np.ndarray | None = None


class SyntheticFaces:
    """Draws random faces of one head model.

    Attributes:
        template, zoom: the framing of the crops: a template's name, and how much of its size a face has.

    Args:
        head: the head model.
        assets: what to paint with.
        size: side of the crops, pixels.
        profiles: share of heads that are seen from the side.
    """

    template, zoom = "head", 1.0

    def __init__(self, head: HeadModel, assets: Assets, size: int, profiles: float = 0.0) -> None:
        self.head, self.assets, self.size, self.profiles = head, assets, size, profiles
        self.hair = HairMaker(head)
        self.faces = head.faces.numpy()
        self.materials = head.face_materials.numpy()
        self.skin_uv = head.uv_makehuman.numpy()[head.uv_makehuman_faces.numpy()]  # (F, 3, 2)
        lips = head.masks["lips"].numpy().astype(np.float32)
        beard = self._beard_zone()
        self.paint = np.stack([lips, beard, self._gaze_angles()], 1)

    def sample(self, rng: np.random.Generator) -> SyntheticFace:
        """One face; the same generator state gives the same face."""
        person = sample_person(rng, len(self.head.identity_labels))
        expression = sample_expression(rng, self.head.expression_labels)
        vertices = self._vertices(person, expression)
        face = self._pose(person, expression, vertices, rng)
        image = self._draw(face, vertices, rng)
        face.image = degrade(image, random_level(rng), rng) if rng.random() < 0.5 else image
        return face

    def _gaze_angles(self) -> np.ndarray:
        """(V,) degrees between the gaze and the direction in which an eyeball's vertex lies; 0 elsewhere."""
        points, angles = self.head.vertices()[0].numpy(), np.zeros(self.head.vertex_count, np.float32)
        for name in ("left_eyeball", "right_eyeball"):
            ball = self.head.masks[name].numpy()
            offset = points[ball] - (points[ball].max(0) + points[ball].min(0)) / 2
            angles[ball] = np.degrees(np.arccos((offset[:, 2] / np.linalg.norm(offset, axis=1)).clip(-1, 1)))
        return angles

    def _beard_zone(self) -> np.ndarray:
        """(V,) in [0, 1]: chin, jaw and upper lip."""
        rest = self.head.vertices()
        points, face = rest[0].numpy(), self.head.landmarks(rest)[0].numpy()
        below = 1 / (1 + np.exp((points[:, 1] - face[33, 1] + 0.004) / 0.003))
        front = (points[:, 2] > face[0, 2]) & (points[:, 1] > face[8, 1] - 0.025) & self.head.masks["skin"].numpy()
        return (below * front * ~self.head.masks["lips"].numpy()).astype(np.float32)

    @torch.no_grad()
    def _vertices(self, person: Person, expression: np.ndarray) -> np.ndarray:
        demographics = self.head.encode_demographics(
            torch.tensor([person.age]).float(), torch.tensor([person.gender]).float(), torch.from_numpy(person.ancestry[None]).float()
        )
        identity = torch.from_numpy(person.identity[None]).float()
        return self.head.vertices(identity, torch.from_numpy(expression[None]).float(), demographics)[0].numpy()

    def _pose(self, person: Person, expression: np.ndarray, vertices: np.ndarray, rng: np.random.Generator) -> SyntheticFace:
        """Places the head so that the alignment, with a detector's errors, brings it to the template."""
        rotation, distance = sample_rotation(rng, self.profiles), float(np.exp(rng.uniform(np.log(0.35), np.log(2.5))))
        yaw = float(np.arctan2(rotation[0, 2], rotation[2, 2]))
        points = self.head.landmarks(torch.from_numpy(vertices[None]), torch.tensor([yaw]))[0].numpy() @ rotation.T
        flat = points[:, :2] * (1, -1) / (1 - points[:, 2:] / distance)
        five = points_from_landmarks(flat * 1000)
        five += rng.normal(0, 1.8, five.shape)
        matrix = similarity_from_points(five, self.size, self.template)
        grow = rng.uniform(0.88, 1.14) * self.zoom
        angle = np.arctan2(matrix[1, 0], matrix[0, 0]) + rng.normal(0, 0.05)
        center = (matrix[:, 2] - self.size / 2) * grow + self.size / 2 + rng.normal(0, 0.02, 2) * self.size
        scale = float(np.hypot(*matrix[:, 0]) * 1000 * grow)
        turned = euler(0, 0, -angle) @ rotation
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        landmarks = flat @ turn.T * scale + center
        lighting = self._light(rng)
        return SyntheticFace(None, person, expression, turned, scale, center, distance, landmarks, lighting)

    def _light(self, rng: np.random.Generator) -> np.ndarray:
        environment = self.assets.environments[rng.integers(len(self.assets.environments))]
        environment = np.roll(environment, rng.integers(environment.shape[1]), axis=1)
        sh = sh_from_environment(torch.from_numpy(environment)).numpy()
        even_level = float(uniform_light(1)[0, 0, 0])
        sh = sh / max(sh[0].mean(), 1e-4) * even_level * np.exp(rng.normal(-0.1, 0.3))
        sh = sh / (sh[:1] / sh[0].mean()) ** 0.7 * np.exp(rng.normal(0, 0.06, 3))  # cameras balance white
        blend = rng.uniform(0, 0.5)  # part of the light is even, as indoors
        even = np.zeros_like(sh)
        even[0] = sh[0]
        return (sh * (1 - blend) + even * blend).astype(np.float32)

    def _draw(self, face: SyntheticFace, vertices: np.ndarray, rng: np.random.Generator) -> Image:
        normals = mesh_normals(vertices, self.faces)
        meshes, kinds = [(vertices, self.faces)], [self.materials]
        style, thickness = rng.random(), rng.uniform(0.002, 0.03)
        bald, long_hair = hair_chances(face.person)
        if style > bald:
            meshes.append(self.hair.cap(vertices, normals, rng, thickness))
        if style > 1 - long_hair:
            meshes.append(self.hair.curtain(vertices, rng, thickness))
        offsets = np.cumsum([0] + [len(v) for v, _ in meshes])
        points = np.concatenate([v for v, _ in meshes])
        faces = np.concatenate([f + o for (_, f), o in zip(meshes, offsets)])
        kinds += [np.full(len(f), -1) for _, f in meshes[1:]]
        return self._shade(face, points, faces, np.concatenate(kinds), rng)

    def _shade(self, face: SyntheticFace, points: np.ndarray, faces: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> Image:
        side = round(self.size * SUPERSAMPLE)
        camera = torch.from_numpy((points @ face.rotation.T).astype(np.float32))
        depth = face.distance - camera[:, 2]
        factor = face.scale * face.distance / depth
        pixels = torch.stack([camera[:, 0] * factor + face.center[0], face.center[1] - camera[:, 1] * factor], 1)
        pixels = torch.cat([(pixels + 0.5) * SUPERSAMPLE - 0.5, depth[:, None]], 1).float()[None]
        corners = torch.from_numpy(faces)
        fragments = rasterize(pixels, corners, side, side)
        index, weights = fragments.face_index[0].numpy(), fragments.barycentric[0].numpy()
        face.triangles = _shrunk(index, self.size)
        seen = index >= 0
        hit, w = index[seen], weights[seen]
        n = _between(mesh_normals(camera.numpy(), faces)[faces[hit]], w)
        n /= np.linalg.norm(n, axis=1, keepdims=True).clip(1e-6)
        light = irradiance(torch.from_numpy(n[None]).float(), torch.from_numpy(face.lighting[None]))[0].numpy()
        albedo = self._albedo(face, hit, w, kinds[hit], points, faces, rng)
        shine = rng.uniform(0, 0.08) * np.clip(n[:, 2], 0, 1) ** rng.uniform(8, 30)
        colour = albedo * light.clip(0.01) + (shine[:, None] * light.clip(0) * (kinds[hit] != -1)[:, None])
        exposure = (0.3 / max(float(albedo.mean()), 0.02)) ** 0.4  # cameras brighten what is dark
        colour *= exposure
        canvas = self._background(side, rng)
        canvas[seen] = colour
        image = cv2.resize(canvas, (self.size, self.size), interpolation=cv2.INTER_AREA)
        image = to_srgb(image)
        image = self._occlude(image, face, rng)
        return np.clip(image, 0, 255).astype(np.uint8)

    def _albedo(self, face, hit, w, kinds, points, faces, rng) -> np.ndarray:  # noqa: ANN001
        assets, person = self.assets, face.person
        tone = np.clip(person.ancestry @ (0.22, 0.68, 0.82) + rng.normal(0, 0.12), 0, 1)
        target = SKIN_DARK ** (1 - tone) * SKIN_LIGHT**tone * np.exp(rng.normal(0, 0.06, 3))
        suited = [i for i, name in enumerate(assets.skin_names) if ("dark" in name) == (tone < 0.42)
                  and ("old" in name or "middle" in name) == (person.age > 45)] or list(range(len(assets.skins)))
        chosen = int(rng.choice(suited))
        out = np.full((len(hit), 3), 0.3, np.float32)
        own = hit < len(self.skin_uv)
        uv = np.zeros((len(hit), 2), np.float32)
        uv[own] = _between(self.skin_uv[hit[own]], w[own])
        gain = target / assets.skin_means[chosen]
        labels = self.head.material_labels
        for code, label in enumerate(labels):
            here = kinds == code
            if not here.any():
                continue
            if label == "skin":
                skin = _lookup(assets.skins[chosen], uv[here]) * gain
                skin[skin.sum(1) < 0.01] = target  # the skins end at the neck
                paint = _between(self.paint[faces[hit[here]], :2], w[here])
                out[here] = self._make_up(skin, uv[here], paint, person, rng)
            elif label.endswith("eye"):
                angle = (self.paint[faces[hit[here]], 2] * w[here]).sum(1)
                out[here] = self._eye(angle, person, np.random.default_rng(int(face.scale * 1e6)))
            elif label == "tongue":
                out[here] = _lookup(assets.tongue, uv[here])
            else:
                out[here] = np.array(MATERIAL_COLOURS[label]) * np.exp(rng.normal(0, 0.15))
        hair = kinds == -1
        strands = np.sin(points[faces[hit[hair]]].mean(1) @ rng.normal(0, 900, 3)) * 0.3 + 1
        out[hair] = self._hair_colour(person, rng) * strands[:, None]
        return out

    def _make_up(self, skin, uv, paint, person, rng) -> np.ndarray:  # noqa: ANN001
        brow = _lookup(self.assets.brows[rng.integers(len(self.assets.brows))][..., None], uv)
        hair = self._hair_colour(person, rng)
        cover = np.clip(brow * rng.uniform(0.6, 1.1), 0, 1)
        skin = skin * (1 - cover) + hair * cover
        lips = paint[:, :1]
        rouge = np.array([1.0, rng.uniform(0.4, 0.9), rng.uniform(0.5, 0.95)])
        if person.gender > 0.5 or person.age < 14:  # hardly ever painted
            rouge = 1 - 0.3 * (1 - rouge)
        skin = skin * (1 - lips) + skin * rouge * lips
        if person.gender > 0.5 and person.age > 17 and rng.random() < 0.4:
            beard = paint[:, 1:2] * rng.uniform(0.2, 0.95) * np.clip(rng.normal(1, 0.25, (len(uv), 1)), 0, 1)
            skin = skin * (1 - beard) + hair * beard
        return skin

    def _hair_colour(self, person: Person, rng: np.random.Generator) -> np.ndarray:
        dark = min(person.ancestry[0] + person.ancestry[1], 1.0)  # rounded, they may add up to more
        shares = np.array([0.2 + dark, 0.3 + dark * 0.3, 0.5 * (1 - dark), 0.4 * (1 - dark), max(person.age - 45, 0) / 25])
        return HAIR[rng.choice(5, p=shares / shares.sum())] * np.exp(rng.normal(0, 0.25))

    def _eye(self, angle: np.ndarray, person: Person, rng: np.random.Generator) -> np.ndarray:
        """Pupil, iris and white by the angle from the gaze; both eyes get the same generator, so the same colour."""
        bright = rng.random() < person.ancestry[2] * 0.7
        iris = IRIS[rng.integers(2, len(IRIS)) if bright else rng.integers(0, 2)] * np.exp(rng.normal(0, 0.2))
        white = np.array([0.62, 0.58, 0.55]) * np.exp(rng.normal(0, 0.15))
        edge = np.clip((angle - rng.uniform(26, 29)) / 3, 0, 1)[:, None]
        pupil = np.clip((rng.uniform(9, 15) - angle) / 2, 0, 1)[:, None]
        return (iris * (1 - edge) + white * edge) * (1 - pupil) + 0.006 * pupil

    def _background(self, side: int, rng: np.random.Generator) -> np.ndarray:
        if rng.random() < 0.3:
            return np.tile(rng.uniform(0, 0.9, 3).astype(np.float32), (side, side, 1))
        picture = self.assets.backgrounds[rng.integers(len(self.assets.backgrounds))]
        extent = int(rng.uniform(0.25, 1.0) * min(picture.shape[:2]))
        y, x = (int(rng.integers(0, s - extent + 1)) for s in picture.shape[:2])
        patch = cv2.resize(picture[y : y + extent, x : x + extent], (side, side), interpolation=cv2.INTER_AREA)
        patch = cv2.GaussianBlur(patch, (0, 0), rng.uniform(0.5, 8))
        return to_linear(patch)

    def _occlude(self, image: np.ndarray, face: SyntheticFace, rng: np.random.Generator) -> np.ndarray:
        """Glasses, or something in front of the face, on some."""
        marks = face.landmarks
        if rng.random() < 0.12:
            shade = tuple(rng.uniform(0, 90, 3))
            width = max(int(self.size / 90), 1)
            for eye in (marks[36:42], marks[42:48]):
                c, r = eye.mean(0), np.linalg.norm(eye[0] - eye[3]) * rng.uniform(0.8, 1.1)
                axes = (int(max(r, 1)), int(max(r * rng.uniform(0.6, 0.95), 1)))
                cv2.ellipse(image, tuple(int(v) for v in c), axes, 0, 0, 360, shade, width, cv2.LINE_AA)
            cv2.line(image, tuple(int(v) for v in marks[39]), tuple(int(v) for v in marks[42]), shade, width, cv2.LINE_AA)
        if rng.random() < 0.12:
            c = rng.uniform(0.1, 0.9, 2) * self.size
            axes = tuple(int(v) for v in rng.uniform(0.06, 0.25, 2) * self.size)
            cover = np.zeros(image.shape[:2], np.float32)
            cv2.ellipse(cover, tuple(int(v) for v in c), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
            image = image * (1 - cover[..., None]) + cover[..., None] * rng.uniform(10, 220, 3)
        return image


def hair_chances(person: Person) -> tuple[float, float]:
    """How likely a bald head and long hair are, as they go with gender and age in photos.

    A network that also sees photos reads gender from hair there; renders must not teach it otherwise.
    """
    if person.gender > 0.5:
        return 0.04 + 0.2 * float(np.clip((person.age - 25) / 40, 0, 1)), 0.08
    return 0.02, 0.55


def _between(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, C) values at the barycentric ``weights`` (N, 3) of what triangles' ``corners`` (N, 3, C) have."""
    return np.einsum("nkc,nk->nc", corners, weights)


def _shrunk(index: np.ndarray, size: int) -> np.ndarray:
    """(size, size): the values of a map of whole numbers nearest to each pixel's centre."""
    nearest = ((np.arange(size) + 0.5) * len(index) / size).astype(int)
    return index[np.ix_(nearest, nearest)].astype(np.int64)


def _lookup(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear (N, C) samples at ``uv`` (N, 2), origin at the lower left."""
    side = texture.shape[0]
    x, y = (uv[:, 0] * side - 0.5).astype(np.float32), ((1 - uv[:, 1]) * side - 0.5).astype(np.float32)
    n = len(x)
    rows = -(-n // 1024)
    pad = rows * 1024 - n  # cv2.remap takes at most 32,767 columns
    x, y = np.pad(x, (0, pad)).reshape(rows, 1024), np.pad(y, (0, pad)).reshape(rows, 1024)
    out = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(rows * 1024, -1)[:n]
