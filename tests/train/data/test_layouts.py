"""Each reader on a few files made in the dataset's official layout."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from PIL import Image as PillowImage

from facerecon.demographics import GENDERS, RACES
from facerecon.types import FaceReconError
from train.data import LAYOUTS, open_dataset


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PillowImage.new("RGB", (4, 4)).save(root / name)


def by_name(pack):
    return {name: pack.labels(i) for i, name in enumerate(pack.names)}


def test_utkface(tmp_path):
    touch(tmp_path, "UTKFace/26_1_2_20170103181926881.jpg.chip.jpg", "UTKFace/61_3_20170109142408075.jpg", "UTKFace/9_0_4_2017.webp")
    labels = list(by_name(open_dataset("utkface", tmp_path)).values())
    assert (labels[0].age, labels[0].gender, labels[0].race) == (26, "female", "Asian")
    assert (labels[1].age, labels[1].gender, labels[1].race) == (61, None, None)
    assert (labels[2].age, labels[2].gender, labels[2].race) == (9, "male", "Unknown")


def test_fairface(tmp_path):
    touch(tmp_path, "train/1.jpg", "train/2.webp", "train/3.jpg", "val/1.jpg")
    (tmp_path / "fairface_label_train.csv").write_text(
        "file,age,gender,race,service_test\ntrain/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,more than 70,Female,Latino_Hispanic,False\n"
    )
    (tmp_path / "fairface_label_val.csv").write_text("file,age,gender,race,service_test\nval/1.jpg,0-2,Male,Black,False\n")
    labels = by_name(open_dataset("fairface", tmp_path))
    assert sorted(labels) == ["train/1.jpg", "train/2.webp", "val/1.jpg"]
    first, second, third = (labels[name] for name in sorted(labels))
    assert (first.age_range, first.gender, first.race, first.split) == ((50, 60), "male", "Asian", "train")
    assert (second.age_range, second.race, second.ethnicity) == ((70, 100), "Hispanic/Latino", "Latino_Hispanic")
    assert (third.race, third.split) == ("African", "val")


def test_scut_fbp5500_with_the_official_landmark_files(tmp_path):
    touch(tmp_path, "Images/AF1.jpg", "Images/CM20.jpg")
    points = np.arange(172, dtype=np.float32)
    (tmp_path / "facial landmark").mkdir()
    (tmp_path / "facial landmark" / "AF1.pts").write_bytes(struct.pack("<i172f", 86, *points))
    labels = by_name(open_dataset("scut_fbp5500", tmp_path))
    asian, caucasian = labels["Images/AF1.jpg"], labels["Images/CM20.jpg"]
    assert (asian.gender, asian.race, caucasian.gender, caucasian.race) == ("female", "Asian", "male", "Caucasian")
    assert np.array_equal(asian.landmarks, points.reshape(86, 2)) and caucasian.landmarks is None


def test_scut_fbp5500_with_a_table(tmp_path):
    touch(tmp_path, "SCUT-FBP5500/Images/CF3.webp")
    header = ",".join(f"x{i},y{i}" for i in range(86))
    row = ",".join(str(v / 2) for v in range(172))
    (tmp_path / "landmarks86.csv").write_text(f"file,gender,race,{header}\nImages/CF3.webp,F,Caucasian,{row}\n")
    label = open_dataset("scut_fbp5500", tmp_path).labels(0)
    assert label.landmarks.shape == (86, 2) and label.landmarks[1].tolist() == [1.0, 1.5]


def test_ytf_keypoints(tmp_path):
    touch(tmp_path, "YTF/Ali_Abbas_50.webp", "YTF/unlisted_1.webp")
    header = ",".join(f"x{i},y{i}" for i in range(68))
    (tmp_path / "YTF" / "landmarks68.csv").write_text(f"file,{header}\nAli_Abbas_50.webp,{','.join(['1.5,2'] * 68)}\n")
    pack = open_dataset("ytf_keypoints", tmp_path)
    assert pack.names == ["YTF/Ali_Abbas_50.webp"]
    assert pack.labels(0).person == "Ali_Abbas" and pack.labels(0).landmarks.shape == (68, 2)


def test_lfw(tmp_path):
    touch(tmp_path, "lfw-deepfunneled/Ann_Li/Ann_Li_0001.jpg", "lfw-deepfunneled/Ann_Li/Ann_Li_0002.jpg", "lfw-deepfunneled/Bo/Bo_0001.jpg")
    assert [label.person for label in by_name(open_dataset("lfw", tmp_path)).values()] == ["Ann_Li", "Ann_Li", "Bo"]


def test_official_portraits(tmp_path):
    touch(tmp_path, "portraits/ann-li.webp")
    (tmp_path / "portraits" / "labels.csv").write_text("file,gender,ethnicity,date_of_birth\nann-li.webp,female,asian-american,1970-01-02\n")
    label = open_dataset("official_portraits", tmp_path).labels(0)
    assert (label.gender, label.ethnicity, label.person, label.age) == ("female", "asian-american", "ann-li", None)


@pytest.mark.parametrize("folder, first", [("images1024x1024", [80.0, 160.0]), ("thumbnails128x128", [9.5625, 19.5625])])
def test_ffhq(tmp_path, folder, first):
    touch(tmp_path, f"{folder}/00000/00007.png", f"{folder}/69000/69999.png")
    entry = {"category": "training", "image": {"face_landmarks": [[80, 160]] * 68}}
    (tmp_path / "ffhq-dataset-v2.json").write_text(json.dumps({"7": entry, "69999": {**entry, "category": "validation"}}))
    labels = list(by_name(open_dataset("ffhq", tmp_path)).values())
    assert [label.split for label in labels] == ["train", "val"]
    assert labels[0].landmarks.shape == (68, 2) and labels[0].landmarks[0].tolist() == first


def test_ffhq_without_its_list(tmp_path):
    touch(tmp_path, "images1024x1024/00000/00007.png")
    assert open_dataset("ffhq", tmp_path).labels(0).landmarks is None


def test_celeba(tmp_path):
    touch(tmp_path, "img_align_celeba/000001.jpg", "img_align_celeba/000002.jpg")
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg 17\n")
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n")
    (tmp_path / "list_attr_celeba.txt").write_text("2\nBald Male Young \n000001.jpg -1 -1  1\n000002.jpg -1  1  1\n")
    (tmp_path / "list_landmarks_align_celeba.txt").write_text("2\nlefteye_x lefteye_y ...\n000001.jpg 69 109 106 113 77 142 73 152 108 154\n")
    first, second = by_name(open_dataset("celeba", tmp_path)).values()
    assert (first.person, first.split, first.gender) == ("2880", "train", "female")
    assert (second.person, second.split, second.gender) == ("17", "test", "male")
    assert first.landmarks.tolist()[:2] == [[69, 109], [106, 113]] and second.landmarks is None


def test_celeba_with_images_alone(tmp_path):
    touch(tmp_path, "img_align_celeba/000001.jpg")
    label = open_dataset("celeba", tmp_path).labels(0)
    assert (label.person, label.split, label.gender, label.landmarks) == (None, None, None, None)


def test_labels_use_the_projects_words(tmp_path):
    touch(tmp_path, *(f"{20 + r}_{g}_{r}_2017.jpg" for g in range(2) for r in range(5)))
    labels = by_name(open_dataset("utkface", tmp_path)).values()
    assert {label.gender for label in labels} == set(GENDERS) and {label.race for label in labels} <= set(RACES)


def test_missing_lists_and_unknown_layouts_are_said(tmp_path):
    touch(tmp_path, "1.jpg")
    assert len(open_dataset("image_folder", tmp_path)) == 1
    for layout, needs in (("ytf_keypoints", "landmarks68.csv"), ("fairface", "fairface_label_train.csv"), ("official_portraits", "labels.csv")):
        with pytest.raises(FaceReconError, match=needs):
            open_dataset(layout, tmp_path)
    with pytest.raises(FaceReconError, match="image_folder"):
        open_dataset("vggface9", tmp_path)
    assert "celeba" in LAYOUTS
