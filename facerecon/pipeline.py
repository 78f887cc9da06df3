"""The way of a photo: find faces, restore them, rebuild their heads.

The page and the command line call this module; no step of it exists elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facerecon.demographics.categories import check_demographics
from facerecon.faces.choose import choose_faces
from facerecon.faces.masks import FaceMasks
from facerecon.images import check_photo
from facerecon.parts import PipelineParts
from facerecon.restoration.colour import toning
from facerecon.restoration.photo import (
    align_face,
    align_surroundings,
    check_upscale,
    finish_face,
    invented_mask,
    paste_faces,
    reconstruction_sources,
)
from facerecon.restoration.scoring import add_scores
from facerecon.scaling import head_in_photo, scale_face, scale_masks
from facerecon.steps import StepListener, Steps
from facerecon.types import (
    Demographics,
    Face,
    FaceReconError,
    Image,
    PersonShape,
    Reconstruction,
    ReconstructionOptions,
    Restoration,
    RestorationExtras,
    RestoredFace,
    Result,
)

ChosenFaces = list[tuple[int, Face]]


class NoFaceError(FaceReconError):
    """No face was found."""


class FaceReconstructor(PipelineParts):
    """Restores photos of faces and rebuilds the heads in them.

    Every part is loaded at its first use, so that a run which only restores never
    loads the head. A part that is handed over is used as it is.

    Args:
        detector: a ``facerecon.faces.FaceDetector``.
        restorer: what ``facerecon.restoration.FaceRestorer`` gives.
        reconstructor: what ``facerecon.reconstruction.HeadReconstructor`` gives.
        head: a ``facerecon.head.HeadModel``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        detector_options: for ``create_detector``: ``name``, ``threshold``, ``min_face``, ``refine``.
    """

    @classmethod
    def from_pretrained(cls, device: str = "auto", **detector_options: Any) -> FaceReconstructor:
        """The shipped networks; ``detector_options`` as in the constructor."""
        return cls(device=device, detector_options=detector_options)

    def restore(
        self,
        image: Image | Sequence[Image],
        fidelity: float = 0.7,
        upscale: int = 1,
        faces: str | int = "all",
        extras: RestorationExtras = RestorationExtras(),
    ) -> Restoration | list[Restoration]:
        """Restores the faces of a photo, or of a list of photos in one batch.

        Args:
            image: (H, W, 3) uint8 RGB.
            fidelity: 0 invents most, 1 keeps closest to the photo.
            upscale: 1, 2 or 4; the background grows with a Lanczos filter.
            faces: ``"all"``, ``"largest"``, ``"center"`` or an index.
            extras: see ``facerecon.types.RestorationExtras``.

        Raises:
            NoFaceError: a photo shows no face.
            FaceReconError: an argument is out of its range.
        """
        photos, single = _as_list(image)
        chosen = self._find(photos, faces)
        photos = self.coloured(photos, chosen) if extras.colorize else photos
        restorations = self.restore_found(photos, chosen, fidelity, upscale, extras=extras)
        return restorations[0] if single else restorations

    def reconstruct(
        self,
        image: Image | Sequence[Image],
        demographics: Demographics | None = None,
        detail: bool = True,
        faces: str | int = "largest",
        focal_px: float | None = None,
        options: ReconstructionOptions | None = None,
    ) -> list[Reconstruction] | list[list[Reconstruction]]:
        """Rebuilds the heads of a photo as it is, or of a list of photos in one batch.

        Args:
            image: (H, W, 3) uint8 RGB.
            demographics: what is known of the person; None lets the network judge.
            detail: False leaves texture, wrinkles and folds out and gives the bare head, sooner.
            faces: ``"all"``, ``"largest"``, ``"center"`` or an index.
            focal_px: focal length in pixels where it is known.
            options: see ``facerecon.types.ReconstructionOptions``.

        Returns:
            One reconstruction a face (a list of such lists for a list of photos).

        Raises:
            NoFaceError: a photo shows no face.
            FaceReconError: an argument is out of its range.
        """
        photos, single = _as_list(image)
        demographics = _checked(demographics, focal_px)
        chosen = self._find(photos, faces)
        work = [(photo, 1) for photo, found in zip(photos, chosen) for _ in found]
        heads = self.reconstruct_found(work, chosen, demographics, detail, focal_px, options)
        return heads[0] if single else heads

    def run(
        self,
        image: Image | Sequence[Image],
        fidelity: float = 0.7,
        upscale: int = 1,
        faces: str | int = "all",
        demographics: Demographics | None = None,
        detail: bool = True,
        focal_px: float | None = None,
        on_step: StepListener | None = None,
        options: ReconstructionOptions | None = None,
        extras: RestorationExtras = RestorationExtras(),
    ) -> Result | list[Result]:
        """Restores a photo and rebuilds its heads from the restored faces.

        A face that was already sharp (see ``restoration.photo.is_sharp``) is rebuilt from the photo
        itself. Arguments and errors are those of :meth:`restore` and :meth:`reconstruct`;
        landmarks, boxes and cameras are in pixels of the input photo at any ``upscale``.
        ``on_step`` hears of the steps ``"find"``, ``"restore"`` and ``"reconstruct"`` as they
        begin and end; ``Result.seconds`` has them, a photo's share of each.
        """
        started, steps = time.perf_counter(), Steps(on_step)
        photos, single = _as_list(image)
        demographics = _checked(demographics, focal_px)
        with steps.step("find"):
            chosen = self._find(photos, faces)
        with steps.step("restore"):
            photos = self.coloured(photos, chosen) if extras.colorize else photos
            restorations = self.restore_found(photos, chosen, fidelity, upscale, extras=extras)
        with steps.step("reconstruct"):
            heads = self._rebuild(photos, restorations, demographics, detail, focal_px, options)
        total = time.perf_counter() - started
        seconds = {name: took / len(photos) for name, took in {**steps.seconds, "total": total}.items()}
        results = [Result(r, h, dict(seconds)) for r, h in zip(restorations, heads)]
        return results[0] if single else results

    def rebuild(
        self,
        image: Image,
        restoration: Restoration,
        demographics: Demographics | None = None,
        detail: bool = True,
        focal_px: float | None = None,
        on_step: StepListener | None = None,
        options: ReconstructionOptions | None = None,
    ) -> Result:
        """:meth:`run` of a photo that is restored already, such as for other demographics.

        Args:
            image: the photo that was restored, (H, W, 3) uint8 RGB.
            restoration: what :meth:`restore` or :meth:`run` made of it; its faces are those to rebuild.

        The others, and the step ``"reconstruct"`` of which ``on_step`` hears, are those of :meth:`run`.
        """
        check_photo(image)
        demographics, steps = _checked(demographics, focal_px), Steps(on_step)
        with steps.step("reconstruct"):
            (heads,) = self._rebuild([image], [restoration], demographics, detail, focal_px, options)
        return Result(restoration, heads, {**steps.seconds, "total": steps.seconds["reconstruct"]})

    def _rebuild(
        self,
        photos: list[Image],
        restorations: list[Restoration],
        demographics: Demographics | None,
        detail: bool,
        focal_px: float | None,
        options: ReconstructionOptions | None,
    ) -> list[list[Reconstruction]]:
        """The heads of restored photos, with the scores of the restored faces."""
        work = [source for photo, r in zip(photos, restorations) for source in reconstruction_sources(photo, r)]
        chosen = [[(face.index, face.face) for face in restoration.faces] for restoration in restorations]
        masks = [face.parts for restoration in restorations for face in restoration.faces]
        heads = self.reconstruct_found(work, chosen, demographics, detail, focal_px, options, masks)
        for restoration, rebuilt in zip(restorations, heads):
            add_scores(restoration, rebuilt)
        return heads

    def person_shape(
        self, photos: Sequence[Image], demographics: Demographics | None = None, faces: str | int = "largest"
    ) -> PersonShape:
        """One shape from photos of one person, for ``ReconstructionOptions.person``; errors as for :meth:`reconstruct`."""
        from facerecon.reconstruction.same_person import fuse_shapes

        return fuse_shapes([head for heads in self.reconstruct(list(photos), demographics, False, faces) for head in heads])

    def _find(self, photos: list[Image], faces: str | int) -> list[ChosenFaces]:
        chosen = []
        for number, photo in enumerate(photos, 1):
            found = self.detector.detect(photo)
            if not found:
                which = "the photo" if len(photos) == 1 else f"photo {number} of {len(photos)}"
                raise NoFaceError(f"No face was found in {which}.")
            chosen.append(choose_faces(found, faces, photo.shape[:2]))
        return chosen

    def restore_found(
        self,
        photos: list[Image],
        chosen: list[ChosenFaces],
        fidelity: float,
        upscale: int,
        score: bool = True,
        surroundings: bool = True,
        extras: RestorationExtras = RestorationExtras(),
    ) -> list[Restoration]:
        """:meth:`restore` where the faces are known.

        Args:
            chosen: for each photo a list of (index, face), perhaps empty.
            score: whether ``scorer`` adds its scores of identity and naturalness.
            surroundings: whether hair, ears and neck are restored as well, which takes the network as long again.
            extras: as for :meth:`restore`; photos are not coloured any more.

        The others are those of :meth:`restore`.
        """
        check_upscale(photos, upscale)
        started = time.perf_counter()
        aligned = [align_face(photo, index, face) for photo, found in zip(photos, chosen) for index, face in found]
        guide = {} if extras.person is None else {"people": [check_demographics(extras.person)] * len(aligned)}
        outputs = self.restorer.restore([face.crop for face in aligned], fidelity=fidelity, **guide)
        finished = [finish_face(face, output) for face, output in zip(aligned, outputs)]
        if surroundings:
            each = [p for p, found in zip(photos, chosen) for _ in found]
            finished = self._masked(self._with_surroundings(finished, each), each, fidelity)
        restored = iter(self.scorer.score(finished) if score else finished)
        networks = (time.perf_counter() - started) / len(photos)
        restorations = []
        for photo, found in zip(photos, chosen):
            started, faces = time.perf_counter(), [next(restored) for _ in found]
            image = paste_faces(self.restorer.clean(photo) if extras.background else photo, faces, upscale)
            seconds = {"restore": networks, "paste": time.perf_counter() - started}
            restorations.append(Restoration(image, faces, upscale, fidelity, seconds))
        return restorations

    def coloured(self, photos: list[Image], chosen: list[ChosenFaces]) -> list[Image]:
        """Photos with colours guessed for those that have none of their own."""
        faces = [[face for _, face in found] for found in chosen]
        return [p if toning(p) is None else self.colouriser.colour(p, f) for p, f in zip(photos, faces)]

    def _with_surroundings(self, faces: list[RestoredFace], photos: list[Image]) -> list[RestoredFace]:
        wider = [align_surroundings(photo, face) for photo, face in zip(photos, faces)]
        restored = self.restorer.restore([crop for crop, _ in wider], fidelity=1.0)
        return [replace(f, surroundings=(crop, matrix)) for f, crop, (_, matrix) in zip(faces, restored, wider)]

    def _masked(self, faces: list[RestoredFace], photos: list[Image], fidelity: float) -> list[RestoredFace]:
        """Faces of which only what is face and hair will be pasted over their surroundings, where anything was invented."""
        if fidelity >= 1 or not faces or self.parser is None:
            return faces
        masks = self.parser.predict(photos, [face.face for face in faces])
        return [
            replace(f, mask=invented_mask(m, f.matrix, len(f.restored), fidelity), parts=m) for f, m in zip(faces, masks)
        ]

    def reconstruct_found(
        self,
        work: list[tuple[Image, int]],
        chosen: list[ChosenFaces],
        demographics: Demographics | None,
        detail: bool,
        focal_px: float | None,
        options: ReconstructionOptions | None = None,
        masks: Sequence[FaceMasks | None] = (),
    ) -> list[list[Reconstruction]]:
        """:meth:`reconstruct` where the faces are known.

        Args:
            work: for each face of all photos an image and how many times larger than the photo
                it is, as :func:`reconstruction_sources` gives them.
            chosen: for each photo a list of (index, face), perhaps empty.
            masks: what the photo shows around each face, where that was judged before.

        The others are those of :meth:`reconstruct`.
        """
        flat = [pair for found in chosen for pair in found]
        scales = [scale for _, scale in work]
        further = {} if options is None else {"options": options}
        if any(m is not None for m in masks) and getattr(self.reconstructor, "parser", None) is not None:
            further["masks"] = [m and scale_masks(m, scale) for m, scale in zip(masks, scales)]
        heads = iter(
            self.reconstructor.reconstruct(
                [image for image, _ in work],
                [scale_face(face, scale) for (_, face), scale in zip(flat, scales)],
                demographics=[demographics] * len(flat),
                focal_px=[None if focal_px is None else focal_px * scale for scale in scales],
                textured=detail,
                **further,
            )
        )
        pairs = iter(zip(flat, scales))
        return [[head_in_photo(next(heads), *next(pairs)) for _ in found] for found in chosen]


def _as_list(image: Image | Sequence[Image]) -> tuple[list[Image], bool]:
    single = not isinstance(image, (list, tuple)) and getattr(image, "ndim", 3) != 4
    photos = [image] if single else list(image)
    for photo in photos:
        check_photo(photo)
    if not photos:
        raise FaceReconError("The list of photos is empty.")
    return photos, single


def _checked(demographics: Demographics | None, focal_px: float | None) -> Demographics | None:
    """The person in our words, before anything is done with the photo."""
    if focal_px is not None and not 0 < focal_px < np.inf:
        raise FaceReconError(f"The focal length must be a number of pixels above 0; {focal_px} is not.")
    return None if demographics is None else check_demographics(demographics)
