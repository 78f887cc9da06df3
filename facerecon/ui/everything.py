"""All files of a finished photo in one zip, with a report that any browser opens."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facerecon.images import atomic_write
from facerecon.ui.results import EVERYTHING, Finished, HeadCard, export, one_maker, write_zip
from facerecon.ui.statistics import as_html

FOLDERS = ("restored", "faces", "heads", "parameters", "renders", "previews")
REPORT = "report.html"
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1917}"
    "img{width:49%;border-radius:8px}dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.6rem}"
    "dt{color:#57534e;font-size:.85rem}dd{margin:0;font-weight:600}"
)
CAUTION = (
    "A restored face is a plausible one, not evidence of who was in the photo; what one view hides is a guess. "
    "Age, gender and race that are marked as estimated are guesses from appearance."
)


def pack_everything(finished: Finished, model: Any, listen: Callable[..., None] = lambda *_: None) -> Path:
    """The zip of the restored photo, each head as GLB and OBJ with its texture, its parameters, a report, and what else was made.

    Args:
        model: the head model.
        listen: told ``("everything", None, share)`` as it goes.

    Raises:
        GoneError: the result is not kept any more.
    """
    steps = len(finished.heads) + 1
    for number, head in enumerate(finished.heads):
        listen("everything", None, number / steps)
        export(finished, head.number, "obj", model)
    listen("everything", None, (steps - 1) / steps)
    with one_maker(finished.everything):
        _write_report(finished)
        members = _members(finished)
        if not _is_fresh(finished.everything, members):
            write_zip(finished.everything, {f"{Path(EVERYTHING).stem}/{name}": file for name, file in members.items()})
    return finished.everything


def _members(finished: Finished) -> dict[str, Path]:
    files = [file for folder in FOLDERS for file in sorted((finished.folder / folder).glob("*"))]
    files = [file for file in files if not file.name.startswith(".") and not file.name.endswith("_obj.zip")]
    return {str(file.relative_to(finished.folder).as_posix()): file for file in (finished.folder / REPORT, *files)}


def _is_fresh(path: Path, members: dict[str, Path]) -> bool:
    return path.is_file() and path.stat().st_mtime_ns >= max(file.stat().st_mtime_ns for file in members.values())


def _write_report(finished: Finished) -> None:
    path = finished.folder / REPORT
    if not path.is_file():
        with atomic_write(path) as aside:
            aside.write_text(_report(finished), encoding="utf-8")


def _report(finished: Finished) -> str:
    heads = "".join(_section(finished, head) for head in finished.heads)
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in finished.seconds.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>facerecon report</title><style>{STYLE}</style>'
        f"<h1>Restored photo and 3D heads</h1>{_pictures(finished, None)}{heads}<p>Time taken: {html.escape(seconds)}.</p>"
        f"<p>{CAUTION}</p></html>\n"
    )


def _section(finished: Finished, head: HeadCard) -> str:
    kinds = {"GLB": "glb", "Parameters": "json"}
    files = {name: finished.file(head.number, kind).relative_to(finished.folder).as_posix() for name, kind in kinds.items()}
    files["OBJ"] = files["GLB"].replace(".glb", ".obj")
    links = ", ".join(f'<a href="{path}">{name}</a>' for name, path in files.items())
    return f"<h2>{html.escape(head.label)}</h2>{_pictures(finished, head.number)}{as_html(head.figures)}<p>Files: {links}</p>"


def _pictures(finished: Finished, number: int | None) -> str:
    before, after = (path.relative_to(finished.folder).as_posix() for path in finished.previews(number))
    return f'<p><img src="{before}" alt="Before"> <img src="{after}" alt="After"></p>'
