"""``run``, ``restore`` and ``reconstruct``: what the pipeline does to a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from batch.leftovers import Leftovers
from batch.remembering import Remembering
from batch.task import Loaded, Outcome, Task
from facerecon.output_names import CROP_SIDE, RECONSTRUCTION_FOLDERS, RESTORATION_FOLDERS, existing_files, video_record
from facerecon.pipeline import FaceReconstructor
from facerecon.types import (
    CROP_SCALE,
    Demographics,
    FaceReconError,
    Mode,
    Reconstruction,
    ReconstructionOptions,
    Restoration,
    RestorationExtras,
)

RESTORATION, RECONSTRUCTION = "restoration", "reconstruction"
_FOLDERS = {RESTORATION: RESTORATION_FOLDERS, RECONSTRUCTION: RECONSTRUCTION_FOLDERS}
Results = tuple[Restoration | None, list[Reconstruction]]


@dataclass(frozen=True)
class Settings:
    """All that changes the files of a photo.

    Attributes:
        stages: of ``"restoration"`` and ``"reconstruction"``, those to do.
        fidelity, upscale, faces, demographics: as ``FaceReconstructor.run`` takes them.
        formats: files of a head, of ``output_names.FORMATS``.
        pictures: of ``output_names.PICTURES``.
        comparison: before and after side by side.
        max_side: photos are shrunk to this longer side, pixels; None keeps them.
        detector: options of the face detector.
        codes: write the parameters as arrays, too.
        crop_scale, delight, mode, hair: as ``facerecon.types.ReconstructionOptions`` has them.
        crop_size: side of the picture ``crop``, pixels.
        person: the shape that all photos share, a ``batch.same_person.SharedShape``.
        head_model: file of another head model, whose mesh is fitted to each head.
        only_faces: the restored photo is not written, only its faces.
        background, colorize: as ``facerecon.types.RestorationExtras`` has them.
        guided: the demographics guide restoration, too.
    """

    stages: tuple[str, ...] = (RESTORATION, RECONSTRUCTION)
    fidelity: float = 0.7
    upscale: int = 1
    faces: str | int = "all"
    demographics: Demographics | None = None
    formats: tuple[str, ...] = ("glb",)
    pictures: tuple[str, ...] = ("overlay", "geometry")
    comparison: bool = False
    max_side: int | None = None
    detector: dict[str, Any] = field(default_factory=dict)
    codes: bool = False
    crop_scale: float = CROP_SCALE
    crop_size: int = CROP_SIDE
    delight: bool = False
    person: Any = None
    head_model: str | None = None
    only_faces: bool = False
    background: bool = False
    colorize: bool = False
    guided: bool = False
    mode: Mode = "detail"
    hair: bool = True


def make_reconstructor(device: str, settings: Settings) -> FaceReconstructor:
    """The pipeline of a run, with the detector that was asked for."""
    return FaceReconstructor.from_pretrained(device=device, **settings.detector)


class PhotoTask(Task):
    """The pipeline as a task.

    Args:
        given: the settings.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        make: gives the pipeline; called once in each process.
    """

    modules = (
        "batch.photo_task", "facerecon.outputs", "facerecon.restoration.restorer",
        "facerecon.restoration.scoring", "facerecon.reconstruction.reconstructor",
    )  # fmt: skip

    def __init__(
        self,
        given: Settings,
        device: str = "auto",
        make: Callable[[str, Settings], FaceReconstructor] | None = None,
    ) -> None:
        self.given, self.device = given, device
        self.make = make or make_reconstructor
        self.stages, self.max_side = given.stages, given.max_side
        self._folders = [folder for stage in given.stages for folder in _FOLDERS[stage]]
        self._leftovers: dict[Path, Leftovers] = {}

    def __getstate__(self) -> dict[str, Any]:
        here_only = ("pipeline", "detector", "base", "_versions")
        kept = {key: value for key, value in self.__dict__.items() if key not in here_only}
        return {**kept, "_leftovers": {}}

    @cached_property
    def pipeline(self) -> FaceReconstructor:
        """The pipeline; its networks are loaded by :meth:`load`."""
        return self.make(self.device, self.given)

    @cached_property
    def detector(self) -> Remembering:
        """The pipeline's detector, which looks at each photo once."""
        detector = self.pipeline.detector
        if not isinstance(detector, Remembering):
            detector = Remembering(detector)
            self.pipeline.detector = detector  # the pipeline asks it again, from another thread
        return detector

    def settings(self) -> dict[str, Any]:
        """The settings as plain values."""
        given = asdict(self.given)
        given["person"] = None if self.given.person is None else self.given.person.key
        if given["demographics"]:
            del given["demographics"]["certainty"]  # stated values have none
        return given

    @property
    def options(self) -> ReconstructionOptions | None:
        """How heads are rebuilt; None where nothing special was asked for."""
        shared = self.given.person
        given, person = self.given, shared.shape() if shared else None
        asked = ReconstructionOptions(given.crop_scale, given.delight, person, given.mode, given.hair)
        return None if asked == ReconstructionOptions() else asked

    @property
    def extras(self) -> RestorationExtras:
        """What else restoration does."""
        given = self.given
        return RestorationExtras(given.background, given.colorize, given.demographics if given.guided else None)

    @cached_property
    def base(self) -> Any:
        """The other head model, or None."""
        if self.given.head_model is None:
            return None
        from facerecon.head.bases import load_basis

        return load_basis(self.given.head_model)

    def versions(self) -> dict[str, str]:
        """Of the code and the weights that the stages need."""
        return self.pipeline.versions(RESTORATION in self.stages, RECONSTRUCTION in self.stages)

    def load(self) -> None:
        """Loads the networks of the stages."""
        self.pipeline.load(RESTORATION in self.stages, RECONSTRUCTION in self.stages)
        _ = self.base

    def prepare(self, loaded: Loaded) -> None:
        """Finds the faces."""
        self.detector.look(loaded.image)

    def compute(self, photos: list[Loaded]) -> list[Results | Exception]:
        """Restores and rebuilds; photos without a face, or with a fault, cost no other its batch."""
        alike: dict[float | None, list[Loaded]] = {}  # by focal length, of which the pipeline takes one a call
        try:
            for photo in photos:
                if self.detector.detect(photo.image):
                    alike.setdefault(photo.focal_px if RECONSTRUCTION in self.stages else None, []).append(photo)
            results: dict[int, Results | Exception] = {}
            for focal_px, together in alike.items():
                if len(together) > 1:
                    with suppress(Exception):  # one of them has a fault: each is tried by itself
                        results.update(zip(map(id, together), self._all(together, focal_px)))
            return [results[id(p)] if id(p) in results else self._one(p) for p in photos]
        finally:
            for photo in photos:
                self.detector.forget(photo.image)

    def write(self, output: Path, loaded: Loaded, result: Results) -> Outcome:
        """Writes the files that docs/OUTPUTS.md names."""
        from facerecon import outputs

        (restoration, heads), name, s = result, loaded.photo.name, self.given
        outcome = Outcome([], {})
        if restoration is not None:
            outcome.files += outputs.write_restoration(
                output, name, loaded.image, restoration, s.comparison, s.only_faces
            )
            outcome.figures[RESTORATION] = outputs.restoration_figures(restoration)
        if heads:
            model = self.pipeline.head
            for head in heads:
                outcome.files += outputs.write_head(output, name, head, model, s.formats)
                framing = (s.crop_size, s.crop_scale)
                outcome.files += outputs.write_pictures(output, name, loaded.image, head, model, s.pictures, *framing)
                if s.codes:
                    outcome.files.append(outputs.write_codes(output, name, head, model))
                if self.base is not None:
                    outcome.files += outputs.write_basis(output, name, head, model, self.base)
                outcome.files.append(outputs.write_parameters(output, name, loaded.image, head, model, self._versions))
            outcome.figures[RECONSTRUCTION] = outputs.reconstruction_figures(heads, model)
        return outcome

    def refuse_taken(self, output: Path, name: str) -> None:
        """A video's heads are called as a photo's; phones take both at once and name them alike."""
        if RECONSTRUCTION in self.stages and video_record(output, name).is_file():
            raise FaceReconError(
                f"The output folder holds the heads of a video called {name}: give another folder, or remove videos/{name}.json to replace them."
            )

    def clear(self, output: Path, name: str) -> None:
        """Removes the files that the stages wrote for a photo."""
        for file in existing_files(output, name, self._folders):
            file.unlink(missing_ok=True)

    def may_have_files(self, output: Path, name: str, but: Iterable[str] = ()) -> bool:
        """Whether the photo had other files when its folder was first looked at."""
        if output not in self._leftovers:
            self._leftovers = {output: Leftovers(output, self._folders)}
        return self._leftovers[output].has(name, but)

    def own(self, files: Iterable[str]) -> list[str]:
        """Those that the stages wrote: a record of ``run`` names what ``restore`` must not touch."""
        return [file for file in files if file.partition("/")[0] in self._folders]

    def count(self, stage: str, figures: dict[str, Any]) -> int:
        """Faces or heads."""
        return len(figures.get("faces" if stage == RESTORATION else "heads", ()))

    @cached_property
    def _versions(self) -> dict[str, str]:
        return self.versions()

    def _one(self, loaded: Loaded) -> Results | Exception:
        try:
            return self._all([loaded], loaded.focal_px)[0]
        except Exception as error:  # whatever is wrong with one photo must not cost the others
            return error

    def _all(self, photos: list[Loaded], focal_px: float | None = None) -> list[Results]:
        images: Any = [p.image for p in photos]
        s, way, single = self.given, self.pipeline, len(images) == 1
        images = images[0] if single else images  # so that errors speak of the photo, not of photo 1 of 1
        if RECONSTRUCTION not in s.stages:
            restored = way.restore(images, s.fidelity, s.upscale, s.faces, self.extras)
            return [(r, []) for r in ([restored] if single else restored)]
        if RESTORATION not in s.stages:
            heads = way.reconstruct(images, s.demographics, faces=s.faces, focal_px=focal_px, options=self.options)
            return [(None, h) for h in ([heads] if single else heads)]
        known = {"focal_px": focal_px, "options": self.options, "extras": self.extras}
        results = way.run(images, s.fidelity, s.upscale, s.faces, s.demographics, **known)
        return [(r.restoration, r.reconstructions) for r in ([results] if single else results)]
