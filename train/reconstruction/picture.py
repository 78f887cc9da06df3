"""Losses of the head's picture: its skin in its light against the photo, and whom the picture is taken for.

The photometric and identity losses of DECA (Feng et al., SIGGRAPH 2021). Colours of skin are not asked of the encoder: given shape
and light, the likeliest skin of the statistical model solves a small linear system, which each photo does anew. As colours are compared
as logarithms, a tone multiplies what the model and the light say.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.faces.align import invert, points_from_landmarks, similarity_from_points, transform_points
from facerecon.head import HeadModel
from facerecon.identity.encoder import TEMPLATE, IdentityEncoder
from facerecon.reconstruction.appearance import load_appearance
from facerecon.reconstruction.camera import crop_points
from facerecon.reconstruction.detail_surface import whole_texture
from facerecon.reconstruction.encoder import HeadCode
from facerecon.reconstruction.skin_modes import SkinModes, load_skin_modes
from facerecon.rendering import (
    interpolate_screen,
    irradiance,
    linear_to_srgb,
    rasterize,
    sample_texture,
    srgb_to_linear,
    vertex_normals,
)
from facerecon.types import FaceReconError

MODES = 8
MEAN_TEXELS = 512
DARKEST = 0.01  # linear; what is darker says nothing of skin
NOISE = 0.15  # logarithm of a colour: what light and skin leave unexplained at a pixel
TONE_STD = 1.0  # logarithm of a colour
INDEPENDENT = 0.02  # neighbouring pixels err alike: this share of them counts as evidence
BETA = 0.15  # differences beyond count linearly


@dataclass(frozen=True)
class Picture:
    """Heads drawn over photos, S pixels a side.

    Attributes:
        drawn: (B, 3, S, S) the head's colours in [0, 1] where it is seen, else the photo's.
        difference: (B, 3, S, S) logarithm of the photo's linear colour over the drawn one's.
        weight: (B, 1, S, S) in [0, 1], where both show skin of the face.
    """

    drawn: Tensor
    difference: Tensor
    weight: Tensor


class Portraitist:
    """Draws the heads of a batch over its photos, differentiably in shape, pose, camera and light.

    Args:
        head: with the texture layout of ``weights/appearance``.
        side: of the pictures, pixels.
        modes: the statistical skin; the shipped one by default.

    Raises:
        FaceReconError: there is none.
    """

    def __init__(self, head: HeadModel, side: int = 64, modes: SkinModes | None = None) -> None:
        self.head, self.side = head, side
        device = head.faces.device
        self.mean = _texture(_log_colour(load_appearance(MEAN_TEXELS, len(head.uv)).lab)).to(device)
        modes = modes or load_skin_modes()
        if modes is None:
            raise FaceReconError("Losses of the head's picture need the statistical skin of weights/skin.")
        self.modes = _texture(np.concatenate((*_log_modes(modes), whole_texture(modes.cover)[..., None]), axis=2)).to(device)
        # Hair, ears and neck stay the photo's: the face alone is drawn.
        seen = head.masks["face"] | head.masks["lips"] | head.masks["eyes"]
        self.faces, self.uv_faces = (part[seen[head.faces].all(1)] for part in (head.faces, head.uv_faces))

    def draw(self, code: HeadCode, vertices: Tensor, photos: Tensor, skin: Tensor) -> Picture:
        """Draws heads with the likeliest skin.

        Args:
            code: of the photos' crops.
            vertices: (B, V, 3) metres, the heads' frame.
            photos: (B, 3, S', S') in [0, 1], the crops undamaged.
            skin: (B, 1, S', S') in [0, 1], where they show bare skin.
        """
        photos, skin = (F.interpolate(p, (self.side, self.side), mode="area") for p in (photos, skin))
        corners = self._corners(code, vertices)
        fragments = rasterize(corners, self.faces, self.side, self.side)
        turned = vertices @ code.rotation.transpose(1, 2)
        normals = interpolate_screen(vertex_normals(turned, self.head.faces), corners, self.faces, fragments)
        uv = interpolate_screen(self.head.uv[None], corners, self.faces, fragments, self.uv_faces)
        mean, modes = (sample_texture(texture, uv).permute(0, 3, 1, 2) for texture in (self.mean, self.modes))
        light = irradiance(F.normalize(normals, dim=-1), code.lighting).permute(0, 3, 1, 2)
        usual = mean + light.clamp_min(DARKEST).log()
        rest = srgb_to_linear(photos).clamp_min(DARKEST).log() - usual
        covered = fragments.mask[:, None].float()
        weight = skin * covered * modes[:, -1:].detach().clamp(0, 1)
        personal = self._likeliest(rest, modes[:, :-1].unflatten(1, (-1, 3)), weight)
        drawn = linear_to_srgb((usual + personal).exp()).clamp(0, 1)
        return Picture(covered * drawn + (1 - covered) * photos, rest - personal, weight)

    def _corners(self, code: HeadCode, vertices: Tensor) -> Tensor:
        """Vertices (B, V, 3) in pixels of the picture, and depth."""
        places = crop_points(vertices, code.rotation, code.scale, code.center, code.inverse_distance)
        depth = 1 / code.inverse_distance[:, None] - (vertices @ code.rotation.transpose(1, 2))[..., 2]
        return torch.cat(((places + 0.5) * self.side - 0.5, depth[..., None]), dim=-1)

    def _likeliest(self, rest: Tensor, modes: Tensor, weight: Tensor) -> Tensor:
        """What tone and components make of the differences ``rest`` (B, 3, S, S); a least-squares solution needs no gradient
        of its own, as the loss is flat there.

        Args:
            modes: (B, K, 3, S, S).
            weight: (B, 1, S, S).
        """
        with torch.no_grad():
            tone = torch.eye(3, device=rest.device)[None, :, :, None, None].expand(len(rest), -1, -1, *rest.shape[2:])
            ways = torch.cat((tone, modes), dim=1).flatten(2)
            pull = torch.full((ways.shape[1],), NOISE**2, device=rest.device)
            pull[:3] /= TONE_STD**2
            sure = INDEPENDENT * weight.expand(-1, 3, -1, -1).flatten(1)
            normal = torch.einsum("bkp,blp,bp->bkl", ways, ways, sure) + torch.diag(pull)
            amounts = torch.linalg.solve(normal, torch.einsum("bkp,bp->bk", ways, sure * rest.flatten(1)))
        personal = amounts[:, :3, None, None].expand(-1, -1, *rest.shape[2:])
        return personal + torch.einsum("bk,bkchw->bchw", amounts[:, 3:], modes)


def photometric_loss(picture: Picture) -> Tensor:
    """Mean difference (B,) of the logarithms of colours where both show skin, 0 where nothing does."""
    apart = F.smooth_l1_loss(picture.difference, torch.zeros_like(picture.difference), beta=BETA, reduction="none")
    return (apart * picture.weight).sum((1, 2, 3)) / (3 * picture.weight.sum((1, 2, 3))).clamp_min(1)


def frozen_judge(device: torch.device) -> IdentityEncoder:
    """The shipped face embedding in float32, for gradients through it."""
    encoder = IdentityEncoder.from_pretrained(str(device))
    encoder.network.float()
    return encoder


def likeness_loss(encoder: IdentityEncoder, picture: Picture, photos: Tensor, landmarks: np.ndarray) -> Tensor:
    """One less the cosine (B,) of the embeddings of photo and picture.

    Args:
        encoder: the face embedding, frozen.
        photos: (B, 3, S', S') in [0, 1].
        landmarks: (B, 68, 2) of the photos, crop sides from the crop's centre.
    """
    cuts = torch.from_numpy(np.stack([_face_cut(points, encoder.size) for points in landmarks])).to(photos)
    grid = F.affine_grid(cuts, [len(cuts), 3, encoder.size, encoder.size], align_corners=False)
    crop = lambda image: F.grid_sample(image, grid, padding_mode="border", align_corners=False)  # noqa: E731
    with torch.no_grad():
        person = encoder.differentiable_embedding(crop(photos))
    return 1 - (encoder.differentiable_embedding(crop(picture.drawn)) * person).sum(1)


def _face_cut(landmarks: np.ndarray, size: int) -> np.ndarray:
    """(2, 3) from places of the embedding's crop to places of the photo's, both from -1 to 1."""
    matrix = invert(similarity_from_points(points_from_landmarks((landmarks + 0.5) * size - 0.5), size, TEMPLATE))
    corners = (np.array([[-1, -1], [1, -1], [-1, 1]]) * 0.5 + 0.5) * size - 0.5
    a, b, c = ((transform_points(corners, matrix) + 0.5) / size) * 2 - 1
    return np.stack(((b - a) / 2, (c - a) / 2, (b + c) / 2), axis=1).astype(np.float32)


def _texture(image: np.ndarray) -> Tensor:
    """(S, S, C) as ``sample_texture`` takes it."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]


def _log_colour(lab: np.ndarray) -> np.ndarray:
    """Logarithms of linear colours (S, S, 3) of Lab ones."""
    rgb = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB).clip(0, 1)
    return srgb_to_linear(torch.from_numpy(rgb)).clamp_min(DARKEST).log().numpy()


def _log_modes(modes: SkinModes) -> list[np.ndarray]:
    """Components of logarithms, (S, S, 3) each, about the mean skin in a usual tone."""
    middle = modes.mean + np.array([65.0, 14.0, 16.0], np.float32)
    fewer = modes.modes[:MODES] * modes.cover[..., None]
    return [whole_texture((_log_colour(middle + mode) - _log_colour(middle - mode)) / 2) for mode in fewer]
