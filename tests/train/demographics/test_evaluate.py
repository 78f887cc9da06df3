"""What the estimator's evaluation says of groups."""

from __future__ import annotations

import math

from facerecon.demographics.estimator import DemographicsEstimate
from train.data.packs import FaceLabels
from train.demographics.evaluate import measure

UTKFACE = {"White": 0.6, "Black": 0.1, "Asian": 0.1, "Indian": 0.1, "Others": 0.1}


def estimate(age: float) -> DemographicsEstimate:
    return DemographicsEstimate(age, 3.0, {"female": 0.8, "male": 0.2}, {}, utkface=UTKFACE)


def test_who_is_not_labelled_is_in_no_group() -> None:
    truth = [FaceLabels(age=1, gender="female"), FaceLabels(gender="female"), FaceLabels(age=30), FaceLabels()]
    groups = measure([estimate(1), estimate(40), estimate(31), estimate(2)], truth, "utkface")["groups"]
    assert {name: group["faces"] for name, group in groups.items()} == {"age 0-2": 1, "age 30-39": 1, "gender female": 2}
    assert groups["age 0-2"]["age_error_years"] == 0.0


def test_what_nobody_is_labelled_with_is_left_out() -> None:
    out = measure([estimate(20)], [FaceLabels(age=21)], "utkface")
    assert out["age_error_years"]["mean"] == 1.0 and "race_percent" not in out and "race_ece_percent" not in out
    assert not any(isinstance(value, float) and math.isnan(value) for value in out.values())
