"""Wrinkles and folds of a face from its photo: ``Detailer``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.checkpoints import CheckpointError, load_network
from facerecon.devices import resolve_device, to_fast
from facerecon.faces.align import crop_face
from facerecon.head import HeadModel
from facerecon.head.hair import bald_vertices, grow_hair
from facerecon.metrics.sharpness import noise_sigma
from facerecon.reconstruction.appearance import load_appearance
from facerecon.reconstruction.detail_network import DetailConfig, DetailNetwork, look
from facerecon.reconstruction.detail_surface import SIZE, FaceWindow, look_at, luminance, strain, surface_maps, whole_texture
from facerecon.reconstruction.texture import TextureResult
from facerecon.reconstruction.texture_atlas import TextureAtlas, atlas_of
from facerecon.types import Detail, Face, HeadParameters, Image

FLAT = (128, 128, 255)
# Grey levels of noise in a face of this many pixels a side: up to which shading is believed, and from which it is not at all.
_NOISE_SIDE, _QUIET, _BARK = 256, 2.0, 5.0
STEEPEST = 3.0  # slope: the map holds no overhang


class Detailer:
    """Adds to a head what the photo's shading says of its relief.

    Args:
        network: on its device and in its dtype.
        head: the head model that textures are made for.
    """

    def __init__(self, network: DetailNetwork, head: HeadModel) -> None:
        self.network, self.head = network.eval(), head
        self.device = next(network.parameters()).device

    @classmethod
    def from_pretrained(cls, head: HeadModel, device: str = "auto", path: str | Path | None = None) -> Detailer:
        """``weights/detail`` or a safetensors file.

        Raises:
            CheckpointError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        network = load_network("detail", lambda values: DetailNetwork(DetailConfig(**values)), path)
        return cls(to_fast(network, where), head)

    @classmethod
    def shipped(cls, head: HeadModel, device: str = "auto") -> Detailer | None:
        """As :meth:`from_pretrained`; None where there are no weights."""
        try:
            return cls.from_pretrained(head, device)
        except CheckpointError:
            return None

    def sculpt(
        self,
        painted: TextureResult,
        parameters: HeadParameters,
        vertices: np.ndarray,
        expression: np.ndarray | None = None,
        trust: float = 1.0,
    ) -> Detail:
        """The relief of a head.

        Args:
            painted: what the photo showed of it.
            parameters: pose, expression and light in the photo.
            vertices: (V, 3) metres, head frame, with the photo's expression, and with the hair that the parameters have.
            expression: (52,) the relief is wanted for; wrinkles deepen where it squeezes the skin and fade where it
                stretches it. The photo's by default.
            trust: share of the relief that is kept, see :func:`trust_in`.
        """
        atlas = atlas_of(self.head, len(painted.texture))
        window = self.window(painted, parameters, vertices, atlas)
        wanted = window.strain
        if expression is not None:
            vertices = self._vertices(replace(parameters, expression=np.asarray(expression, np.float32)))
            wanted = strain(vertices, self._vertices(_without_expression(parameters)), atlas)
        displacement = trust * self.displace(window, wanted)
        return Detail(whole_texture(displacement / 1000), whole_texture(normal_map(displacement, vertices, atlas), FLAT))

    def window(self, painted: TextureResult, parameters: HeadParameters, vertices: np.ndarray, atlas: TextureAtlas) -> FaceWindow:
        """The face as the network sees it."""
        neutral = self._vertices(_without_expression(parameters))
        prior = load_appearance(atlas.size, len(self.head.uv))
        accepted = painted.visibility.astype(np.float32) / 255
        return look_at(painted.texels, accepted, parameters, vertices, neutral, atlas, prior, painted.tone)

    @torch.inference_mode()
    def displace(self, window: FaceWindow, wanted: np.ndarray) -> np.ndarray:
        """Millimetres (N, N) float32 along the normals, for a wanted strain (G, G, 2)."""
        maps = (window.lab, window.shape, window.strain, wanted)
        lab, shape, seen, asked = (torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1), np.float32))[None] for x in maps)
        brightness = torch.from_numpy(np.log(np.maximum(luminance(window.lab), 4e-3)))[None, None]
        weight, light = torch.from_numpy(window.weight)[None, None], torch.from_numpy(window.light)[None]
        inputs = look(brightness, lab[:, 1:], lab[:, :1], weight, shape, light, seen, asked)
        return self.network(inputs.to(self.device).contiguous(memory_format=torch.channels_last))[0, 0].cpu().numpy()

    def _vertices(self, parameters: HeadParameters) -> np.ndarray:
        return grow_hair(bald_vertices(parameters, self.head), parameters.hair, self.head)


def trust_in(photo: Image, face: Face) -> float:
    """How far the shading of a face may be believed, 0 to 1: noise would become bark."""
    crop, _ = crop_face(photo, face.points, _NOISE_SIDE, "restoration")
    return float(np.clip((_BARK - noise_sigma(crop)) / (_BARK - _QUIET), 0, 1))


def normal_map(displacement: np.ndarray, vertices: np.ndarray, atlas: TextureAtlas) -> Image:
    """Tangent-space normals (N, N, 3) uint8 of a window's displacement (N, N) mm, in glTF's convention.

    The tangent follows u, the bitangent points up the texture.
    """
    metric = surface_maps(vertices, atlas, np.eye(3))[1]
    e, f, g = cv2.split(cv2.resize(np.maximum(metric, (1e-2, -1e3, 1e-2)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
    down, across = np.gradient(displacement)
    x = -across / np.sqrt(e)
    y = (down - across * f / e) / np.sqrt(np.maximum(g - f * f / e, 1e-2))
    steep = np.maximum(np.hypot(x, y) / STEEPEST, 1)
    normal = np.stack([x / steep, y / steep, np.ones_like(x)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.round(normal * 127 + 128).clip(0, 255).astype(np.uint8)


def _without_expression(parameters: HeadParameters) -> HeadParameters:
    return replace(parameters, expression=np.zeros_like(parameters.expression))
