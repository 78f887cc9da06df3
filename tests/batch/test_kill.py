"""Killed at any moment and started again, a run ends as an undisturbed one.

``FACERECON_KILLS=200`` kills at 200 random moments; by default it is a handful.
"""

from __future__ import annotations

import json
import multiprocessing
import os
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

KILLS = int(os.environ.get("FACERECON_KILLS", "8"))
WITH_WORKERS = 20  # every so many kills hit a run of two worker processes
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


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], float]:
    """The files of a run that nothing disturbed, and how long it took."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    finish(start(source, output))  # warms the caches
    started = time.perf_counter()
    again = output.with_name("again")
    assert finish(start(source, again)) == 1  # broken.jpg
    seconds = time.perf_counter() - started
    assert tree(again) == tree(output)
    return tree(output), seconds


def arguments(source: Path, output: Path, workers: int = 0) -> list[str]:
    work = ["--batch-size", "2", "--num-workers", str(workers)]
    return ["run", str(source), "-o", str(output), "-r", "--images", "none", "--formats", "ply", "-q", *work]


def start(source: Path, output: Path, workers: int = 0) -> BaseProcess:
    """A run in a process of its own, forked from one that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch.tiny_run", "batch.processes", "facerecon.outputs"])
    process = context.Process(target=tiny_run.main, args=(arguments(source, output, workers),))
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
    """Every file but the locks: bytes, or for JSON its values without durations; the manifest's lines in any order."""
    files: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".lock")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            files[name] = without_seconds(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            lines = [without_seconds(json.loads(line)) for line in path.read_text().splitlines()]
            files[name] = sorted(json.dumps(line, sort_keys=True) for line in lines)
        else:
            files[name] = path.read_bytes()
    return files


def differences(found: dict[str, object], expected: dict[str, object]) -> list[str]:
    """What differs between two trees, in words that fit on a screen."""
    names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    texts = {name: [str(t.get(name)) for t in (found, expected)] for name in names}
    at = {n: next((i for i, (a, b) in enumerate(zip(*t)) if a != b), 0) for n, t in texts.items()}
    return [f"{n}: {t[0][max(at[n] - 80, 0) : at[n] + 80]} | {t[1][max(at[n] - 80, 0) : at[n] + 80]}" for n, t in texts.items()]


def lines(output: Path) -> int:
    manifest = output / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def cut_power(output: Path, chance: random.Random) -> None:
    """What a machine leaves that lost its power: half a line, half a file under its temporary name."""
    if not (output / "manifest.jsonl").exists():
        return
    with (output / "manifest.jsonl").open("ab") as file:
        file.write(b'{"name": "p01", "input": "p0'[: chance.randint(1, 28)])
    for folder in ("restored", "heads"):
        if (output / folder).is_dir():
            ending = {"restored": ".png", "heads": "_00.ply"}[folder]
            done = (output / "manifest.jsonl").read_text(errors="replace")
            for number in range(PHOTOS):
                if f'"p{number:02d}"' not in done and number % 3:
                    (output / folder / f".part-p{number:02d}{ending}").write_bytes(b"half")


def test_kills_leave_no_trace(source: Path, undisturbed: tuple[dict[str, object], float], tmp_path: Path) -> None:
    expected, seconds = undisturbed
    chance, output, kills, ends = random.Random(7), tmp_path / "0", 0, 0
    while kills < KILLS or ends == 0:
        workers = 2 if kills % WITH_WORKERS == 3 else 0
        process = start(source, output, workers)
        if kills < KILLS:
            process.join(chance.uniform(0, (1.1 if workers == 0 else 2.5) * seconds))
            kills += process.is_alive()
            process.kill()
        code = finish(process)
        if code == -signal.SIGKILL:
            if chance.random() < 0.3:
                cut_power(output, chance)
            continue
        assert code == 1 and differences(tree(output), expected) == []
        ends += 1
        output = tmp_path / str(ends)
    print(f"{kills} kills, {ends} runs came to their end")


def test_ctrl_c_is_a_clean_stop(
    source: Path, undisturbed: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.batch.tiny_run", *arguments(source, tmp_path / "out", workers=2)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell starts in the background ignores it
    )  # fmt: skip
    while lines(tmp_path / "out") < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Stopped" in said and "Traceback" not in said
    assert finish(start(source, tmp_path / "out")) == 1
    assert tree(tmp_path / "out") == undisturbed[0]


def test_a_full_disk_loses_nothing(source: Path, undisturbed: tuple[dict[str, object], float], tmp_path: Path) -> None:
    """Through a disk of 1.2 MB, which must be mounted: without the right to do so there is nothing to test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here")
    try:
        assert finish(start(source, disk / "out")) == 1
        before = {name: content for name, content in tree(disk / "out").items() if isinstance(content, bytes)}
        assert before and all(undisturbed[0].get(name) == content for name, content in before.items())
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert finish(start(source, disk / "out")) == 1
        assert tree(disk / "out") == undisturbed[0]
    finally:
        subprocess.run(["umount", str(disk)], check=False)
