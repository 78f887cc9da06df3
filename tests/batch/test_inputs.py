from __future__ import annotations

import errno
import io
import os
import tarfile
from pathlib import Path

import fsspec
import pytest

from batch.inputs import find_photos
from batch.walking import OUTSIDE
from facerecon.types import FaceReconError


def names(root: Path, files: list[str], recursive: bool = True, output: str = "../out") -> dict[str, str]:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"x")
    return {photo.relative: photo.name for photo in find_photos(root, root / output, recursive)}


def test_names_follow_folders(tmp_path: Path) -> None:
    root = tmp_path / "in"
    found = names(root, ["a.jpg", "album/a.jpg", "album/deep/b.PNG", "notes.txt", ".hidden.jpg", ".git/c.jpg"])
    assert found == {"a.jpg": "a", "album/a.jpg": "album/a", "album/deep/b.PNG": "album/deep/b"}


def test_folders_wait_for_recursive(tmp_path: Path) -> None:
    assert names(tmp_path / "in", ["a.jpg", "album/b.jpg"], recursive=False) == {"a.jpg": "a"}


@pytest.mark.parametrize(
    "files, expected",
    [
        (["a.jpg", "a.png", "b.png"], {"a.jpg": "a_jpg", "a.png": "a_png", "b.png": "b"}),
        (["A.jpg", "a.png"], {"A.jpg": "A_jpg", "a.png": "a_png"}),
    ],
)
def test_shared_stems_take_their_suffix_in(tmp_path: Path, files: list[str], expected: dict[str, str]) -> None:
    assert names(tmp_path / "in", files) == expected


def test_names_never_collide(tmp_path: Path) -> None:
    files = ["a.jpg", "a.png", "a_jpg.png", "a_jpg.jpg", "a_jpg_png.jpg", "a_jpg_png.gif"]
    found = names(tmp_path / "in", files)
    assert len({name.casefold() for name in found.values()}) == len(files)
    assert found == names(tmp_path / "in", list(reversed(files)))


def test_results_inside_the_input_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "in"
    found = names(root, ["a.jpg", "out/restored/a.png", "out/x.jpg"], output="out")
    assert found == {"a.jpg": "a"}


def test_results_as_input_are_refused(tmp_path: Path) -> None:
    restored = tmp_path / "out" / "restored"
    restored.mkdir(parents=True)
    (restored / "a.png").touch()
    with pytest.raises(FaceReconError, match="results"):
        find_photos(restored, tmp_path / "out")
    with pytest.raises(FaceReconError, match="is the input folder"):
        find_photos(tmp_path / "out", tmp_path / "out")


def test_a_single_file_needs_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(b"x")
    (photo,) = find_photos(tmp_path / "scan", tmp_path / "out")
    assert photo.name == "scan"


@pytest.mark.parametrize("make", [False, True])
def test_nothing_to_read_is_one_sentence(tmp_path: Path, make: bool) -> None:
    source = tmp_path / "in"
    if make:
        source.mkdir()
    with pytest.raises(FaceReconError, match=r"^There (are no photos|is no file or folder)"):
        find_photos(source, tmp_path / "out")


