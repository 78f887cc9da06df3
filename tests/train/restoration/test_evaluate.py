"""The benchmark runs without the judges, ranks what is better first, and reads groups from names."""

import csv
import json

import numpy as np
import pytest

from facerecon.images import save_image
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.degradations import gaussian_blur
from tests.fakes import FakeDetector, make_photo
from train.restoration.evaluate import benchmark, read_samples
from train.restoration.report import groups, markdown


class Sharpener:
    """Gives back what a blur of known width took, more or less."""

    version = "1"

    def restore(self, crops, fidelity=0.7):
        return [np.clip(2.0 * c - gaussian_blur(c, len(c) / 40), 0, 255).round().astype(np.uint8) for c in crops]


@pytest.fixture
def data(tmp_path):
    """Three photos at two levels, the heavy one blurred more."""
    columns = ["file", "clean", "level", "blur", "scale", "noise", "jpeg", "x0", "y0", "x1", "y1"]
    rows = []
    for i in range(3):
        name = f"utk_{20 * i + 5}_{i % 2}_{i}_2017.png"
        photo = make_photo(180, 180, i)
        photo[::12] = photo[::12] // 2
        save_image(tmp_path / "clean" / name, photo)
        for level, sigma in (("light", 0.7), ("heavy", 2.0)):
            save_image(tmp_path / level / name, gaussian_blur(photo, sigma))
            rows.append([f"{level}/{name}", f"clean/{name}", level, sigma, 1, 0, 100, 20, 20, 160, 160])
    with open(tmp_path / "degradations.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return tmp_path


def test_benchmark_without_judges(data, tmp_path):
    out = tmp_path / "out"
    summary = benchmark(FaceReconstructor(FakeDetector(), Sharpener()), data, out, limit=2)
    assert set(summary["levels"]) == {"light", "heavy"}
    heavy = summary["levels"]["heavy"]
    assert heavy["ours_w1"]["psnr"] > heavy["input"]["psnr"] and heavy["ours_w1"]["ms"] > 0
    assert heavy["input"]["psnr"] < summary["levels"]["light"]["input"]["psnr"]
    assert summary["gains"]["heavy"]["all"]["count"] == 2
    assert summary["gains"]["heavy"]["gender: male"]["count"] == 1
    assert "identity" not in heavy["ours_w1"] and "RealESRGAN" not in (out / "benchmark.md").read_text()
    assert 0 < heavy["ours_w1"]["feature_distance"] < heavy["input"]["feature_distance"] and heavy["input"]["frechet"] > 0
    assert "feature_distance" not in heavy["clean"]
    assert json.loads((out / "benchmark.json").read_text()) == summary
    assert (out / "heavy.jpg").is_file()


def test_only_some_photos(data):
    names = {sample.clean.name for sample in read_samples(data, None, ["utk_5_*", "utk_45_*"])}
    assert names == {"utk_5_0_0_2017.png", "utk_45_0_2_2017.png"}
    assert len(read_samples(data, 1, ["utk_45_*"])) == 2 and not read_samples(data, None, ["studio_*"])


def test_groups_of_names():
    known = groups("heavy_utk_70_1_3_2017")
    assert (known["age"], known["gender"], known["race"]) == ("66 and over", "female", "Indian")
    assert groups("light_utk_25_0_0_2017")["age"] == "13 to 25"
    assert set(groups("light_portrait_utk_9_9")) == {"photos"} and groups("x_utk_1_0_0_2")["photos"] != groups("x_studio_1")["photos"]


def test_table_has_a_row_a_method():
    scores = {"input": {"psnr": 30.0, "ssim": 0.9}, "ours_w1": {"psnr": 31.234, "ssim": 0.91, "identity": 0.7}}
    table = markdown({"levels": {"heavy": scores}, "gains": {"heavy": {"all": {"gain": 1.234, "count": 3}}}})
    assert "| ours, w = 1 | 31.23 | 0.9100 | 0.700 |" in table and "| all | +1.23 | 3 |" in table
