"""Options of ``reconstruct`` that go beyond a photo at a time, with stand-ins for the networks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import batch.photo_task
from batch import same_person
from batch.inputs import find_photos
from batch.lock import locked
from batch.main import app
from batch.photo_task import Settings
from batch.place import Place
from batch.ranks import Ranks
from batch.same_person import with_shared_shape
from facerecon.head.model import HeadModel
from facerecon.images import load_image, save_image
from facerecon.pipeline import FaceReconstructor
from tests.fakes import FakeDetector, FakeReconstructor, make_photo


class Shaped(FakeReconstructor):
    """Gives each photo an identity by its brightness, unless a shape is asked for; remembers the options."""

    asked: list = []

    def reconstruct(self, images, faces, demographics=None, focal_px=None, textured=True, options=None):
        heads = super().reconstruct(images, faces, demographics, focal_px, textured)
        for image, head in zip(images, heads):
            Shaped.asked.append(options)
            p, person = head.parameters, options.person if options else None
            p.identity[:] = image.mean() / 100 if person is None else person.identity
            p.mean_weights = self.head.mean_weights(p)[0].numpy() if person is None else person.mean_weights
        return heads


@pytest.fixture
def run(tmp_path, monkeypatch):
    model = HeadModel.from_pretrained()
    monkeypatch.setattr(
        batch.photo_task, "make_reconstructor",
        lambda device, settings: FaceReconstructor(FakeDetector(), None, Shaped(model), model),
    )  # fmt: skip
    for i in range(3):
        save_image(tmp_path / "in" / f"{i}.png", np.clip(make_photo(seed=i) * (0.5 + 0.4 * i), 1, 255).astype(np.uint8))
    Shaped.asked.clear()

    def call(*options):
        arguments = ["reconstruct", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--num-workers", "0", *options]
        return CliRunner().invoke(app, arguments), tmp_path / "out"

    return call


def identities(out):
    """The first coefficient of each photo's head."""
    files = sorted((out / "parameters").glob("*.json"))
    return {file.stem: next(iter(json.loads(file.read_text())["identity"].values())) for file in files}


def test_same_person_gives_all_photos_one_shape(run):
    result, out = run("--formats", "none", "--images", "none")
    assert result.exit_code == 0, result.output
    alone = identities(out)
    assert len(set(alone.values())) == 3
    result, out = run("--formats", "none", "--images", "none", "--same-person")
    assert result.exit_code == 0, result.output
    together = identities(out)
    assert len(set(together.values())) == 1 and min(alone.values()) < together["0_00"] < max(alone.values())
    assert json.loads((out / "person.json").read_text())["photos"] == 3
    before = len(Shaped.asked)
    result, _ = run("--formats", "none", "--images", "none", "--same-person")
    assert result.exit_code == 0 and len(Shaped.asked) == before  # nothing is looked at again


def test_a_new_photo_changes_the_shape_of_all(run):
    _, out = run("--formats", "none", "--images", "none", "--same-person")
    before = identities(out)
    save_image(out.parent / "in" / "3.png", np.full((120, 160, 3), 250, np.uint8))
    _, out = run("--formats", "none", "--images", "none", "--same-person")
    after = identities(out)
    assert len(after) == 4 and len(set(after.values())) == 1 and after["0_00"] > before["0_00"]


def test_what_to_save_and_how_to_look(run):
    options = ("--image-type", "texture,normals,depth,crop", "--no-save-mesh", "--save-codes", "--crop-size", "96", "--delight", "--no-hair")
    result, out = run(*options, "--crop-scale", "1.5")
    assert result.exit_code == 0, result.output
    names = {f.relative_to(out).as_posix() for f in out.rglob("0_00*")}
    pictures = {f"renders/0_00_{kind}.png" for kind in ("texture", "normals", "depth", "crop")}
    assert names == pictures | {"codes/0_00.npz", "parameters/0_00.json"}
    assert load_image(out / "renders" / "0_00_crop.png").shape == (96, 96, 3)
    assert Shaped.asked[0].delight and Shaped.asked[0].crop_scale == 1.5 and not Shaped.asked[0].hair
    with np.load(out / "codes" / "0_00.npz") as codes:
        assert {"identity", "expression", "rotation", "vertices", "lighting"} <= set(codes.files)
    result, out = run("--no-save-images", "--formats", "ply")
    assert not list((out / "renders").glob("*.png")) and (out / "heads" / "0_00.ply").is_file()


