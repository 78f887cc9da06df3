"""The figures of a head, and how they look on the page."""

from __future__ import annotations

import html

from facerecon.outputs import pose_degrees
from facerecon.types import Demographics, Reconstruction, RestoredFace
from facerecon.ui.certainty import in_words
from facerecon.ui.engine import Step

EMPTY = '<div class="fr-figures fr-empty">Person, detail, pose and size of the mesh appear here.</div>'
STEP_LABELS = {"find": "Find faces", "restore": "Restore", "reconstruct": "Rebuild the head", "write": "Write files"}
SOURCES = {"user": "as you said", "estimated": "estimated from the photo", "none": ""}
PARTLY = "as you said, the rest estimated"

# Photo pixels for each pixel of the network's crop: from the first on, all that the
# head can show is in the photo; below the second, most of it is the network's guess.
HIGH_RESOLUTION, MEDIUM_RESOLUTION = 0.75, 0.3
BLURRED = 0.5


def quality(face: RestoredFace) -> str:
    """``"High"``, ``"Medium"`` or ``"Low"``: how much of the face the photo itself held."""
    resolution, blur = face.quality.get("resolution", 0.0), face.quality.get("blur_before", 0.0)
    if resolution >= HIGH_RESOLUTION and blur < BLURRED:
        return "High"
    return "Medium" if resolution >= MEDIUM_RESOLUTION else "Low"


def figures(head: Reconstruction, face: RestoredFace, triangles: int) -> dict[str, str]:
    """Names and values, for people to read."""
    pose = pose_degrees(head.parameters.rotation)
    return {
        **person(head.parameters.demographics),
        "Detail in the photo": quality(face),
        "Face in the photo": f"{head.face.size:.0f} px",
        "Head pose": ", ".join(f"{name} {round(degrees):+d}°" for name, degrees in pose.items()),
        "Vertices": f"{len(head.vertices):,}",
        "Triangles": f"{triangles:,}",
    }


def person(known: Demographics) -> dict[str, str]:
    """The demographics used, by name; how sure they are where they were estimated."""
    values = {"age": None if known.age is None else f"{known.age:.0f}"}
    values |= {name: getattr(known, name) for name in ("race", "ethnicity", "gender")}
    used = {
        name.capitalize(): ", ".join(filter(None, (str(value), in_words(known, name))))
        for name, value in values.items()
        if value is not None
    }
    if not used:
        return {"Person": "the average"}
    source = PARTLY if known.source == "user" and known.certainty else SOURCES[known.source]
    return {**used, "Person": source} if source else used


def as_html(values: dict[str, str]) -> str:
    """A list of names and values."""
    rows = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in values.items())
    return f'<dl class="fr-figures" role="group" aria-label="Figures">{rows}</dl>'


def progress_bar(text: str, share: float) -> str:
    """What is being done, and how much of it is (0 to 1), as a bar."""
    percent = round(100 * min(max(share, 0.0), 1.0))
    return (
        f'<div class="fr-bar" role="progressbar" aria-label="{html.escape(text)}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><p>{html.escape(text)}<span>{percent} %</span></p><i><b style="width: {percent}%"></b></i></div>'
    )


class Progress:
    """The steps of a run as a list with their seconds."""

    def __init__(self, seconds: dict[str, float] | None = None) -> None:
        self.seconds = {name: (seconds or {})[name] for name in STEP_LABELS if name in (seconds or {})}
        self.now = ""

    def hear(self, step: Step) -> None:
        """Takes news of a step."""
        if step.seconds is None:
            self.now = step.name
        else:
            self.seconds[step.name], self.now = step.seconds, ""

    def as_html(self) -> str:
        """The list; screen readers hear of each change."""
        items = "".join(self._item(name, label) for name, label in STEP_LABELS.items())
        total = sum(self.seconds.values())
        done = len(self.seconds) == len(STEP_LABELS)
        end = f'<li data-state="total"><span>Done</span><b>{total:.1f} s</b></li>' if done else ""
        return f'<ol class="fr-steps" role="status" aria-live="polite" aria-label="Progress">{items}{end}</ol>'

    def _item(self, name: str, label: str) -> str:
        state = "done" if name in self.seconds else "now" if name == self.now else "waiting"
        spoken = {"done": f"{self.seconds.get(name, 0):.1f} s", "now": "…", "waiting": ""}[state]
        return f'<li data-state="{state}"><span>{label}</span><b>{spoken}</b></li>'
