"""The pipeline behind the page, on a GPU where the host lends one for a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from facerecon.demographics.estimator import DemographicsEstimator
from facerecon.faces.align import crop_face
from facerecon.pipeline import FaceReconstructor
from facerecon.steps import StepListener
from facerecon.types import Demographics, Face, FaceReconError, Image, Reconstruction, Restoration, RestorationExtras, Result

PORTRAIT_SIDE = 160
GPU_SECONDS = 60
Call = TypeVar("Call", bound=Callable[..., Any])
Value = TypeVar("Value")


@dataclass(frozen=True)
class Step:
    """News of a step: ``seconds`` is None until it has ended, ``share`` how much of it is done where that is known."""

    name: str
    seconds: float | None
    share: float = 0.0


@dataclass(frozen=True)
class Seen:
    """The faces of a photo: where, how they look, and who they seem to be."""

    faces: list[Face] = field(default_factory=list)
    portraits: list[Image] = field(default_factory=list)
    people: list[Demographics] = field(default_factory=list)


class LeftError(FaceReconError):
    """The visitor who waited is gone."""


class Engine:
    """What the tabs ask of the pipeline.

    The calls are closures, not methods: a host that lends GPUs runs them in another
    process and sends only their arguments there. The networks do one of them at a time: a
    run whose visitor left has lost its place in the queue, and may be at work yet.

    Attributes:
        pipeline: the networks.
        look: ``(photo) -> Seen``.
        run: ``(photo, focal_px, fidelity, upscale, faces, demographics, extras)``, yields ``Step`` and at last a ``Result``.
        rebuild: ``(photo, restoration, focal_px, demographics)``, yields ``Step`` and at last the ``Result`` of a restored photo.
        restore: ``(photo, fidelity, upscale, faces) -> Restoration``.
        reconstruct: ``(photo, focal_px, faces, demographics) -> list[Reconstruction]`` of the photo as it is.
        restore_known: ``(photos, face, fidelity) -> list[Restoration]`` of a face whose place is known.
    """

    def __init__(self, pipeline: FaceReconstructor) -> None:
        self.pipeline = pipeline

        people, alone = People(pipeline), Lock()

        def look(photo: Image) -> Seen:
            with alone:
                faces = pipeline.detector.detect(photo)
                portraits = [crop_face(photo, face.points, PORTRAIT_SIDE, "reconstruction")[0] for face in faces]
                return Seen(faces, portraits, people.judge(photo, faces))

        def run(
            photo: Image,
            focal_px: float | None,
            fidelity: float,
            upscale: int,
            faces: str | int,
            demographics: Demographics | None,
            extras: RestorationExtras = RestorationExtras(),
        ) -> Iterator[Step | Result]:
            def work(listen: StepListener) -> Result:
                with alone:
                    return pipeline.run(
                        photo, fidelity, upscale, faces, demographics, focal_px=focal_px, on_step=listen, extras=extras
                    )

            yield from follow(work)

        def rebuild(
            photo: Image, restoration: Restoration, focal_px: float | None, demographics: Demographics | None
        ) -> Iterator[Step | Result]:
            def work(listen: StepListener) -> Result:
                with alone:
                    return pipeline.rebuild(photo, restoration, demographics, focal_px=focal_px, on_step=listen)

            yield from follow(work)

        def restore(photo: Image, fidelity: float, upscale: int, faces: str | int) -> Restoration:
            with alone:
                return pipeline.restore(photo, fidelity, upscale, faces)

        def reconstruct(
            photo: Image, focal_px: float | None, faces: str | int, demographics: Demographics | None
        ) -> list[Reconstruction]:
            with alone:
                return pipeline.reconstruct(photo, demographics, faces=faces, focal_px=focal_px)

        def restore_known(photos: list[Image], face: Face, fidelity: float) -> list[Restoration]:
            with alone:
                return pipeline.restore_found(photos, [[(0, face)]] * len(photos), fidelity, 1, score=False)

        self.look, self.run, self.rebuild = on_gpu(look), on_gpu(run), on_gpu(rebuild)
        self.restore, self.reconstruct = on_gpu(restore), on_gpu(reconstruct)
        self.restore_known = on_gpu(restore_known)


def on_gpu(call: Call) -> Call:
    """``spaces.GPU`` where the package ``spaces`` is installed, as on Hugging Face's shared GPUs; else the call itself."""
    try:
        import spaces
    except ImportError:
        return call
    return spaces.GPU(duration=GPU_SECONDS)(call)


def follow(work: Callable[[Callable[..., None]], Value]) -> Iterator[Step | Value]:
    """Yields the steps of ``work`` as they happen, then what it gives; raises what it raises.

    Closed before the end, it lets ``work`` go no further than its next step. It does not wait for that: gradio
    closes generators where it serves everybody else.
    """
    news: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
    left = Event()

    def listen(name: str, seconds: float | None, share: float = 0.0) -> None:
        if left.is_set():
            raise LeftError("Nobody waits for this any more.")
        news.put((False, Step(name, seconds, share)))

    def do() -> None:
        try:
            news.put((True, work(listen)))
        except Exception as error:
            news.put((True, error))

    Thread(target=do, daemon=True).start()
    try:
        ended = False
        while not ended:
            ended, value = news.get()
            if isinstance(value, Exception):
                raise value
            yield value
    finally:
        left.set()


class People:
    """Who faces seem to be: the demographics network's word where it is shipped, else the head encoder's.

    ``Demographics.auto_detect`` of an answer is True where it is the encoder's own, which
    ``run`` comes to by itself.
    """

    def __init__(self, pipeline: FaceReconstructor) -> None:
        self.pipeline = pipeline

    def judge(self, photo: Image, faces: list[Face]) -> list[Demographics]:
        """One answer a face, empty where no network can say."""
        if not faces:
            return []
        photos = [photo] * len(faces)
        if self.estimator is not None:
            found = self.estimator.predict(photos, faces)
            return [replace(estimate.demographics(), auto_detect=False) for estimate in found]
        try:
            return [head.demographics for head in self.pipeline.reconstructor.encode(photos, faces)]
        except FaceReconError:
            return [Demographics()] * len(faces)

    @cached_property
    def estimator(self) -> DemographicsEstimator | None:
        """The network, or None where its weights are not there."""
        try:
            return DemographicsEstimator.from_pretrained(device=self.pipeline.device)
        except FaceReconError:
            return None
