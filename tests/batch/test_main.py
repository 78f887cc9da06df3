from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

import batch.main
import batch.photo_task
from tests.batch.tiny_run import make_reconstructor
from tests.fakes import make_photo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Calls the command line on a folder of one photo; gives exit code and all that was said, on one line."""
    monkeypatch.setattr(batch.photo_task, "make_reconstructor", make_reconstructor)
    folder = tmp_path / "in"
    folder.mkdir()
    PillowImage.fromarray(make_photo(60, 80)).save(folder / "a.png")

    def call(verb: str, *options: str) -> tuple[int, str]:
        result = CliRunner().invoke(batch.main.app, [verb, str(folder), "-o", str(tmp_path / "out"), *options])
        return result.exit_code, " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())

    call.folder, call.output = folder, tmp_path / "out"
    return call


def test_help_and_the_process_that_hands_out_work_need_no_torch() -> None:
    """Else every TAB of a shell would take seconds, and a run of workers 200 MB more."""
    script = """
import sys, batch.main, batch.jobs
from batch.embed_task import EmbedTask
from batch.label_task import LabelTask
from batch.photo_task import PhotoTask, Settings
for task in PhotoTask(Settings()), EmbedTask(), LabelTask():
    assert task.versions()
print([name for name in ("torch", "numba", "scipy", "gradio") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


def test_run_says_where_the_page_is(command) -> None:
    code, said = command("run", "--images", "none", "--save-comparison")
    assert code == 0 and "1 done, 0 failed" in said and "python app.py" in said
    assert (command.output / "comparisons" / "a_compare.jpg").exists()
    assert not (command.output / "renders").exists()


@pytest.mark.parametrize("verb, folder", [("restore", "restored"), ("reconstruct", "heads")])
def test_halves_do_their_half(command, verb: str, folder: str) -> None:
    code, _ = command(verb)
    made = {path.name for path in command.output.iterdir() if path.is_dir()}
    assert code == 0 and folder in made and not {"restored", "heads"} <= made


def test_who_it_is_may_guide_restoration_alone(command) -> None:
    code, _ = command("restore", "--guided", "--age", "70")
    assert code == 0
    code, said = command("restore", "--guided", "--age", "30")
    assert code == 0 and "1 done" in said  # another guide, another photo


def test_failures_end_with_one(command) -> None:
    (command.folder / "b.jpg").write_text("no picture")
    code, said = command("restore", "--quiet")
    assert code == 1 and "failed b.jpg: b.jpg is not a picture" in said and "done" not in said


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--upscale", "3"], "none of 1, 2, 4"),
        (["--faces", "left"], "none of all, largest, center"),
        (["--formats", "glb,fbx"], "'fbx' is none of"),
        (["--images", "photo"], "'photo' is none of"),
        (["--gender", "x"], "neither female nor male"),
        (["--race", "martian"], "'martian' is none of"),
        (["--fidelity", "1.5"], "less than or equal to 1"),
        (["--age", "101"], "less than or equal to 100"),
        (["--guided"], "say --age, --gender or --race"),
        (["--face-detector", "mtcn"], "'mtcn' is none of"),
        (["--face-detector", "deepface:mtcn"], "names none of them"),
        (["--detection-threshold", "1"], "1 does not lie between 0 and 1"),
        (["--detection-threshold", "0"], "0 does not lie between 0 and 1"),
        (["--engine", "spark"], "'spark' is none of local, ray"),
        (["--device", "abacus"], "'abacus' is none of auto, cpu, cuda"),
    ],
)
def test_options_out_of_range_are_explained(command, options: list[str], sentence: str) -> None:
    code, said = command("run", *options)
    assert code == 2 and sentence in said and not command.output.exists()


def test_help_says_that_there_may_be_no_files() -> None:
    said = CliRunner().invoke(batch.main.app, ["run", "--help"], env={"COLUMNS": "300"}).output
    assert "dense; or none." in said and "turntable; or none." in said


def test_words_that_move_nothing_are_named(command) -> None:
    code, said = command("reconstruct", "--images", "none", "--ethnicity", "Klingon")
    assert code == 0 and "note" in said and "klingon" in said.lower()


def test_a_missing_input_is_one_sentence(command) -> None:
    command.folder.rename(command.folder.with_name("gone"))
    code, said = command("run")
    assert code == 1 and said.startswith("There is no file or folder")
