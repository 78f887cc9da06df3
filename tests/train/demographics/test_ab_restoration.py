"""What names say, what is false in everything, and paired differences."""

from pathlib import Path

import pytest

from facerecon.types import Demographics
from train.demographics.ab_restoration import CONDITIONS, compare, truth_of, wrong
from train.restoration.evaluate import Sample


def sample(name: str) -> Sample:
    return Sample(f"heavy_{name}", "heavy", Path(f"clean/{name}.webp"), Path(f"heavy/{name}.webp"), (0, 0, 9, 9), 4.0)


def test_only_names_that_say_everything_count():
    assert truth_of(sample("utk_71_0_3_20170109205106776")) == Demographics(71.0, "male", "Indian", source="user")
    assert truth_of(sample("utk_20_1_4_20170109205106776")) is None  # "Others" is no race that could be stated
    assert truth_of(sample("portrait_0012")) is None


@pytest.mark.parametrize("age", [3.0, 44.0, 45.0, 90.0])
def test_wrong_is_wrong_in_everything_and_still_a_person(age):
    truth = Demographics(age, "female", "Indian", source="user")
    false = wrong(truth)
    assert abs(false.age - age) == 40 and 0 <= false.age <= 100
    assert false.gender == "male" and false.race not in (truth.race, None)


def test_differences_are_paired_with_nothing_stated():
    rows = {c: [{"psnr": 20.0 + i + step} for i in range(6)] for c, step in zip(CONDITIONS, (0.0, 1.0, -2.0))}
    told = compare(rows)
    assert told["nothing stated"]["psnr"] == {"mean": 22.5}
    assert told["truth"]["psnr"] == {"mean": 23.5, "change": 1.0, "interval": [1.0, 1.0]}  # the spread between photos is not in it
    assert told["wrong"]["psnr"]["change"] == -2.0
