"""Heads from photos."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from facerecon.checkpoints import find_checkpoint
from facerecon.demographics import ancestry_weights
from facerecon.devices import fast_dtype, resolve_device
from facerecon.faces.align import crop_face, invert
from facerecon.head import HeadModel
from facerecon.reconstruction.camera import head_in_photo, in_photo_light
from facerecon.reconstruction.encoder import EncoderConfig, HeadCode, HeadEncoder
from facerecon.reconstruction.texture import unproject
from facerecon.rendering import project, to_camera
from facerecon.types import Demographics, Face, FaceReconError, HeadParameters, Image, Reconstruction

TEMPLATE = "reconstruction"
BATCH = 32
RACES_ESTIMATED = ("Black", "Asian", "White")  # of each ancestry, in the head's order


class HeadReconstructor:
    """Faces found in photos in, heads out.

    Args:
        encoder: the network, on its device and in its dtype.
        head: the head model that the encoder was trained on.
    """

    def __init__(self, encoder: HeadEncoder, head: HeadModel) -> None:
        if encoder.config.identity > len(head.identity_labels) or encoder.config.expression != len(head.expression_labels):
            raise FaceReconError("The reconstruction checkpoint belongs to another head model.")
        self.encoder, self.head = encoder.eval(), head
        parameter = next(encoder.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.size = encoder.config.trunk.image_size

    @classmethod
    def from_pretrained(
        cls, device: str = "auto", head: HeadModel | None = None, path: str | Path | None = None
    ) -> HeadReconstructor:
        """Loads ``weights/reconstruction`` or a safetensors file.

        Raises:
            FaceReconError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        file = Path(path) if path else find_checkpoint("reconstruction")
        file = file / "reconstruction.safetensors" if file.is_dir() else file
        try:
            with safe_open(str(file), "pt") as handle:
                config = EncoderConfig.from_dict(json.loads(handle.metadata()["config"]))
            encoder = HeadEncoder(config)
            encoder.load_state_dict(load_file(file))
        except Exception as error:
            raise FaceReconError(f"The reconstruction checkpoint {file.name} cannot be used: {error}") from error
        encoder = encoder.to(where, fast_dtype(where)).to(memory_format=torch.channels_last)
        return cls(encoder, head or HeadModel.from_pretrained())

    def encode(
        self,
        images: Sequence[Image],
        faces: Sequence[Face],
        demographics: Sequence[Demographics | None] | None = None,
        focal_px: Sequence[float | None] | None = None,
    ) -> list[HeadParameters]:
        """What the network says of each face.

        Args:
            images: one photo (H, W, 3) uint8 for each face.
            faces: where the face is in its photo.
            demographics: what is known of each person; it stands before the estimate, field by field.
            focal_px: focal lengths in pixels where they are known.

        Raises:
            FaceReconError: the lists differ in length.
        """
        demographics = list(demographics) if demographics is not None else [None] * len(faces)
        focal_px = list(focal_px) if focal_px is not None else [None] * len(faces)
        if not len(images) == len(faces) == len(demographics) == len(focal_px):
            raise FaceReconError("Photos, faces, demographics and focal lengths must be equal in number.")
        found: list[HeadParameters] = []
        for start in range(0, len(faces), BATCH):
            part = slice(start, start + BATCH)
            cut = [crop_face(image, face.points, self.size, TEMPLATE) for image, face in zip(images[part], faces[part])]
            code = self._look([crop for crop, _ in cut])
            for i, (_, matrix) in enumerate(cut):
                shape, known, focal = images[start + i].shape, demographics[start + i], focal_px[start + i]
                found.append(self._parameters(code, i, matrix, shape, known, focal))
        return found

    def reconstruct(
        self,
        images: Sequence[Image],
        faces: Sequence[Face],
        demographics: Sequence[Demographics | None] | None = None,
        focal_px: Sequence[float | None] | None = None,
        texture_sources: Sequence[Image] | None = None,
        textured: bool = True,
    ) -> list[Reconstruction]:
        """Heads with texture; arguments and errors as for :meth:`encode`.

        Args:
            texture_sources: photos of the same framing to take the texture from, instead of ``images``.
            textured: False leaves the texture out.
        """
        started = time.perf_counter()
        encoded = self.encode(images, faces, demographics, focal_px)
        share = (time.perf_counter() - started) / max(len(faces), 1)
        out = []
        for i, (parameters, source) in enumerate(zip(encoded, texture_sources or images)):
            vertices, landmarks = self.geometry(parameters)
            seconds, texture = {"encode": share}, None
            if textured:
                started = time.perf_counter()
                texture = unproject(source, parameters, vertices, self.head)
                seconds["texture"] = time.perf_counter() - started
            painted = (texture.texture, texture.visibility) if texture else (None, None)
            out.append(Reconstruction(i, faces[i], parameters, vertices, landmarks, *painted, seconds=seconds))
        return out

    @torch.inference_mode()
    def geometry(self, parameters: HeadParameters) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) metres in the head's frame, with expression, and landmarks (68, 2) in photo pixels."""
        identity, expression, rotation, translation, principal = (
            torch.from_numpy(np.asarray(value, np.float32))[None]
            for value in (
                parameters.identity, parameters.expression, parameters.rotation, parameters.translation_m,
                parameters.principal_point,
            )
        )  # fmt: skip
        weights = self.head.demographic_weights([parameters.demographics])
        vertices = self.head.vertices(identity, expression, weights)
        yaw = seen_yaw(parameters)
        points = to_camera(self.head.landmarks(vertices, torch.tensor([yaw])), rotation, translation)
        pixels = project(points, torch.tensor([parameters.focal_px]), principal)
        return vertices[0].numpy(), pixels[0].numpy()

    @torch.inference_mode()
    def _look(self, crops: list[Image]) -> HeadCode:
        batch = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 255
        return self.encoder(batch.contiguous(memory_format=torch.channels_last))
