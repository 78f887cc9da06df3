"""What the photo tab does when something is asked of it; it knows of no component."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from facerecon.pipeline import NoFaceError
from facerecon.types import Demographics, FaceReconError, Image, RestorationExtras, Result
from facerecon.ui import limits, visitors
from facerecon.ui.engine import Engine, Seen, Step
from facerecon.ui.results import Finished, finish

ALL = "all"
FIDELITY = 0.7
NO_PHOTO = "Choose a photo first: drop one, paste one, take one with the camera, or try an example."


def open_upload(path: str | None) -> tuple[Image, float | None]:
    """The visitor's photo and its focal length in pixels, if known; raises ``FaceReconError``."""
    if not path:
        raise FaceReconError(NO_PHOTO)
    return limits.open_photo(path)


def look(engine: Engine, path: str) -> Seen:
    """The faces of a photo."""
    seen = engine.look(open_upload(path)[0])
    if not seen.faces:
        raise NoFaceError("No face was found in the photo.")
    return seen


def face_choices(count: int) -> list[tuple[str, str]]:
    """Labels and values for the choice among ``count`` faces."""
    each = [(f"Face {number + 1}", str(number)) for number in range(count)]
    return [(f"All {count} faces", ALL), *each] if count > 1 else [("The face", ALL)]


def chosen_person(seen: Seen | None, choice: str) -> Demographics | None:
    """Who the one chosen face seems to be; None while several are chosen."""
    if seen is None or not seen.people:
        return None
    if choice == ALL:
        return seen.people[0] if len(seen.people) == 1 else None
    number = int(choice)
    return seen.people[number] if number < len(seen.people) else None


def run(
    engine: Engine,
    session: str | None,
    path: str | None,
    fidelity: float,
    upscale: int,
    faces: str,
    demographics: Demographics | None,
    extras: RestorationExtras = RestorationExtras(),
) -> Iterator[Step | Finished]:
    """Restores a photo, rebuilds its heads and writes the first files; yields the steps, at last what is finished."""
    photo, focal_px = open_upload(path)
    work = engine.run(photo, focal_px, fidelity, upscale, faces, demographics, extras)
    yield from _finished(engine, session, photo, work)


def run_for_each(
    engine: Engine, session: str | None, path: str | None, people: Sequence[Demographics | None]
) -> Iterator[Step | Finished]:
    """As :func:`run` of the largest face, once for each of ``people``; the photo is restored for the first alone."""
    photo, focal_px = open_upload(path)
    first, *others = people
    result = yield from _finished(engine, session, photo, engine.run(photo, focal_px, FIDELITY, 1, "largest", first))
    for person in others:
        yield from _finished(engine, session, photo, engine.rebuild(photo, result.restoration, focal_px, person))


def _finished(
    engine: Engine, session: str | None, photo: Image, work: Iterator[Step | Result]
) -> Generator[Step | Finished, None, Result]:
    """Writes what the networks make of a photo; yields the steps and what is finished, returns the result."""
    for news in work:
        if isinstance(news, Result):
            result = news
        else:
            yield news
    yield Step("write", None)
    finished = finish(visitors.new_folder(session), photo, result, engine.pipeline)
    yield Step("write", finished.seconds["write"])
    yield finished
    return result


def example_photos(folder: Path | None) -> list[Path]:
    """The photos of a folder, damaged ones (``NAME_DAMAGE``) before clean ones (``NAME``)."""
    if folder is None or not folder.is_dir():
        return []
    photos = [path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
    return sorted(photos, key=lambda path: ("_" not in path.stem, path.name))
