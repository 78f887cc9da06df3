from __future__ import annotations

from pathlib import Path

from facerecon.output_names import FOLDERS, existing_files, photo_of


def test_files_of_another_photo_are_not_taken_for_ours(tmp_path: Path) -> None:
    others = [
        "restored/a_00.png", "restored/ab.png", "faces/a_b_00_restored.png", "heads/a_00_00.glb", "parameters/b_00.json"
    ]  # fmt: skip
    ours = ["restored/a.png", "faces/a_01_restored.png", "heads/.part-a_00.glb"]
    for name in others + ours:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert existing_files(tmp_path, "a") == [tmp_path / name for name in ours]


def test_a_file_tells_whose_it_is() -> None:
    assert photo_of("a_b_00_restored.png", "faces") == photo_of(".part-a_b_01_restored.png", "faces") == "a_b"
    assert photo_of("notes.txt", "heads") is None
    assert {photo_of("x_00.glb", folder) for folder in FOLDERS} == {"x", None}
