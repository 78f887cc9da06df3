"""The conventions of all commands, and the small commands."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from typer.testing import CliRunner

import batch.main
import batch.photo_task
from batch import doctor, tables
from batch.lock import locked
from batch.manifest import Manifest, Record
from batch.stored_heads import find_texture, read_head, rotation_from_degrees
from facerecon import outputs
from facerecon.head.hair import DIRECTIONS, hair_shell
from facerecon.head.model import HeadModel
from facerecon.pipeline import FaceReconstructor
from tests.batch.tiny_run import make_reconstructor
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer, make_photo


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(batch.main.app, [str(each) for each in arguments])
    return result.exit_code, " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(batch.photo_task, "make_reconstructor", make_reconstructor)
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate("ab"):
        PillowImage.fromarray(make_photo(60, 80, seed)).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("command", ["run", "restore", "reconstruct", "export", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    code, said = call(command, "--help")
    assert code == 0 and "Example" in said
    for option in ("--config", "--dry-run", "--quiet", "--json"):
        assert option in said


def test_a_dry_run_writes_nothing_and_tells_what_is_left(source: Path, tmp_path: Path) -> None:
    code, said = call("restore", source, "-o", tmp_path / "out", "--dry-run")
    assert code == 0 and "2 would be done, 0 are done" in said and not (tmp_path / "out").exists()
    call("restore", source, "-o", tmp_path / "out")
    (source / "a.png").write_bytes((source / "b.png").read_bytes())
    before = sorted((tmp_path / "out").rglob("*"))
    code, said = call("restore", source, "-o", tmp_path / "out", "--dry-run")
    assert "would do a.png" in said and "1 would be done, 1 are done" in said
    assert "2 would be done" in call("restore", source, "-o", tmp_path / "out", "--dry-run", "--fidelity", 0.1)[1]
    assert sorted((tmp_path / "out").rglob("*")) == before


def test_json_lines_tell_machines_everything(source: Path, tmp_path: Path) -> None:
    (source / "c.jpg").write_text("no picture")
    result = CliRunner().invoke(batch.main.app, ["restore", str(source), "-o", str(tmp_path / "out"), "--json"])
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1 and [e["event"] for e in events] == ["start", "item", "item", "item", "end"]
    assert events[0]["total"] == 3 and events[3]["status"] == "failed" and events[3]["error"].endswith(".")
    assert (events[-1]["done"], events[-1]["failed"]) == (2, 1) and events[2]["seconds_left"] >= 0


def test_changed_settings_are_said(source: Path, tmp_path: Path) -> None:
    call("restore", source, "-o", tmp_path / "out")
    code, said = call("restore", source, "-o", tmp_path / "out", "--fidelity", 0.5)
    assert code == 0 and said.count("fidelity was 0.7, is 0.5") == 1 and "2 done, 0 failed" in said


def test_no_formats_are_called_none_where_they_change(source: Path, tmp_path: Path) -> None:
    call("run", source, "-o", tmp_path / "out", "--formats", "none", "--images", "none")
    said = call("run", source, "-o", tmp_path / "out", "--images", "none", "--dry-run")[1]
    assert "formats was none, is glb" in said


def test_the_page_is_recommended_where_all_went_well(source: Path, tmp_path: Path) -> None:
    assert "python app.py" in call("run", source, "-o", tmp_path / "out", "--images", "none")[1]
    (source / "c.jpg").write_text("no picture")
    assert "python app.py" not in call("run", source, "-o", tmp_path / "out", "--images", "none")[1]


@pytest.mark.parametrize("command", ["video", "embed", "cluster", "restore-samples"])
def test_commands_that_write_to_a_folder_alone_promise_no_url(command: str) -> None:
    assert "URL) for the results" not in call(command, "--help")[1]


def test_a_busy_folder_ends_with_three(source: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        code, said = call("restore", source, "-o", tmp_path / "out")
    assert code == 3 and "Another run (process" in said


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object, HeadModel]:
    """An output folder with one head, turned, smiling, of known age and with hair."""
    head = HeadModel.from_pretrained()
    folder, photo = tmp_path_factory.mktemp("out"), make_photo()
    pipeline = FaceReconstructor(FakeDetector(), FakeRestorer(), FakeReconstructor(head), head)
    (found,) = pipeline.reconstruct(photo)
    p, rng = found.parameters, np.random.default_rng(0)
    p.identity = rng.normal(size=len(p.identity)).astype(np.float32)
    p.expression = rng.uniform(0, 0.5, len(p.expression)).astype(np.float32)
    p.rotation = rotation_from_degrees(-30, 12, 7)
    p.mean_weights = head.encode_demographics(torch.tensor([61.0]), torch.tensor([0.3]), torch.tensor([[0.2, 0.5, 0.3]]))[0].numpy()
    p.hair = rng.uniform(0, 0.04, DIRECTIONS).astype(np.float32)
    given = (torch.from_numpy(v)[None] for v in (p.identity, p.expression))
    found.vertices = hair_shell(head).grow(head.vertices(*given, head.mean_weights(p))[0].numpy(), p.hair)
    outputs.write_head(folder, "album/a", found, head, ["glb"])
    outputs.write_parameters(folder, "album/a", photo, found, head, {})
    return folder, found, head


def test_parameters_give_the_head_back(done) -> None:
    folder, found, head = done
    again = read_head(folder / "parameters/album/a_00.json", head, find_texture(folder / "heads/album/a_00"))
    assert np.abs(again.vertices - found.vertices).max() < 2e-6  # metres
    assert np.allclose(again.parameters.rotation, found.parameters.rotation, atol=2e-5)
    assert np.abs(again.texture.astype(int) - found.texture).max() < 12  # JPEG


def test_export_writes_other_formats_once(done, tmp_path: Path) -> None:
    folder, _, _ = done
    code, said = call("export", folder, "--formats", "obj,ply", "-o", tmp_path)
    names = {path.name for path in (tmp_path / "heads/album").iterdir()}
    assert code == 0 and names == {"a_00.obj", "a_00.mtl", "a_00.png", "a_00.ply"} and "1 done" in said
    assert "1 done before" in call("export", folder, "--formats", "obj,ply", "-o", tmp_path)[1]


def test_export_of_one_file_keeps_its_name_and_its_texture(done, tmp_path: Path) -> None:
    folder, _, _ = done
    for number, source in enumerate(("album/a_00.json", "album")):
        output = tmp_path / str(number)
        code, _ = call("export", folder / "parameters" / source, "--formats", "obj", "-o", output)
        assert code == 0
        made = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
        assert made == {"heads/album/a_00.obj", "heads/album/a_00.mtl", "heads/album/a_00.png"}


def test_export_writes_again_what_is_older_than_the_parameters_but_not_what_the_run_wrote(done, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(done[0], folder)
    parameters, glb, ply = (folder / name for name in ("parameters/album/a_00.json", "heads/album/a_00.glb", "heads/album/a_00.ply"))
    record = Record("album/a", "album/a.jpg", "done", ("reconstruction",), "x", "y", ("heads/album/a_00.glb",))
    Manifest(folder / "manifest.jsonl").append([record])
    os.utime(glb, ns=(10**18, 10**18))
    os.utime(parameters, ns=(2 * 10**18, 2 * 10**18))
    assert "1 done before" in call("export", folder, "--formats", "glb")[1]
    ply.write_text("of other parameters")
    os.utime(ply, ns=(10**18, 10**18))
    assert "1 done," in call("export", folder, "--formats", "glb,ply")[1].replace("done before", "before")
    assert ply.read_bytes().startswith(b"ply") and glb.stat().st_mtime_ns == 10**18


def test_machines_are_told_what_a_dry_run_would_do(source: Path, done, tmp_path: Path) -> None:
    for arguments, name, todo in (
        (("export", done[0], "-o", tmp_path), "album/a_00", 1),
        (("restore-samples", source, "-o", tmp_path / "out"), "a.png", 2),
        (("evaluate", "head", "-o", tmp_path / "out"), "head", 1),
        (("restore", source, "-o", tmp_path / "out"), "a.png", 2),
    ):
        result = CliRunner().invoke(batch.main.app, [*map(str, arguments), "--dry-run", "--json"])
        events = [json.loads(line) for line in result.stdout.splitlines()]
        assert events[0]["event"] == "item" and (events[0]["input"], events[0]["status"]) == (name, "todo")
        assert events[-1] == {"event": "end", "todo": todo, "skipped": 0, "failed": 0, "dry_run": True}


def test_export_passes_over_strange_files(done, tmp_path: Path) -> None:
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters/x_00.json").write_text('{"identity": {}}')
    code, said = call("export", tmp_path)
    assert code == 1 and "x_00.json is no parameters file" in said
    assert call("export", tmp_path / "nowhere")[0] == 1


def test_a_file_that_lacks_something_says_what(tmp_path: Path) -> None:
    (tmp_path / "x_00.json").write_text("{}")
    code, said = call("export", tmp_path / "x_00.json", "-o", tmp_path / "out")
    assert code == 1 and "it lacks 'demographics'." in said


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = call("doctor", "--no-speed")
    assert code == 0 and "restoration" in said and "torch" in said
    monkeypatch.setattr(doctor, "NEEDED", ("torch", "surely-not-installed"))
    code, said = call("doctor", "--no-speed")
    assert code == 1 and "missing surely-not-installed" in said
    assert call("doctor", "--no-speed", "--device", "abacus")[0] == 2


def test_tables_are_written_in_three_ways(tmp_path: Path) -> None:
    table = tables.Table("t", "Title", ["level", "dB"], [["light", 1.25], ["heavy|x", 12.0], ["none", float("nan")]], {"light": 1.25, "none": float("nan")})
    files = tables.write_table(table, tmp_path)
    assert "| heavy\\|x | 12.0 |" in (tmp_path / "t.md").read_text()
    assert json.loads((tmp_path / "t.json").read_text()) == {"light": 1.25, "none": None}
    assert PillowImage.open(files[2]).width > 100


def test_nested_results_become_rows() -> None:
    table = tables.table_of("t", "T", {"faces": 3, "by_yaw": {"0_15": {"faces": 2, "error": 1.5}}})
    assert table.columns == ["what", "faces", "error"]
    assert table.rows == [["all", 3, ""], ["by_yaw / 0_15", 2, 1.5]]


def test_parts_that_tell_of_other_things_stand_apart(tmp_path: Path) -> None:
    values = {"levels": {"light": {"dB": 1.0}, "heavy": {"dB": 2.0, "ms": 3}}, "gains": {"old": {"count": 4}, "young": {"count": 5}}}
    table = tables.table_of("t", "T", values)
    assert [columns for columns, _ in tables.sections(table)] == [["what", "dB", "ms"], ["what", "count"]]
    assert "| what | count |\n|---|---|\n| gains / old | 4 |" in tables.markdown(table)
    assert tables.plot(table, tmp_path / "t.png")
