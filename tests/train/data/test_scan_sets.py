"""Sets of scans, made small in their official layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facerecon.types import FaceReconError
from train.data.scan_sets import read_scan, scanned_people

CORNERS = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.25, 0], [0.1, 0.1, 0.08]])


def mesh(path: Path, unit: float = 1.0) -> Path:
    """A tetrahedron of a head's size, in units of so many metres."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = CORNERS / unit
    if path.suffix == ".obj":
        lines = [f"v {x} {y} {z}" for x, y, z in points] + ["f 1 3 2", "f 1//1 2//1 4//1", "f 2 3 4 1"]
        path.write_text("\n".join(lines))
    else:
        header = ["ply", "format ascii 1.0", "element vertex 4", *(f"property float {a}" for a in "xyz"),
                  "element face 2", "property list uchar int vertex_indices", "end_header"]  # fmt: skip
        path.write_text("\n".join(header + [f"{x} {y} {z}" for x, y, z in points] + ["3 0 2 1", "3 0 1 3"]) + "\n")
    return path


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("unit", [0.001, 0.01, 1.0])
@pytest.mark.parametrize("ending", [".obj", ".ply"])
def test_scans_come_in_metres_whatever_their_unit(tmp_path, unit, ending):
    vertices, faces = read_scan(mesh(tmp_path / f"a{ending}", unit))
    assert np.allclose(vertices, CORNERS, atol=1e-6)
    assert len(faces) == (4 if ending == ".obj" else 2) and faces.max() == 3


def test_what_is_no_face_is_refused(tmp_path):
    with pytest.raises(FaceReconError, match="no face in"):
        read_scan(mesh(tmp_path / "huge.obj", 0.05))
    (tmp_path / "cloud.obj").write_text("v 0 0 0\nv 0.2 0 0\n")
    with pytest.raises(FaceReconError, match="triangles"):
        read_scan(tmp_path / "cloud.obj")
    (tmp_path / "bad.ply").write_text("no mesh")
    with pytest.raises(FaceReconError, match="PLY"):
        read_scan(tmp_path / "bad.ply")


def test_facescape_prefers_the_scan_itself_and_knows_ages(tmp_path):
    mesh(tmp_path / "facescape_trainset_001_100/1/models_reg/1_neutral.obj")
    mesh(tmp_path / "facescape_trainset_001_100/1/models_reg/2_smile.obj")
    raw = mesh(tmp_path / "mview/2/1_neutral.ply")
    mesh(tmp_path / "facescape_trainset_001_100/2/models_reg/1_neutral.obj")
    view = photo(tmp_path / "images/1/2_smile/5.jpg")
    (tmp_path / "info_list.txt").write_text("1 f 24 1 1 1 1 1\n2 m - 1 1 1 1 1\n")
    first, second = scanned_people("facescape", tmp_path)
    assert (first.subject, first.age, first.gender, first.photos) == ("1", 24.0, "female", [view])
    assert first.scan.name == "1_neutral.obj" and second.scan == raw
    assert (second.age, second.gender) == (None, "male")


def test_stirling_takes_neutral_scans_and_photos_by_name(tmp_path):
    neutral = mesh(tmp_path / "scans/F1001/F1001_N.obj")
    mesh(tmp_path / "scans/F1001/F1001_S.obj")
    plain = mesh(tmp_path / "scans/m1002/m1002.obj")
    mesh(tmp_path / "scans/M1003/M1003_A.obj")
    shown = photo(tmp_path / "images/Real_images__Subset_2D_FG2018/HQ/F1001_01.jpg")
    people = scanned_people("stirling", tmp_path)
    assert [(p.subject, p.scan, p.gender) for p in people] == [("F1001", neutral, "female"), ("M1002", plain, "male")]
    assert people[0].photos == [shown]


def test_sequences_give_their_first_frame(tmp_path):
    for number in (3, 1, 20):
        mesh(tmp_path / f"coma/FaceTalk_170725_00137_TA/bareteeth/bareteeth.{number:06d}.ply")
        mesh(tmp_path / f"d3dfacs/Sophie/1+2/frame_{number}.obj")
    mesh(tmp_path / "coma/other/a/a.000001.ply")
    (person,) = scanned_people("coma", tmp_path / "coma")
    assert person.subject == "FaceTalk_170725_00137_TA" and person.scan.name == "bareteeth.000001.ply"
    (person,) = scanned_people("d3dfacs", tmp_path / "d3dfacs")
    assert person.scan.name == "frame_1.obj"


def test_headspace_reads_its_subjects(tmp_path):
    scan = mesh(tmp_path / "00001/160322123456.obj", 0.001)
    view = photo(tmp_path / "00001/160322123456.png")
    (tmp_path / "00001/subject.txt").write_text("Gender: Female\nAge: 34\nDeclared ethnicity: White British\n")
    mesh(tmp_path / "00002/scan/160322123457.obj")
    first, second = scanned_people("lyhm", tmp_path)
    assert (first.scan, first.photos, first.age, first.gender) == (scan, [view], 34.0, "female")
    assert second.scan.parent.name == "scan" and second.age is None


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(FaceReconError, match="no scans"):
        scanned_people("coma", tmp_path)
    with pytest.raises(FaceReconError, match="layout"):
        scanned_people("bfm", tmp_path)
