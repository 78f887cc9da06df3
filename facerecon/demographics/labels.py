"""Our words for race and gender, and those of the datasets and tools around us.

=================  =========  ====================================  ===========================  ==================================
ours               UTKFace 5  FairFace 7                            DeepFace 6                   CelebA
=================  =========  ====================================  ===========================  ==================================
Caucasian          White      White                                 white                        (CelebA has no race; its
African            Black      Black                                 black                        attribute ``Male`` is 1 or -1)
Asian              Asian      East Asian, Southeast Asian           asian
Indian             Indian     Indian                                indian
Hispanic/Latino    Others     Latino_Hispanic                       latino hispanic
Middle Eastern     Others     Middle Eastern                        middle eastern
Pacific Islander   Others     (none)                                (none)
Mixed, Unknown     Others     (none)                                (none)
=================  =========  ====================================  ===========================  ==================================

Back to ours, UTKFace's "Others" is "Unknown": it holds several of our words.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facerecon.demographics.categories import FAIRFACE_RACES, RACES
from facerecon.types import FaceReconError

RACE_SYSTEMS: dict[str, dict[str, str]] = {
    "utkface": {"White": "Caucasian", "Black": "African", "Asian": "Asian", "Indian": "Indian", "Others": "Unknown"},
    "fairface": dict(FAIRFACE_RACES),
    "deepface": {
        "asian": "Asian", "indian": "Indian", "black": "African", "white": "Caucasian",
        "middle eastern": "Middle Eastern", "latino hispanic": "Hispanic/Latino",
    },
}  # fmt: skip
"""Each system's labels in its own order, and our word for each."""

GENDER_SYSTEMS: dict[str, dict[str, str]] = {
    "utkface": {"0": "male", "1": "female"},
    "fairface": {"Male": "male", "Female": "female"},
    "celeba": {"1": "male", "-1": "female"},
    "deepface": {"Man": "male", "Woman": "female"},
}

# UTKFace's label for each of FairFace's, in FairFace's order.
UTKFACE_OF_FAIRFACE = (0, 1, 2, 2, 3, 4, 4)


def race_to_ours(label: str, system: str) -> str:
    """Our word for a system's label.

    Raises:
        FaceReconError: there is no such system or label.
    """
    return _look_up(RACE_SYSTEMS, label, system, "race")


def gender_to_ours(label: str, system: str) -> str:
    """``"female"`` or ``"male"`` for a system's label; errors as for :func:`race_to_ours`."""
    return _look_up(GENDER_SYSTEMS, label, system, "gender")


def probabilities_to_ours(probabilities: Mapping[str, float], system: str) -> dict[str, float]:
    """Probabilities of a system's labels as probabilities of our words, in the order of ``RACES``."""
    sums = dict.fromkeys(RACES, 0.0)
    for label, p in probabilities.items():
        sums[race_to_ours(label, system)] += float(p)
    return {race: p for race, p in sums.items() if p > 0}


def deepface_from_fairface(probabilities: Mapping[str, float]) -> dict[str, float]:
    """FairFace's seven probabilities as DeepFace's six, which know one Asian."""
    ours = probabilities_to_ours(probabilities, "fairface")
    return {label: ours.get(race, 0.0) for label, race in RACE_SYSTEMS["deepface"].items()}


def fairface_to_utkface() -> np.ndarray:
    """(7, 5) float32 of zeros and ones: which of UTKFace's labels each of FairFace's falls under."""
    return np.eye(5, dtype=np.float32)[list(UTKFACE_OF_FAIRFACE)]


def _look_up(systems: dict[str, dict[str, str]], label: str, system: str, what: str) -> str:
    table = systems.get(system)
    if table is None:
        raise FaceReconError(f"There is no system of {what}s called {system!r}: use {', '.join(systems)}.")
    if label not in table:
        raise FaceReconError(f"{system} has no {what} called {label!r}: its labels are {', '.join(table)}.")
    return table[label]
