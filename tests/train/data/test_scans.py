"""300W-LP, AFLW2000-3D, NoW and REALY, from a few files made in their layouts."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage
from scipy.io import savemat

from facerecon.outputs import pose_degrees
from facerecon.types import FaceReconError
from train.data import open_dataset
from train.data.mat_landmarks import angles_of, pose_errors, rotation_of
from train.data.scans import box_face, now_photos, read_obj, read_pp, realy_people

RNG = np.random.default_rng(0)


def photo(path, size=(60, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(RNG.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("layout, key, rows", [("300w_lp", "pt2d", 2), ("aflw2000_3d", "pt3d_68", 3)])
def test_landmarks_and_pose_of_mat_files(tmp_path, layout, key, rows):
    place = tmp_path / "AFW" / "AFW_134212_1_0.jpg" if layout == "300w_lp" else tmp_path / "image00002.jpg"
    photo(place)
    points = RNG.uniform(1, 60, (rows, 68))
    pose = np.array([[0.1, -0.5, 0.2, 30, 40, 0, 1e-4]])
    savemat(place.with_suffix(".mat"), {key: points, "Pose_Para": pose, "roi": np.zeros((1, 4))})
    photo(tmp_path / "unlabelled.jpg")
    pack = open_dataset(layout, tmp_path)
    assert len(pack) == 1
    labels = pack.labels(0)
    assert np.allclose(labels.landmarks, points[:2].T - 1, atol=1e-4)
    assert angles_of(labels.rotation) == pytest.approx(np.degrees([0.1, -0.5, 0.2]), abs=1e-3)


def test_angles_of_the_datasets_in_our_frame():
    assert pose_degrees(rotation_of(0.0, -0.5, 0.0))["yaw"] == pytest.approx(np.degrees(0.5), abs=1e-3)
    assert pose_degrees(rotation_of(0.3, 0.0, 0.0))["pitch"] == pytest.approx(np.degrees(0.3), abs=1e-3)
    assert pose_degrees(rotation_of(0.0, 0.0, -0.2))["roll"] == pytest.approx(np.degrees(0.2), abs=1e-3)


def test_pose_errors_leave_out_what_the_benchmark_does():
    truth = np.stack([rotation_of(0, 0, 0), rotation_of(0, 0.2, 0), rotation_of(0, 0, np.radians(120))])
    found = np.stack([rotation_of(0, np.radians(6), 0), rotation_of(0, 0.2, 0), np.eye(3)])
    errors = pose_errors(found, truth)
    assert errors["faces"] == 2 and errors["yaw"] == pytest.approx(3, abs=1e-3) and errors["pitch"] < 1e-3


def test_a_folder_without_mat_files_is_refused(tmp_path):
    photo(tmp_path / "a.jpg")
    with pytest.raises(FaceReconError, match="no photo has a .mat"):
        open_dataset("aflw2000_3d", tmp_path)


PP = """<!DOCTYPE PickedPoints>
<PickedPoints>
 <DocumentData>
  <DateTime time="12:00:00" date="2018-01-01"/>
  <templateName name=""/>
 </DocumentData>
 {}
</PickedPoints>
"""


def make_now(root):
    root = root / "final_release_version"
    line = "FaMoS_180424_03335_TA/multiview_neutral/IMG_0045.jpg"
    photo(root / "iphone_pictures" / line)
    box = root / "detected_face" / line.replace(".jpg", ".npy")
    box.parent.mkdir(parents=True)
    np.save(box, {"left": 10, "top": np.float64(12), "right": 40, "bottom": 45}, allow_pickle=True)
    for folder, name in (("scans", "scan.obj"), ("scans_lmks_onlypp", "scan.pp")):
        place = root / folder / "FaMoS_180424_03335_TA" / name
        place.parent.mkdir(parents=True)
        points = "\n ".join(f'<point x="{i}.5" y="-{i}" z="1e1" name="{i}" active="1"/>' for i in range(7))
        place.write_text(PP.format(points) if name.endswith("pp") else "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1/1 2/2 4/4 3/3\n")
    (root / "imagepathsvalidation.txt").write_text(line + "\n")


def test_the_now_challenge(tmp_path):
    make_now(tmp_path)
    (found,) = now_photos(tmp_path)
    assert found.challenge == "multiview_neutral" and found.subject.endswith("_TA") and found.image.is_file()
    assert found.box.tolist() == [10, 12, 40, 45]
    assert read_pp(found.landmarks)[3].tolist() == [3.5, -3, 10]
    vertices, faces = read_obj(found.scan)
    assert len(vertices) == 4 and faces.tolist() == [[0, 1, 3], [0, 3, 2]]
    points = box_face(found.box).points
    assert points[0, 0] < points[1, 0] and points[:2, 1].max() < points[2, 1] < points[3:, 1].min()
    with pytest.raises(FaceReconError, match="imagepathstest"):
        now_photos(tmp_path, "test")


def test_a_now_list_that_names_what_is_not_there(tmp_path):
    make_now(tmp_path)
    (tmp_path / "final_release_version" / "scans" / "FaMoS_180424_03335_TA" / "scan.obj").unlink()
    with pytest.raises(FaceReconError, match="lacks"):
        now_photos(tmp_path)


def test_realy(tmp_path):
    data = tmp_path / "data"
    (data / "REALY_HIFI3D_keypoints").mkdir(parents=True)
    (data / "REALY_scan_region" / "2").mkdir(parents=True)
    (data / "metrical_scale.txt").write_text("1.0\n2.5\n")
    keypoints = RNG.normal(size=(85, 3))
    (data / "REALY_HIFI3D_keypoints" / "2.obj").write_text("".join("v %f %f %f\n" % tuple(k) for k in keypoints))
    for name in ("nose", "mouth", "forehead", "cheek"):
        (data / "REALY_scan_region" / "2" / f"{name}.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    for name in ("2.jpg", "2_3.jpg", "readme.txt"):
        photo(tmp_path / "images" / name) if name.endswith("jpg") else (tmp_path / "images" / name).touch()
    (person,) = realy_people(data, tmp_path / "images")
    assert person.subject == 2 and len(person.images) == 2 and person.scale_mm == 2.5
    assert np.allclose(person.keypoints, keypoints, atol=1e-5) and set(person.regions) == {"nose", "mouth", "forehead", "cheek"}
