"""``evaluate``: every table has a command that says what it needs."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

import batch.main
from batch import measurements
from batch.benchmarks import BENCHMARKS, Asked
from batch.tables import Table
from facerecon.types import FaceReconError


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(batch.main.app, ["evaluate", *map(str, arguments)])
    return result.exit_code, " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_command_has_the_options_it_follows_and_a_measure_that_exists(name: str) -> None:
    code, said = call(name, "--help")
    benchmark = BENCHMARKS[name]
    assert code == 0 and f"Example: python -m batch evaluate {name}" in said
    for option, has in (("--data", benchmark.data), ("--limit", benchmark.limit), ("--peers", benchmark.peers)):
        assert (option in said) == bool(has)
    assert find_spec(benchmark.measure.partition(":")[0]) is not None
    if ":" in benchmark.measure:
        assert callable(benchmark.function())


def test_every_table_of_the_page_names_its_command() -> None:
    page = (Path(__file__).parents[2] / "docs" / "BENCHMARKS.md").read_text()
    assert [name for name in BENCHMARKS if f"`{name}`" not in page] == []


def test_what_is_asked_reaches_the_measure_and_what_it_gives_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Asked] = []

    def measure(what: Asked) -> Table:
        asked.append(what)
        return Table(what.name, "T", ["a", "b"], [["x", 1.0]], {"x": 1.0})

    monkeypatch.setattr(measurements, "identity", measure)
    code, said = call("identity", "--data", tmp_path, "-o", tmp_path / "out", "--limit", 7, "--device", "cpu")
    assert code == 0 and "| x | 1 |" in said
    assert asked == [Asked("identity", tmp_path / "out", "cpu", tmp_path, 7)]
    assert json.loads((tmp_path / "out/identity.json").read_text()) == {"x": 1.0}


def test_a_dry_run_measures_nothing(tmp_path: Path) -> None:
    code, said = call("head", "-o", tmp_path / "out", "--dry-run")
    assert code == 0 and "head would be measured" in said and not (tmp_path / "out").exists()


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    for name, file in (("restoration", "degradations.csv"), ("identity", "pairs.csv"), ("landmarks", "landmarks68.csv")):
        code, said = call(name, "--data", tmp_path, "-o", tmp_path / "out")
        assert code == 1 and file in said and "Traceback" not in said
    code, said = call("demographics", "--data", tmp_path, "-o", tmp_path / "out")
    assert code == 1 and "called after its dataset" in said


@pytest.mark.parametrize(
    "name, sentence", [("shape", "There is no"), ("groups", "holds no photos"), ("skin", "nothing in"), ("parsing", "could not be measured: There is no")]
)
def test_an_empty_folder_is_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "in").mkdir()
    result = CliRunner().invoke(batch.main.app, ["evaluate", name, "--data", str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    said = " ".join(result.output.split())
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), said
    assert sentence in said and "Error" not in said and not list((tmp_path / "out").iterdir())


def test_the_head_is_measured(tmp_path: Path) -> None:
    assert call("head", "-o", tmp_path / "out", "--quiet") == (0, "")
    assert json.loads((tmp_path / "out/head.json").read_text())["file_mb"] < 6


def test_the_json_of_a_script_becomes_a_table(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"light": {"dB": 1.5}}')
    table = measurements.script(Asked("x", tmp_path), "X.", "json.tool", ("{output}/in.json",))
    assert table.rows == [["light", 1.5]] and table.title == "X"
    with pytest.raises(FaceReconError, match="calendar could not be measured"):
        measurements.script(Asked("x", tmp_path, limit=1), "X.", "calendar")


def test_items_are_spread_evenly() -> None:
    assert measurements.spread(list(range(11)), 3) == [0, 5, 10]
    assert measurements.spread("ab", None) == measurements.spread("ab", 5) == ["a", "b"]


def test_a_file_that_only_the_error_names_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(_: Asked) -> Table:
        raise FileNotFoundError(f"No such file or directory: {tmp_path}/a.safetensors")  # as safetensors has it

    monkeypatch.setattr(measurements, "identity", measure)
    code, said = call("identity", "--data", tmp_path, "-o", tmp_path / "out")
    assert code == 1 and "None" not in said and "a.safetensors" in said
