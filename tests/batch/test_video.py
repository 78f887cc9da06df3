"""``python -m batch video`` with stand-ins for the networks."""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import batch.photo_task
import batch.video_run
from batch.main import app
from batch.manifest import Manifest, Record
from facerecon.video.reading import read_info
from facerecon.images import save_image
from tests.batch import tiny_run, tiny_video
from tests.batch.test_kill import without_seconds
from tests.fakes import make_photo
from tests.video.clips import SIZE, stroll, write_clip

FRAMES = 18


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", stroll(FRAMES))


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    monkeypatch.setattr(batch.video_run, "make_parts", tiny_video.make_parts)


def run(*arguments: object):
    return CliRunner().invoke(app, ["video", *map(str, arguments)])


def files(folder: Path) -> dict[str, object]:
    """Bytes by name, JSON as values without durations; locks and folders of work are no results."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".lock")):
        blob = path.read_bytes()
        found[path.relative_to(folder).as_posix()] = without_seconds(json.loads(blob)) if path.suffix == ".json" else blob
    return found


def test_options_choose_panels_and_a_second_run_does_nothing(clip, tmp_path):
    arguments = (clip, "--output", tmp_path, "--no-include-original", "--cat-dim", 1, "--black-background", "--no-use-mask", "--json")
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    info = read_info(tmp_path / "videos" / "talk_reconstruction.mp4")
    assert (info.height, info.width) == (SIZE[0], 2 * SIZE[1])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("talk*")}
    second = run(*arguments)
    assert second.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("talk*")} == before
    events = [json.loads(line) for line in second.stdout.splitlines() if line.startswith("{")]
    assert events[-1]["event"] == "end" and events[-1]["skipped"] == FRAMES and events[-1]["done"] == 0


def test_heads_without_hair_are_other_results(clip, tmp_path):
    hairs = []
    for option in ("--hair", "--no-hair"):
        assert run(clip, "--output", tmp_path, "--no-restored", "--no-include-rec", "--no-include-transparent", option).exit_code == 0
        hairs.append(json.loads((tmp_path / "parameters" / "talk_00.json").read_text())["hair"])
    assert hairs[0] is not None and hairs[1] is None


def test_videos_that_are_not_asked_for_any_more_go(clip, tmp_path):
    assert run(clip, "--output", tmp_path).exit_code == 0
    assert run(clip, "--output", tmp_path, "--no-restored").exit_code == 0
    record = json.loads((tmp_path / "videos" / "talk.json").read_text())
    left = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "videos").glob("*.mp4")}
    assert left == {"videos/talk_reconstruction.mp4"} == {file for file in record["files"] if file.endswith(".mp4")}


def test_another_video_of_the_same_name_does_not_replace_the_results(clip, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    other = write_clip(tmp_path / "elsewhere" / "talk.mp4", stroll(FRAMES // 2))
    assert run(clip, "--output", tmp_path / "out").exit_code == 0
    before = files(tmp_path / "out")
    refused = run(other, "--output", tmp_path / "out")
    assert refused.exit_code == 1 and "another video called talk" in " ".join(refused.output.split())
    assert files(tmp_path / "out") == before
    assert run(other, "--output", tmp_path / "out", "--force").exit_code == 0


def test_a_dry_run_writes_nothing(clip, tmp_path):
    result = run(clip, "-o", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0 and f"{FRAMES} frames" in result.stdout and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "option", [("--image-type", "oil"), ("--smoothing", "much"), ("--upscale", "3"), ("--formats", "stl"), ("--cat-dim", "2")]
)
def test_wrong_options_are_refused_before_anything_is_done(clip, tmp_path, option):
    assert run(clip, "-o", tmp_path / "out", *option).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_url_is_no_output_folder(clip, tmp_path):
    result = run(clip, "-o", "memory://out")
    assert result.exit_code == 1 and "not to a URL" in " ".join(result.output.split())


def test_what_is_no_video_fails_with_one_sentence(tmp_path):
    (tmp_path / "talk.mp4").write_text("no video")
    result = run(tmp_path / "talk.mp4", "-o", tmp_path / "out")
    assert result.exit_code == 1 and "Traceback" not in result.output


def test_killed_and_started_again_it_ends_as_an_undisturbed_run(clip, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = ("--chunk", 5, "--include-rec", "--no-include-transparent", "-q")
    assert run(clip, "-o", whole, *options).exit_code == 0
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch.tiny_video"])
    for goal in ("analysis_00000", "analysis_00002", "pictures_00001*"):
        process = context.Process(target=tiny_video.main, args=([str(a) for a in (clip, "-o", broken, *options)],))
        process.start()
        while process.is_alive() and not list(broken.glob(f".video/talk/{goal}")):
            time.sleep(0.002)
        process.kill()
        process.join(100)
        assert process.exitcode == -signal.SIGKILL
    assert run(clip, "-o", broken, *options).exit_code == 0
    assert files(broken) == files(whole)


def test_a_dry_run_tells_machines_what_it_would_do(clip, tmp_path):
    events = [json.loads(line) for line in run(clip, "-o", tmp_path / "out", "--dry-run", "--json").stdout.splitlines()]
    assert events[0] == {"event": "item", "input": "talk.mp4", "status": "todo", "frames": FRAMES}
    assert (events[1]["event"], events[1]["todo"], events[1]["dry_run"]) == ("end", 1, True)


def test_a_dry_run_knows_what_is_done_and_what_is_in_the_way(clip, tmp_path):
    options = (clip, "-o", tmp_path, "--no-include-rec", "--no-include-transparent", "--no-include-original", "--no-restored")
    assert run(*options).exit_code == 0
    assert "talk.mp4 is done" in run(*options, "--dry-run").stdout
    last = json.loads(run(*options, "--dry-run", "--json").stdout.splitlines()[-1])
    assert (last["todo"], last["skipped"]) == (0, 1)
    (tmp_path / "elsewhere").mkdir()
    other = write_clip(tmp_path / "elsewhere" / "talk.mp4", stroll(FRAMES // 2))
    refused = run(other, *options[1:], "--dry-run")
    assert refused.exit_code == 1 and "another video called talk" in " ".join(refused.output.split())


def test_a_video_called_like_a_photo_does_not_replace_its_heads(clip, tmp_path):
    record = Record("talk", "talk.jpg", "done", ("reconstruction",), "its bytes", "settings", ("heads/talk_00.glb",))
    Manifest(tmp_path / "manifest.jsonl").append([record])
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "talk_00.glb").write_bytes(b"of a photo")
    refused = run(clip, "--output", tmp_path)
    assert refused.exit_code == 1 and "a photo called talk" in " ".join(refused.output.split())
    assert (tmp_path / "heads" / "talk_00.glb").read_bytes() == b"of a photo"


def test_a_photo_called_like_a_video_does_not_replace_its_heads(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(batch.photo_task, "make_reconstructor", tiny_run.make_reconstructor)
    for name in ("talk", "other"):
        save_image(tmp_path / "in" / f"{name}.png", make_photo())
    assert run(clip, "-o", tmp_path / "out").exit_code == 0
    before = files(tmp_path / "out")
    command = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--num-workers", "0", "--images", "none"]
    for _ in range(2):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1 and "heads of a video called talk" in " ".join(result.output.split())
        assert {name: content for name, content in files(tmp_path / "out").items() if name in before} == before
    assert (tmp_path / "out" / "heads" / "other_00.glb").is_file()
    assert CliRunner().invoke(app, ["restore", *command[1:-2]]).exit_code == 0  # which writes no heads
    (tmp_path / "out" / "videos" / "talk.json").unlink()
    assert CliRunner().invoke(app, command).exit_code == 0


def test_export_leaves_the_performance_in_the_heads_of_a_video(clip, tmp_path):
    assert run(clip, "-o", tmp_path).exit_code == 0
    animated = (tmp_path / "heads" / "talk_00.glb").read_bytes()
    assert CliRunner().invoke(app, ["export", str(tmp_path), "--formats", "glb,ply"]).exit_code == 0
    assert (tmp_path / "heads" / "talk_00.ply").is_file()
    assert (tmp_path / "heads" / "talk_00.glb").read_bytes() == animated


def test_a_photo_whose_heads_a_video_replaced_is_done_no_longer(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(batch.photo_task, "make_reconstructor", tiny_run.make_reconstructor)
    save_image(tmp_path / "in" / "talk.png", make_photo())
    output = tmp_path / "out"
    command = ["run", str(tmp_path / "in"), "-o", str(output), "--num-workers", "0", "--images", "overlay", "--save-codes"]
    assert CliRunner().invoke(app, command).exit_code == 0
    restored = (output / "restored" / "talk.png").read_bytes()
    assert run(clip, "-o", output, "--force").exit_code == 0
    manifest = Manifest(output / "manifest.jsonl", shared=True)
    lost, kept = (manifest.find("talk", (stage,)) for stage in ("reconstruction", "restoration"))
    assert lost.status == "failed" and "the video called talk" in lost.error and kept.status == "done"
    assert json.loads((output / "reconstruction_stats.json").read_text())["done"] == 0
    assert not list((output / "renders").iterdir()) and not list((output / "codes").iterdir())

    performed = (output / "heads" / "talk_00.glb").read_bytes()
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1 and "heads of a video called talk" in " ".join(again.output.split())
    assert (output / "heads" / "talk_00.glb").read_bytes() == performed
    assert (output / "restored" / "talk.png").read_bytes() == restored
    assert json.loads((output / "restoration_stats.json").read_text())["done"] == 1  # as it lies there

    (output / "videos" / "talk.json").unlink()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (output / "renders" / "talk_00_overlay.png").is_file()


def test_a_video_without_a_face_leaves_the_photo_of_its_name_as_it_was(clip, tmp_path, monkeypatch):
    def blind(work):
        pipeline, embedder, versions = tiny_video.make_parts(work)
        pipeline.detector.detect = lambda image: []
        return pipeline, embedder, versions

    monkeypatch.setattr(batch.video_run, "make_parts", blind)
    record = Record("talk", "talk.jpg", "done", ("reconstruction",), "its bytes", "settings", ("heads/talk_00.glb",))
    Manifest(tmp_path / "manifest.jsonl").append([record])
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "talk_00.glb").write_bytes(b"of a photo")
    assert run(clip, "-o", tmp_path, "--force").exit_code == 1
    assert Manifest(tmp_path / "manifest.jsonl", shared=True).find("talk", ("reconstruction",)) == record
    assert (tmp_path / "heads" / "talk_00.glb").read_bytes() == b"of a photo"
