"""Killed at any moment and started again, a run ends as an undisturbed one."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from tests.batch import tiny_run
from tests.fakes import make_photo

PHOTOS = 9
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "album").mkdir()
    for seed in range(PHOTOS):
        place = folder / "album" if seed % 3 == 0 else folder
        PillowImage.fromarray(make_photo(60, 80, seed)).save(place / f"p{seed:02d}.png")
    (folder / "broken.jpg").write_text("no picture")
    return folder


def arguments(source: Path, output: Path) -> list[str]:
    return ["run", str(source), "-o", str(output), "-r", "--images", "overlay", "--formats", "glb", "-q"]


def start(source: Path, output: Path) -> BaseProcess:
    """A run in a process of its own, forked from one that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch.tiny_run"])
    process = context.Process(target=tiny_run.main, args=(arguments(source, output),))
    process.start()
    return process


def finish(process: BaseProcess) -> int | None:
    process.join(500)
    return process.exitcode


def without_seconds(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_seconds(each) for key, each in value.items() if key != "seconds"}
    return [without_seconds(each) for each in value] if isinstance(value, list) else value


def tree(folder: Path) -> dict[str, object]:
    """Every file: bytes, or for JSON its values without durations."""
    files: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            files[name] = without_seconds(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            files[name] = [without_seconds(json.loads(line)) for line in path.read_text().splitlines()]
        else:
            files[name] = path.read_bytes()
    return files


def lines(output: Path) -> int:
    manifest = output / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def test_kills_leave_no_trace(source: Path, tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert finish(start(source, undisturbed)) == 1  # broken.jpg
    chance = random.Random(7)
    for goal in (1, 2, 4, 6, 8):
        process = start(source, disturbed)
        while lines(disturbed) < goal and process.is_alive():
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        assert finish(process) == -signal.SIGKILL
    assert 0 < lines(disturbed) <= PHOTOS + 1
    with (disturbed / "manifest.jsonl").open("ab") as file:
        file.write(b'{"name": "p')  # a line that a kill cut short
    assert finish(start(source, disturbed)) == 1
    assert tree(disturbed) == tree(undisturbed)


def test_ctrl_c_is_a_clean_stop(source: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.batch.tiny_run", *arguments(source, tmp_path / "out")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while lines(tmp_path / "out") < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Stopped" in said and "Traceback" not in said
