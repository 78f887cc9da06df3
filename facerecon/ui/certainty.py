"""How sure an estimate of a person is, in words and as bars."""

from __future__ import annotations

import html

from facerecon.types import Demographics

SURE_YEARS = 20.0  # a standard deviation of so many years or more says nothing of the age: its bar is empty
NAMES = {"age": "Age", "gender": "Gender", "race": "Race"}


def in_words(person: Demographics, name: str) -> str:
    """``"79 % sure"``, or of the age ``"give or take 6 years"``; empty where no network said.

    Args:
        name: a key of ``Demographics.certainty``.
    """
    value = person.certainty.get(name)
    if value is None:
        return ""
    if name == "age":
        years = max(round(value), 1)
        return f"give or take {years} year{'s' if years > 1 else ''}"
    return f"{min(round(100 * value), 99)} % sure"  # a network is never certain


def as_bars(person: Demographics | None) -> str:
    """A row a value that was estimated: what, how sure in words, and a bar. Empty where nothing was."""
    rows = "".join(_row(person, name) for name in NAMES if person is not None and name in person.certainty)
    return f'<dl class="fr-sure" role="group" aria-label="How sure the estimate is">{rows}</dl>' if rows else ""


def _row(person: Demographics, name: str) -> str:
    value = getattr(person, name)
    said = f"{value:.0f}" if name == "age" else str(value).capitalize()
    return (
        f"<div><dt>{NAMES[name]}</dt><dd>{html.escape(said)}, {in_words(person, name)}</dd>"
        f'<i aria-hidden="true"><b style="width: {100 * _share(name, person.certainty[name]):.0f}%"></b></i></div>'
    )


def _share(name: str, value: float) -> float:
    return max(1 - value / SURE_YEARS, 0.0) if name == "age" else value