def test_a_head_model_that_cannot_be_read_ends_the_run_with_one_sentence(run, tmp_path):
    (tmp_path / "flame.npz").write_bytes(b"nothing")
    result, _ = run("--head-model", str(tmp_path / "flame.npz"))
    assert result.exit_code == 1 and "cannot be read" in result.output + str(result.stderr)


def test_the_mesh_of_another_head_model_is_written(run, tmp_path):
    head = HeadModel.from_pretrained()
    keep = head.masks["skin"].numpy()
    faces = head.faces.numpy()
    mean = head.vertices()[0].numpy()
    np.savez(
        tmp_path / "gnm_head.npz", template_vertex_positions=mean, vertex_identity_basis=np.zeros((1, *mean.shape)),
        expression_basis=np.zeros((1, *mean.shape)), triangles=faces[keep[faces].all(1)],
    )  # fmt: skip
    result, out = run("--head-model", str(tmp_path / "gnm_head.npz"), "--formats", "none", "--images", "none")
    assert result.exit_code == 0, result.output
    text = (out / "heads" / "0_00_gnm.obj").read_text()
    assert text.count("\nv ") == len(mean) and (out / "heads" / "0_00_gnm.npz").is_file()


def test_mode_coarse_reaches_the_reconstructor(run):
    result, _ = run("--formats", "none", "--images", "none", "--mode", "coarse")
    assert result.exit_code == 0, result.output
    assert {options.mode for options in Shaped.asked} == {"coarse"}
    result, _ = run("--mode", "finest")
    assert result.exit_code == 2 and "coarse, detail" in result.output


PLAIN = ("--formats", "none", "--images", "none", "--same-person")


def test_a_dry_run_knows_the_shape_of_the_run_before(run):
    result, _ = run(*PLAIN, "--dry-run", "--json")
    assert json.loads(result.stdout.splitlines()[-1])["todo"] == 3 and "person.json is not there" in result.output
    _, out = run(*PLAIN)
    before = len(Shaped.asked), (out / "person.json").stat().st_mtime_ns
    result, _ = run(*PLAIN, "--dry-run", "--json")
    assert json.loads(result.stdout.splitlines()[-1]) == {"event": "end", "todo": 0, "skipped": 3, "failed": 0, "dry_run": True}
    assert before == (len(Shaped.asked), (out / "person.json").stat().st_mtime_ns)


def test_a_running_run_keeps_its_person(run):
    _, out = run(*PLAIN)
    before = (out / "person.json").read_bytes()
    with locked(out):
        result, _ = run(*PLAIN, "--age", "70")
    assert result.exit_code == 3 and (out / "person.json").read_bytes() == before


def test_one_of_several_processes_measures_and_the_others_wait(run, monkeypatch):
    _, out = run(*PLAIN)
    listing, settings = find_photos(out.parent / "in", out), Settings(("reconstruction",), formats=(), pictures=())
    arguments = settings, listing, Place(str(out)), "cpu"
    looked = len(Shaped.asked)

    def measured(seconds):
        assert seconds and len(Shaped.asked) == looked
        with_shared_shape(*arguments, Ranks(0, 2))

    monkeypatch.setattr(same_person.time, "sleep", measured)
    (out / "person.json").unlink()
    shape = with_shared_shape(*arguments, Ranks(1, 2)).person
    assert shape.photos == 3 and len(Shaped.asked) == looked + 3


def test_the_person_is_seen_as_the_photos_are_and_one_fault_costs_one_photo(run, monkeypatch):
    sizes = []
    reconstruct = Shaped.reconstruct

    def look(self, images, *others, **more):
        sizes.append(max(images[0].shape))
        return 1 / 0 if len(sizes) == 1 else reconstruct(self, images, *others, **more)

    monkeypatch.setattr(Shaped, "reconstruct", look)
    result, out = run(*PLAIN, "--max-side", "64")
    assert result.exit_code == 0, result.output
    assert set(sizes) == {64} and json.loads((out / "person.json").read_text())["photos"] == 2
    assert result.output.count("is reduced from") == 3  # once a photo, though each is read twice


def test_measuring_the_person_can_be_followed(run):
    _, out = run(*PLAIN)
    (out / "person.json").unlink()
    listing, settings, seen = find_photos(out.parent / "in", out), Settings(("reconstruction",), formats=(), pictures=()), []

    def follow(photos):
        for photo in photos:
            seen.append((photo.relative, len(photos)))
            yield photo

    with_shared_shape(settings, listing, Place(str(out)), "cpu", follow=follow)
    assert [total for _, total in seen] == [3, 3, 3] and len({name for name, _ in seen}) == 3
