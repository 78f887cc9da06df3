"""The words that the page, the command line, the parameter files and the datasets use for people."""

from __future__ import annotations

import math
from dataclasses import replace

from facerecon.types import Demographics, FaceReconError

GENDERS = ("female", "male")

RACES = (
    "African",
    "Asian",
    "Caucasian",
    "Hispanic/Latino",
    "Indian",
    "Middle Eastern",
    "Pacific Islander",
    "Mixed",
    "Unknown",
)
"""What a user may state."""

YOUNGEST, OLDEST = 0.0, 100.0

# UTKFace (Zhang, Song and Qi 2017) numbers them in its file names; its "Others" are
# Hispanic, Latino and Middle Eastern people together.
UTKFACE_GENDERS = ("male", "female")
UTKFACE_RACES = ("Caucasian", "African", "Asian", "Indian", "Unknown")

# FairFace (Karkkainen and Joo 2021).
FAIRFACE_GENDERS = {"Male": "male", "Female": "female"}
FAIRFACE_RACES = {
    "White": "Caucasian",
    "Black": "African",
    "East Asian": "Asian",
    "Southeast Asian": "Asian",
    "Indian": "Indian",
    "Middle Eastern": "Middle Eastern",
    "Latino_Hispanic": "Hispanic/Latino",
}
FAIRFACE_AGES = {
    "0-2": (0.0, 3.0),
    "3-9": (3.0, 10.0),
    "10-19": (10.0, 20.0),
    "20-29": (20.0, 30.0),
    "30-39": (30.0, 40.0),
    "40-49": (40.0, 50.0),
    "50-59": (50.0, 60.0),
    "60-69": (60.0, 70.0),
    "more than 70": (70.0, 100.0),
}
"""Years, from (inside) to (outside)."""


def read_race(text: str | None) -> str | None:
    """The member of ``RACES`` that ``text`` names in any spelling of case; None for None or blank.

    Raises:
        FaceReconError: it names none of them.
    """
    if text is None or not text.strip():
        return None
    for race in RACES:
        if race.casefold() == text.strip().casefold():
            return race
    raise FaceReconError(f"The race {text!r} is none of {', '.join(RACES)}; free words go into ethnicity.")


def read_gender(text: str | None) -> str | None:
    """``"female"``, ``"male"``, or None for None or blank.

    Raises:
        FaceReconError: it names neither.
    """
    if text is None or not text.strip():
        return None
    if text.strip().casefold() not in GENDERS:
        raise FaceReconError(f"The gender {text!r} is neither female nor male.")
    return text.strip().casefold()


def read_age(age: float | str | None) -> float | None:
    """Years as a number; None for None.

    Raises:
        FaceReconError: no number, or outside 0 to 100.
    """
    if age is None:
        return None
    try:
        years = float(age)
    except (TypeError, ValueError):
        years = math.nan
    if not YOUNGEST <= years <= OLDEST:
        raise FaceReconError(f"The age must be a number of years from 0 to 100; {age!r} is not.")
    return years


def check_demographics(person: Demographics) -> Demographics:
    """The same person with every category in its own spelling.

    Raises:
        FaceReconError: age, gender or race is not valid.
    """
    ethnicity = (person.ethnicity or "").strip() or None
    return replace(
        person, age=read_age(person.age), gender=read_gender(person.gender), race=read_race(person.race), ethnicity=ethnicity
    )
