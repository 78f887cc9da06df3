"""Heads from photos."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.faces.masks import FaceMasks
from facerecon.demographics import ancestry_weights
from facerecon.demographics.estimator import DemographicsEstimate, DemographicsEstimator
from facerecon.devices import leave_cores_to_torch, resolve_device, to_fast
from facerecon.faces.align import reconstruction_matrix, warp
from facerecon.faces.parsing import FaceParser
from facerecon.head import HeadModel
from facerecon.head.demographics import describe as in_numbers
from facerecon.head.hair import grow_hair
from facerecon.reconstruction.camera import photo_camera, seen_yaw, turn_light
from facerecon.reconstruction.detail import Detailer, trust_in
from facerecon.reconstruction.encoder import EncoderConfig, HeadCode, HeadEncoder
from facerecon.reconstruction.fitting import fit_landmarks
from facerecon.reconstruction.fusion import contradictions, reconcile
from facerecon.reconstruction.hair import measure_hair
from facerecon.reconstruction.metric_shape import MetricShaper
from facerecon.reconstruction.quality import assess
from facerecon.reconstruction.same_person import exchange_shape
from facerecon.reconstruction.texture import TextureResult, unproject
from facerecon.rendering import project, to_camera
from facerecon.types import (
    Demographics,
    Detail,
    Face,
    FaceReconError,
    HeadParameters,
    Image,
    PersonShape,
    Reconstruction,
    ReconstructionOptions,
)

TEMPLATE = "head"
BATCH = 32
RACES_ESTIMATED = ("African", "Asian", "Caucasian")  # of each ancestry, in the head's order


class HeadReconstructor:
    """Faces found in photos in, heads out.

    Args:
        encoder: the network, on its device and in its dtype.
        head: the head model that the encoder was trained on.
        estimator: puts age, gender and race into words, and judges whether the photo contradicts what a user states.
        shaper: gives the shape in the encoder's place; pose and expression stay.
        parser: tells the texture what is hair, background or something in front; the texture judges by itself without.
        detailer: adds wrinkles and folds.
        fits: whether heads are brought to the landmarks of faces that have them.
    """

    def __init__(
        self,
        encoder: HeadEncoder,
        head: HeadModel,
        estimator: DemographicsEstimator | None = None,
        shaper: MetricShaper | None = None,
        parser: FaceParser | None = None,
        detailer: Detailer | None = None,
        fits: bool = True,
    ) -> None:
        if encoder.config.identity > len(head.identity_labels) or encoder.config.expression != len(head.expression_labels):
            raise FaceReconError("The reconstruction checkpoint belongs to another head model.")
        self.encoder, self.head, self.estimator = encoder.eval(), head, estimator
        self.shaper, self.parser, self.detailer, self.fits = shaper, parser, detailer, fits
        parameter = next(encoder.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.size = encoder.config.trunk.image_size

    @classmethod
    def from_pretrained(
        cls, device: str = "auto", head: HeadModel | None = None, path: str | Path | None = None, metric: bool = True,
        parser: FaceParser | None = None,
    ) -> HeadReconstructor:
        """Loads ``weights/reconstruction`` or a safetensors file, ``weights/demographics``; where they are there
        ``weights/shape`` with ``weights/identity``, if trained on this encoder, ``weights/parsing`` and ``weights/detail``.

        Args:
            metric: False leaves the shape to the encoder.
            parser: the one to use, where it is loaded already.

        Raises:
            FaceReconError: no checkpoint was found, or it does not fit.
        """
        leave_cores_to_torch()
        where = resolve_device(device)
        head = head or HeadModel.from_pretrained()
        encoder = load_network("reconstruction", lambda values: HeadEncoder(EncoderConfig.from_dict(values), head), path)
        encoder = to_fast(encoder, where)
        shaper = MetricShaper.shipped(device) if metric and path is None else None
        estimator = DemographicsEstimator.from_pretrained(device)
        parser = parser or FaceParser.shipped(device)
        return cls(encoder, head, estimator, shaper, parser, Detailer.shipped(head, device))

    def encode(
        self,
        images: Sequence[Image],
        faces: Sequence[Face],
        demographics: Sequence[Demographics | None] | None = None,
        focal_px: Sequence[float | None] | None = None,
        options: ReconstructionOptions = ReconstructionOptions(),
    ) -> list[HeadParameters]:
        """What the network says of each face.

        Args:
            images: one photo (H, W, 3) uint8 for each face.
            faces: where the face is in its photo.
            demographics: what is known of each person; it stands before the estimate, field by field.
            focal_px: focal lengths in pixels where they are known.
            options: how it is done.

        Raises:
            FaceReconError: the lists differ in length.
        """
        return [parameters for parameters, _ in self._encode(images, faces, demographics, focal_px, options)]

    def _encode(
        self,
        images: Sequence[Image],
        faces: Sequence[Face],
        demographics: Sequence[Demographics | None] | None,
        focal_px: Sequence[float | None] | None,
        options: ReconstructionOptions,
    ) -> list[tuple[HeadParameters, Image]]:
        """:meth:`encode`, and the crop (S, S, 3) that each face was seen in."""
        demographics = list(demographics) if demographics is not None else [None] * len(faces)
        focal_px = list(focal_px) if focal_px is not None else [None] * len(faces)
        if not len(images) == len(faces) == len(demographics) == len(focal_px):
            raise FaceReconError("Photos, faces, demographics and focal lengths must be equal in number.")
        found: list[tuple[HeadParameters, Image]] = []
        for start in range(0, len(faces), BATCH):
            part = slice(start, start + BATCH)
            matrices = [reconstruction_matrix(face.points, self.size, options.crop_scale) for face in faces[part]]
            crops = [warp(image, matrix, self.size) for image, matrix in zip(images[part], matrices)]
            code, estimates = self._look(crops), self._estimates(images[part], faces[part])
            shaped = None
            if self.shaper is not None and options.person is None:
                shaped = self.shaper.shape(code, images[part], faces[part], demographics[part])
            for i, (crop, matrix) in enumerate(zip(crops, matrices)):
                shape, known, focal = images[start + i].shape, demographics[start + i], focal_px[start + i]
                parameters = self._parameters(shaped or code, i, matrix, shape, known, focal, estimates[i])
                if shaped is not None:
                    # Another shape than the encoder's moves the landmarks: the pose brings them back to the photo.
                    own = self._parameters(code, i, matrix, shape, None, focal)
                    measured = PersonShape(parameters.identity, parameters.mean_weights, parameters.demographics)
                    parameters = exchange_shape(own, measured, self.head)
                if options.person is not None:
                    parameters = exchange_shape(parameters, options.person, self.head)
                face = faces[start + i]
                if self.fits and face.landmarks is not None and face.landmark_errors is not None:
                    count = 0 if options.person is not None else self.encoder.config.identity
                    parameters = fit_landmarks(parameters, face.landmarks, face.landmark_errors, self.head, count)
                found.append((parameters, crop))
        return found

    def reconstruct(
        self,
        images: Sequence[Image],
        faces: Sequence[Face],
        demographics: Sequence[Demographics | None] | None = None,
        focal_px: Sequence[float | None] | None = None,
        textured: bool = True,
        options: ReconstructionOptions = ReconstructionOptions(),
        masks: Sequence[FaceMasks | None] | None = None,
    ) -> list[Reconstruction]:
        """Heads with texture and, where ``weights/detail`` is there, detail; arguments and errors as for :meth:`encode`.

        Args:
            textured: False leaves texture and detail out.
            masks: what the photos show around each face, where that was judged before.
        """
        started = time.perf_counter()
        encoded = self._encode(images, faces, demographics, focal_px, options)
        share = (time.perf_counter() - started) / max(len(faces), 1)
        out = []
        started = time.perf_counter()
        masks = self.masks_of(images, faces, masks) if textured else [None] * len(faces)
        parsed = (time.perf_counter() - started) / max(len(faces), 1)
        for i, ((parameters, crop), source) in enumerate(zip(encoded, images)):
            vertices, landmarks = self.geometry(parameters)
            seconds, texture, detail = {"encode": share}, None, None
            if textured:
                started = time.perf_counter()
                if options.hair:
                    parameters, vertices = self.with_hair(source, parameters, vertices, masks[i])
                texture = self.paint(source, parameters, vertices, options.delight, masks[i])
                seconds["texture"] = parsed + time.perf_counter() - started
            if texture and self.detailer is not None and options.mode == "detail":
                started = time.perf_counter()
                detail = self.sculpt(texture, parameters, vertices, trust_in(source, faces[i]))
                seconds["detail"] = time.perf_counter() - started
            painted = (texture.texture, texture.visibility) if texture else (None, None)
            quality = assess(crop, faces[i].points, landmarks, parameters)
            out.append(Reconstruction(i, faces[i], parameters, vertices, landmarks, *painted, quality, seconds, detail))
        return out

    def masks_of(
        self, photos: Sequence[Image], faces: Sequence[Face], known: Sequence[FaceMasks | None] | None = None
    ) -> list[FaceMasks | None]:
        """What each photo shows around its face, judged where it is not ``known``; None without a parser."""
        masks = list(known or [None] * len(faces))
        new = [i for i, m in enumerate(masks) if m is None]
        if new and self.parser is not None:
            for i, seen in zip(new, self.parser.predict([photos[i] for i in new], [faces[i] for i in new])):
                masks[i] = seen
        return masks

    def with_hair(
        self, photo: Image, parameters: HeadParameters, vertices: np.ndarray, masks: FaceMasks | None
    ) -> tuple[HeadParameters, np.ndarray]:
        """Parameters and vertices of a bald head with the hair that its photo shows, see ``hair.measure_hair``; as they are
        where that is not known."""
        hair = None if masks is None else measure_hair(parameters, vertices, self.head, masks, photo.shape[:2])
        if hair is None:
            return parameters, vertices
        return replace(parameters, hair=hair), grow_hair(vertices, hair, self.head)

    def paint(
        self,
        photo: Image,
        parameters: HeadParameters,
        vertices: np.ndarray,
        delight: bool = False,
        masks: FaceMasks | None = None,
    ) -> TextureResult:
        """The texture that a photo gives a head; see ``texture.unproject``."""
        return unproject(photo, parameters, vertices, self.head, delight=delight, masks=masks)

    def sculpt(
        self, painted: TextureResult, parameters: HeadParameters, vertices: np.ndarray, trust: float = 1.0
    ) -> Detail | None:
        """Wrinkles and folds of a painted head; None without ``weights/detail``. See ``detail.Detailer.sculpt``."""
        return None if self.detailer is None else self.detailer.sculpt(painted, parameters, vertices, trust=trust)

    @torch.inference_mode()
    def geometry(self, parameters: HeadParameters) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) metres in the head's frame, with expression and hair, and landmarks (68, 2) in photo pixels."""
        identity, expression, rotation, translation, principal = (
            torch.from_numpy(np.asarray(value, np.float32))[None]
            for value in (
                parameters.identity, parameters.expression, parameters.rotation, parameters.translation_m,
                parameters.principal_point,
            )
        )  # fmt: skip
        vertices = self.head.vertices(identity, expression, self.head.mean_weights(parameters))
        points = to_camera(self.head.landmarks(vertices, seen_yaw(rotation, translation)), rotation, translation)
        pixels = project(points, torch.tensor([parameters.focal_px]), principal)
        return grow_hair(vertices[0].numpy(), parameters.hair, self.head), pixels[0].numpy()

    @torch.inference_mode()
    def _look(self, crops: list[Image]) -> HeadCode:
        batch = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 255
        return self.encoder(batch.contiguous(memory_format=torch.channels_last))

    def _estimates(self, images: Sequence[Image], faces: Sequence[Face]) -> list[DemographicsEstimate | None]:
        return [None] * len(faces) if self.estimator is None else list(self.estimator.predict(list(images), list(faces)))

    def _parameters(
        self,
        code: HeadCode,
        i: int,
        matrix: np.ndarray,
        shape: tuple[int, ...],
        known: Demographics | None,
        focal_px: float | None,
        estimate: DemographicsEstimate | None = None,
    ) -> HeadParameters:
        """Row ``i`` of the code, moved from the crop (``matrix``) into a photo of that shape."""
        principal = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2], np.float32)
        turn, translation, focal = photo_camera(
            float(code.scale[i]), code.center[i].cpu().numpy(), 1 / float(code.inverse_distance[i]), matrix, self.size,
            principal, focal_px,
        )  # fmt: skip
        # Identity was learned on top of the encoder's own mean; the estimator's would bend the shape, so it gives the words.
        seen = tuple(value[i : i + 1].cpu() for value in (code.age, code.gender, code.ancestry))
        age, gender, ancestry = stated_or_seen(known, seen)
        weights = self.head.encode_demographics(age, gender, ancestry)
        found = code.identity[i : i + 1].cpu().float()
        if estimate is not None and contradictions(known, estimate):
            limit = self.encoder.config.limit
            found, weights = reconcile(self.head, found, self.head.encode_demographics(*seen), weights)
            found = found.clamp(-limit, limit)
        identity = np.zeros(len(self.head.identity_labels), np.float32)
        identity[: found.shape[1]] = found[0].numpy()
        return HeadParameters(
            identity=identity,
            expression=code.expression[i].clamp(0, 1).cpu().numpy(),
            demographics=describe(known, in_words(*seen) if estimate is None else estimate.demographics()),
            rotation=(turn @ code.rotation[i].cpu().numpy()).astype(np.float32),
            translation_m=translation.astype(np.float32),
            focal_px=focal,
            principal_point=principal,
            lighting=turn_light(code.lighting[i].cpu().numpy(), turn).astype(np.float32),
            mean_weights=weights[0].numpy(),
        )


