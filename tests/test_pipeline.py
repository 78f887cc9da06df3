"""The way of a photo, with stand-ins for the networks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facerecon.head.model import HeadModel
from facerecon.pipeline import FaceReconstructor, NoFaceError
from facerecon.restoration.photo import enlarge
from facerecon.types import Demographics, FaceReconError, RestorationExtras
from tests.fakes import FakeColouriser, FakeDetector, FakeReconstructor, FakeRestorer, make_face, make_photo


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.from_pretrained()


def make_pipeline(head: HeadModel | None = None, faces=None) -> FaceReconstructor:
    reconstructor = None if head is None else FakeReconstructor(head)
    return FaceReconstructor(FakeDetector(faces), FakeRestorer(), reconstructor, head)


def crisp_photo(side: int = 700) -> np.ndarray:
    """Hard edges at every scale, no noise: what a sharp camera sees."""
    rng = np.random.default_rng(3)
    photo = np.full((side, side, 3), 128, np.uint8)
    for _ in range(4000):
        centre, colour = rng.integers(0, side, 2).tolist(), rng.integers(0, 255, 3).tolist()
        cv2.circle(photo, centre, int(rng.integers(3, 14)), colour, -1)
    return photo


@pytest.mark.parametrize("upscale", [1, 2, 4])
def test_restore_changes_the_face_and_enlarges_the_rest(upscale: int) -> None:
    photo = make_photo()
    restoration = make_pipeline().restore(photo, upscale=upscale)
    plain = enlarge(photo, upscale)
    assert restoration.image.shape == plain.shape
    middle = tuple(side // 2 for side in plain.shape[:2])
    assert np.abs(restoration.image[middle].astype(int) - (255 - plain[middle].astype(int))).max() < 12
    assert np.array_equal(restoration.image[0], plain[0])


def test_a_list_of_photos_is_one_batch() -> None:
    pipeline = make_pipeline()
    restorations = pipeline.restore([make_photo(seed=1), make_photo(90, 90, seed=2)])
    assert pipeline.restorer.calls == [2, 2]  # the faces, and what surrounds them
    assert [r.image.shape for r in restorations] == [(120, 160, 3), (90, 90, 3)]


def test_restoring_loads_no_head() -> None:
    pipeline = make_pipeline()
    pipeline.restore(make_photo())
    assert "head" not in vars(pipeline) and "reconstructor" not in vars(pipeline)


def test_the_detector_runs_where_the_rest_does() -> None:
    refined = FaceReconstructor.from_pretrained("meta").detector
    assert refined.detector.device.type == refined.landmarker.device.type == "meta"


def test_background_is_cleaned_only_when_asked() -> None:
    photo = make_photo()
    plain = make_pipeline().restore(photo).image
    cleaned = make_pipeline().restore(photo, extras=RestorationExtras(background=True)).image
    assert np.array_equal(plain[:, 0], photo[:, 0]) and np.array_equal(cleaned[:, 0], photo[:, 0] // 2)


def test_only_monochrome_photos_are_coloured_and_the_head_sees_the_colours(head: HeadModel) -> None:
    extras, colourful = RestorationExtras(colorize=True), make_photo()
    grey = np.repeat(colourful[..., :1], 3, 2)
    way = make_pipeline(head)
    way.colouriser = FakeColouriser()
    coloured = way.run(grey, extras=extras).restoration.image
    assert (coloured[0, :, 0] > 2 * coloured[0, :, 1].astype(int)).all()
    assert (way.reconstructor.images[0][0, :, 0] > 2 * way.reconstructor.images[0][0, :, 1].astype(int)).all()
    assert np.array_equal(way.restore(grey).image[0], grey[0])  # grey stays grey unless somebody asks
    assert np.array_equal(way.restore(colourful, extras=extras).image[0], colourful[0])


def test_only_what_is_asked_to_guide_restoration_does(head: HeadModel) -> None:
    way, person = make_pipeline(head, [make_face(5, 5, 30), make_face(60, 20, 80)]), Demographics(age=70, source="user")
    way.run(make_photo(), demographics=person)
    assert way.restorer.people == [None, None]
    way.run(make_photo(), demographics=person, extras=RestorationExtras(person=person))
    assert way.restorer.people[2:] == [[person, person], None]  # the faces; what surrounds them is not invented


def test_no_face_is_one_sentence() -> None:
    black = np.zeros((60, 60, 3), np.uint8)
    with pytest.raises(NoFaceError, match=r"^No face was found in the photo\.$"):
        make_pipeline().restore(black)
    with pytest.raises(NoFaceError, match="photo 2 of 2"):
        make_pipeline().restore([make_photo(), black])


def test_the_chosen_face_keeps_its_index() -> None:
    faces = [make_face(5, 5, 30), make_face(60, 20, 80), make_face(40, 5, 20)]
    restoration = make_pipeline(faces=faces).restore(make_photo(), faces="largest")
    assert [face.index for face in restoration.faces] == [1]
    assert [face.index for face in make_pipeline(faces=faces).restore(make_photo()).faces] == [0, 1, 2]


@pytest.mark.parametrize("upscale", [1, 2])
@pytest.mark.parametrize("side", [40, 90])
def test_run_reports_in_pixels_of_the_input(head: HeadModel, side: int, upscale: int) -> None:
    face = make_face(30, 20, side)
    photo = make_photo()
    result = make_pipeline(head, [face]).run(photo, upscale=upscale, focal_px=321.0)
    (found,) = result.reconstructions
    np.testing.assert_allclose(found.landmarks_68[:5], face.points, atol=1e-3)
    np.testing.assert_allclose(found.face.box, face.box)
    np.testing.assert_allclose(found.parameters.principal_point, (79.5, 59.5), atol=1e-3)
    assert found.parameters.focal_px == pytest.approx(321.0)


def test_small_faces_are_rebuilt_from_the_enlarged_restored_photo(head: HeadModel) -> None:
    pipeline = make_pipeline(head, [make_face(30, 20, 60)])
    photo = make_photo()
    pipeline.run(photo)
    (seen,) = pipeline.reconstructor.images
    assert seen.shape[0] > photo.shape[0]
    centre = seen[seen.shape[0] * 50 // 120, seen.shape[1] * 60 // 160].astype(int)
    assert np.abs(centre - (255 - photo[50, 60].astype(int))).max() < 15


def test_sharp_faces_are_rebuilt_from_the_photo_itself(head: HeadModel) -> None:
    pipeline = make_pipeline(head)
    sharp = crisp_photo()
    pipeline.run(sharp)
    assert pipeline.reconstructor.images[0] is sharp
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    pipeline.run(blurred)
    assert not np.array_equal(pipeline.reconstructor.images[0], blurred)


def test_reconstruct_lists_and_chooses(head: HeadModel) -> None:
    faces = [make_face(5, 5, 30), make_face(60, 20, 80)]
    pipeline = make_pipeline(head, faces)
    both = pipeline.reconstruct([make_photo(), make_photo(seed=5)], faces="all")
    assert [[h.index for h in heads] for heads in both] == [[0, 1], [0, 1]]
    assert [h.index for h in pipeline.reconstruct(make_photo())] == [1]


@pytest.mark.parametrize(
    "photo", [np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3), np.float32), np.zeros((20, 20, 4), np.uint8)]
)
def test_other_arrays_are_refused(photo: np.ndarray) -> None:
    with pytest.raises(FaceReconError, match="uint8 in RGB"):
        make_pipeline().restore(photo)


def test_upscale_is_checked() -> None:
    with pytest.raises(FaceReconError, match="1, 2 or 4"):
        make_pipeline().restore(make_photo(), upscale=3)
    with pytest.raises(FaceReconError, match="too large"):
        make_pipeline().restore(np.full((4000, 4000, 3), 9, np.uint8), upscale=4)


def test_photos_of_one_person_give_one_shape_for_all() -> None:
    head = HeadModel.from_pretrained()

    class Varied(FakeReconstructor):
        def reconstruct(self, images, faces, demographics=None, focal_px=None, textured=True):
            heads = super().reconstruct(images, faces, demographics, focal_px, textured)
            for image, found in zip(images, heads):
                found.parameters.identity[:] = image.mean() / 100
                found.parameters.mean_weights = head.mean_weights(found.parameters)[0].numpy()
            return heads

    pipeline = FaceReconstructor(FakeDetector(), FakeRestorer(), Varied(head), head)
    photos = [make_photo(seed=seed) for seed in range(3)]
    alone = [float(pipeline.reconstruct(photo)[0].parameters.identity[0]) for photo in photos]
    assert pipeline.person_shape(photos).identity[0] == pytest.approx(np.mean(alone), abs=1e-4)


def test_a_restored_photo_is_rebuilt_without_restoring_it_again(head: HeadModel) -> None:
    pipeline = make_pipeline(head, [make_face(10, 10, 60), make_face(90, 40, 40)])
    photo, heard = make_photo(), []
    first = pipeline.run(photo, focal_px=300.0)
    calls, seen = list(pipeline.restorer.calls), pipeline.reconstructor.images
    person = Demographics(62, "male", source="user")
    second = pipeline.rebuild(photo, first.restoration, person, focal_px=300.0, on_step=lambda name, seconds: heard.append(name))
    assert pipeline.restorer.calls == calls and heard == ["reconstruct", "reconstruct"]
    assert all(np.array_equal(a, b) for a, b in zip(seen, pipeline.reconstructor.images, strict=True))
    for one, other in zip(first.reconstructions, second.reconstructions, strict=True):
        assert one.index == other.index and np.array_equal(one.landmarks_68, other.landmarks_68)
        assert one.quality == other.quality and other.parameters.demographics == person


@pytest.mark.parametrize(
    "given, what",
    [
        (make_photo()[..., 0], r"uint8 and shape \(120, 160\)"), (make_photo() / 255, "float64"), ("photo.jpg", "type str"),
        (None, "type NoneType"), ([make_photo(), "b.jpg"], "type str"), (np.zeros((9, 9, 4), np.uint8), r"\(9, 9, 4\)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", ["restore", "reconstruct", "run"])
def test_what_is_no_photo_is_named(call: str, given: object, what: str) -> None:
    with pytest.raises(FaceReconError, match=f"as load_image gives it; this one is .*{what}"):
        getattr(make_pipeline(), call)(given)


@pytest.mark.parametrize("person", [Demographics(gender="alien"), Demographics(race="Martian"), Demographics(age=400)])
def test_nobody_of_that_sort_is_refused_before_anything_is_done(head: HeadModel, person: Demographics) -> None:
    pipeline = make_pipeline(head)
    for call in (pipeline.run, pipeline.reconstruct):
        with pytest.raises(FaceReconError):
            call(make_photo(), demographics=person)
    assert not pipeline.restorer.calls and not pipeline.reconstructor.images


def test_a_persons_words_are_mended(head: HeadModel) -> None:
    person = Demographics("62", "Male", "asian", source="user")
    result = make_pipeline(head).run(make_photo(), demographics=person)
    assert result.reconstructions[0].parameters.demographics == Demographics(62.0, "male", "Asian", source="user")


@pytest.mark.parametrize("focal_px", [0.0, -3.0, float("nan")])
def test_a_focal_length_is_a_length(head: HeadModel, focal_px: float) -> None:
    with pytest.raises(FaceReconError, match="focal length"):
        make_pipeline(head).run(make_photo(), focal_px=focal_px)
