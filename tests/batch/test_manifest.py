from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batch.manifest import Manifest, Record, digest
from batch.photo_task import RECONSTRUCTION, RESTORATION

BOTH = (RESTORATION, RECONSTRUCTION)
DONE = Record("a", "a.jpg", "done", BOTH, "hash", "settings", files=("restored/a.png",), figures={RESTORATION: {"faces": []}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.jsonl"


def test_records_come_back_as_they_went(path: Path) -> None:
    odd = replace(DONE, name="bj\u00f6rk \udcff", error='said "no"\n', status="failed")
    for record in (DONE, odd):
        Manifest(path).append([record])
    again = Manifest(path)
    assert again.find("a", BOTH) == DONE and again.find(odd.name, BOTH) == odd


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_cut_short_is_dropped_and_the_next_is_whole(path: Path, cut: int) -> None:
    manifest = Manifest(path)
    manifest.append([DONE])
    whole = path.stat().st_size
    manifest.append([replace(DONE, name="b")])
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)
    again = Manifest(path)
    assert again.find("b", BOTH) is None and path.stat().st_size == whole
    again.append([replace(DONE, name="c")])
    assert Manifest(path).find("c", BOTH) is not None and path.read_bytes().count(b"\n") == 2


def test_damaged_lines_are_passed_over(path: Path) -> None:
    Manifest(path).append([DONE])
    with path.open("ab") as file:
        file.write(b'\x00\x00\n[1]\n{"name": "x"}\n')
    assert [record.name for record in Manifest(path).of_stage(RESTORATION)] == ["a"]


def test_a_later_run_of_one_stage_replaces_only_that_stage(path: Path) -> None:
    manifest = Manifest(path)
    manifest.append([DONE])
    later = replace(DONE, stages=(RESTORATION,), settings="other")
    manifest.append([later])
    assert manifest.find("a", BOTH) is None
    assert manifest.find("a", (RESTORATION,)) == later
    assert list(manifest.of_stage(RECONSTRUCTION)) == [DONE]


def test_a_renamed_photo_counts_once(path: Path) -> None:
    manifest = Manifest(path)
    manifest.append([DONE])
    manifest.append([replace(DONE, name="a_jpg")])
    assert [record.name for record in manifest.of_stage(RESTORATION)] == ["a_jpg"]


def test_digest_knows_values_not_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_a_photo_that_took_the_place_of_another_counts_alone(path: Path) -> None:
    manifest = Manifest(path)
    manifest.append([DONE, replace(DONE, name="b", input="b.jpg")])
    newer = replace(DONE, input="a.png")
    manifest.append([newer])
    assert [record.input for record in manifest.of_stage(RESTORATION)] == ["a.png", "b.jpg"]