def stated_or_seen(known: Demographics | None, seen: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Age (1,), gender (1,) and ancestry (1, 3): what is stated, else what was seen, or the average."""
    if known is not None and not known.auto_detect:
        return in_numbers([known])
    age, gender, ancestry = seen
    if known is not None and known.age is not None:
        age = torch.tensor([float(known.age)])
    if known is not None and known.gender is not None:
        gender = torch.tensor([float(known.gender == "male")])
    stated = None if known is None else ancestry_weights(known.race, known.ethnicity)
    if stated is not None:
        ancestry = torch.from_numpy(stated)[None]
    return age, gender, ancestry


def in_words(age: Tensor, gender: Tensor, ancestry: Tensor) -> Demographics:
    """The encoder's own judgement (1,), (1,), (1, 3) of a person."""
    race = RACES_ESTIMATED[int(ancestry[0].argmax())]
    return Demographics(round(float(age), 1), "male" if float(gender) > 0.5 else "female", race, source="estimated")


def describe(known: Demographics | None, judged: Demographics) -> Demographics:
    """The person in words: what the user said, completed by the estimate where that is allowed."""
    if known is not None and not known.auto_detect:
        return known
    said = known or Demographics()
    stated = any(value is not None for value in (said.age, said.gender, said.race, said.ethnicity))
    person = Demographics(
        age=judged.age if said.age is None else round(said.age, 1),
        gender=said.gender or judged.gender,
        race=said.race or (None if said.ethnicity else judged.race),
        ethnicity=said.ethnicity,
        source="user" if stated else "estimated",
    )
    estimated = {n: p for n, p in judged.certainty.items() if getattr(said, n) is None and getattr(person, n) is not None}
    return replace(person, certainty=estimated)
