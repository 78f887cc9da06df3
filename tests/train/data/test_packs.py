"""A pack gives the same images and names as a folder and as a tar."""

from __future__ import annotations

import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as PillowImage

from facerecon.types import FaceReconError
from train.data import FaceLabels, FacePack


@pytest.fixture(params=["folder", "tar"])
def pack_path(request, tmp_path):
    folder = tmp_path / "faces"
    for i, name in enumerate(("b/2.png", "a/10.png", "a/2.webp", "c.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture = PillowImage.fromarray(np.full((6, 4, 3), 40 * i, np.uint8))
        picture.save(folder / name, **({"lossless": True} if name.endswith("webp") else {}))
    PillowImage.new("L", (3, 3), 9).save(folder / "grey.png")
    (folder / "notes.txt").write_text("\ufefflisted", encoding="utf-8")
    if request.param == "folder":
        return folder
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        tar.add(folder, "./")
    return tmp_path / "faces.tar"


def test_names_and_images(pack_path):
    pack = FacePack(pack_path)
    assert len(pack) == 5
    assert pack.names == ["a/10.png", "a/2.webp", "b/2.png", "c.jpg", "grey.png"]
    assert [int(pack.image(i)[0, 0, 0]) for i in range(4)] == [40, 80, 0, 120]
    assert pack.image(0).shape == (6, 4, 3) and pack.image(4).shape == (3, 3, 3)
    assert pack.image(0).flags.writeable


def test_lists_are_found_wherever_they_lie(pack_path):
    pack = FacePack(pack_path)
    assert pack.text("notes.txt") == "listed" and pack.find("missing.txt") is None
    with pytest.raises(FaceReconError, match="missing.txt"):
        pack.text("missing.txt")


def test_labels_and_a_chosen_order(pack_path):
    pack = FacePack(pack_path, lambda name: FaceLabels(person=name[0]), ["c.jpg", "b/2.png"])
    assert len(pack) == 2 and [pack.labels(i).person for i in range(2)] == ["c", "b"]
    assert FacePack(pack_path).labels(0) == FaceLabels()


def test_many_threads_and_a_copied_pack_read_the_same(pack_path):
    pack = FacePack(pack_path, names=["a/10.png", "a/2.webp", "b/2.png", "c.jpg"])
    copied = pickle.loads(pickle.dumps(pack))
    with ThreadPoolExecutor(8) as pool:
        levels = list(pool.map(lambda i: int((pack, copied)[i % 2].image(i % 4)[0, 0, 0]), range(200)))
    assert levels == [(40, 80, 0, 120)[i % 4] for i in range(200)]


def test_what_is_no_dataset_is_refused(tmp_path):
    (tmp_path / "text.tar").write_text("no tar")
    for name in ("text.tar", "missing"):
        with pytest.raises(FaceReconError, match=name):
            FacePack(tmp_path / name)
