"""Categories of demographics, and what they say of a head."""

from facerecon.demographics.ancestry import ANCESTRIES, ancestry_weights, notes, unused_words
from facerecon.demographics.categories import GENDERS, RACES, check_demographics, read_age, read_gender, read_race

__all__ = [
    "ANCESTRIES",
    "GENDERS",
    "RACES",
    "ancestry_weights",
    "check_demographics",
    "notes",
    "read_age",
    "read_gender",
    "read_race",
    "unused_words",
]