def test_links_that_leave_the_folder_are_marked(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "in", tmp_path / "secret.jpg"
    names(root, ["a.jpg"])
    elsewhere.write_bytes(b"x")
    (root / "b.jpg").symlink_to(elsewhere)
    (root / "c.jpg").symlink_to(root / "a.jpg")
    assert [photo.refusal is not None for photo in find_photos(root, tmp_path / "out")] == [False, True, False]


def test_linked_folders_that_lead_out_are_failures(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.jpg").write_bytes(b"x")
    names(root, ["a.jpg", "album/b.jpg"])
    for link, target in (("linked", elsewhere), ("album/again", root / "album"), (".hidden", elsewhere)):
        (root / link).symlink_to(target)
    listing = find_photos(root, tmp_path / "out", recursive=True)
    refused = {photo.relative: photo.refusal for photo in listing}
    assert refused == {"a.jpg": None, "album/b.jpg": None, "linked": "It is a link that leads out of the input folder."}
    assert listing.count() == 3 and len(list(find_photos(root, tmp_path / "out"))) == 1  # nobody asked for folders


def close(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be listed, also where the tests run as root."""
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_that_cannot_be_listed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "in"
    names(root, ["a.jpg", "album.jpg", "album/b.jpg", "zoo/c.jpg"])
    close(root / "album", monkeypatch)
    listing = find_photos(root, tmp_path / "out", recursive=True)
    photos = {photo.relative: photo for photo in listing}
    assert set(photos) == {"a.jpg", "album.jpg", "album", "zoo/c.jpg"} and listing.count() == 4
    assert photos["album"].refusal == "The folder cannot be read: Permission denied."
    assert len({photo.name for photo in photos.values()}) == 4
    assert len(list(find_photos(root, tmp_path / "out"))) == 2  # nobody asked for it


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_a_folder_at_a_url_that_cannot_be_listed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    system, root = fsspec.filesystem(protocol), f"{tmp_path}/in"
    for name in ("a.jpg", "album/b.jpg"):
        system.pipe_file(f"{root}/{name}", b"x") if protocol == "memory" else names(tmp_path / "in", [name])
    close(tmp_path / "in" / "album", monkeypatch)
    listed = system.ls

    def refuse(path: str, **options: object) -> object:
        if path.endswith("/album"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return listed(path, **options)

    monkeypatch.setattr(system, "ls", refuse)
    photos = {photo.relative: photo.refusal for photo in find_photos(f"{protocol}://{root}", tmp_path / "out", True)}
    assert set(photos) == {"a.jpg", "album"} and "Permission denied" in photos["album"]


@pytest.mark.parametrize("protocol", ["", "file://", "local://"])
def test_links_that_lead_out_are_refused_however_the_input_is_named(tmp_path: Path, protocol: str) -> None:
    root, outside = tmp_path / "in", tmp_path / "private"
    names(root, ["a.jpg", "album/b.jpg"])
    names(outside, ["c.jpg"])
    pack(outside / "d.tar", {"x.jpg": b"1"})
    (root / "inner.jpg").symlink_to(root / "a.jpg")
    (root / "c.jpg").symlink_to(outside / "c.jpg")
    (root / "d.tar").symlink_to(outside / "d.tar")
    (root / "album" / "private").symlink_to(outside)
    (root / "album" / "up").symlink_to(root)
    os.mkfifo(root / "pipe.tar")
    photos = {photo.relative: photo.refusal for photo in find_photos(f"{protocol}{root}", tmp_path / "out", True)}
    assert set(photos) == {"a.jpg", "inner.jpg", "album/b.jpg", "c.jpg", "d.tar", "album/private", "pipe.tar"}
    refused = {name: refusal for name, refusal in photos.items() if refusal}
    assert refused.pop("pipe.tar") == "It is no regular file."
    assert set(refused) == {"c.jpg", "d.tar", "album/private"} and set(refused.values()) == {OUTSIDE}


@pytest.mark.parametrize("protocol", ["", "file://"])
def test_an_input_that_cannot_be_listed_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    names(tmp_path / "in", ["a.jpg"])
    close(tmp_path / "in", monkeypatch)
    with pytest.raises(FaceReconError, match="in cannot be read: .*Permission denied.*$"):
        find_photos(f"{protocol}{tmp_path}/in", tmp_path / "out")


def pack(tar: Path, members: dict[str, bytes]) -> bytes:
    tar.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tar, "w") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return tar.read_bytes()


def test_a_tar_beside_the_folder_it_came_from(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for tar in ("a.tar", "B.tar", "c.tar"):
        pack(root / tar, {"x.jpg": b"1", "._x.jpg": b"left by another system"})
    found = names(root, ["a/x.jpg", "a/deep/y.jpg", "b/x.jpg"])
    assert set(found) == {"a/x.jpg", "a/deep/y.jpg", "b/x.jpg", "a.tar/x.jpg", "B.tar/x.jpg", "c.tar/x.jpg"}
    assert len({name.casefold() for name in found.values()}) == 6 and found["c.tar/x.jpg"] == "c/x"
    assert {photo.relative: photo.name for photo in find_photos(f"file://{root}", tmp_path / "out", True)} == found


def test_a_tar_that_is_cut_off_is_a_failure_beside_its_first_photos(tmp_path: Path) -> None:
    tar = tmp_path / "in" / "a.tar"
    whole = pack(tar, {f"{i}.jpg": bytes(3000) for i in range(4)})
    tar.write_bytes(whole[:9000])  # inside the third
    photos = {photo.name: photo.refusal for photo in find_photos(tar.parent, tmp_path / "out")}
    assert photos.pop("a/(tar)").startswith("The tar cannot be read to its end")
    assert {"a/0", "a/1"} <= set(photos) and not any(photos.values())


def test_at_urls_neither_results_nor_hidden_folders_are_read(tmp_path: Path) -> None:
    names(tmp_path / "in", ["a.jpg", "album/b.jpg", ".hidden/c.jpg", "out/restored/a.png"])
    source = f"file://{tmp_path}/in"
    assert [photo.relative for photo in find_photos(source, f"{source}/out", True)] == ["a.jpg", "album/b.jpg"]
    assert len(list(find_photos(source, f"file://{tmp_path}/elsewhere", True))) == 3
    with pytest.raises(FaceReconError, match="is the input folder"):
        find_photos(source, f"{source}/", True)
    with pytest.raises(FaceReconError, match="holds results"):
        find_photos(f"{source}/out/restored", f"{source}/out", True)


def test_photos_that_phones_and_browsers_save_are_not_left_out_without_a_word(tmp_path: Path) -> None:
    files = ["a.HEIC", "b.heif", "c.avif", "d.jfif", "e.JPG"]
    assert set(names(tmp_path / "in", files)) == set(files)
