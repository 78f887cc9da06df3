from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facerecon.faces.align import invert, reconstruction_matrix, template_points, transform_points
from facerecon.head.hair import DIRECTIONS
from facerecon.reconstruction import reconstructor as module
from facerecon.reconstruction.camera import seen_yaw, turn_light
from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.same_person import fuse_shapes
from facerecon.reconstruction.trunk import TrunkConfig
from facerecon.types import CROP_SCALE, Demographics, Face, FaceReconError, PersonShape, ReconstructionOptions

TINY = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)


@pytest.fixture(scope="module")
def reconstructor(head):
    torch.manual_seed(0)
    encoder = HeadEncoder(EncoderConfig(TINY))
    torch.nn.init.normal_(encoder.out.weight, std=0.1)
    return HeadReconstructor(encoder, head)


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)


def face_at(x, y, size=120, roll=0.0):
    points = (template_points(size, "reconstruction") - size / 2) @ np.array(
        [[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]
    ) + (x, y)
    return Face(np.array([x - 40, y - 40, x + 40, y + 40], np.float32), points.astype(np.float32))


def test_landmarks_follow_a_face_through_the_photo(reconstructor, photo):
    """The same pixels elsewhere give the same head elsewhere: shifted, enlarged and rolled."""
    import cv2

    face = face_at(160, 120)
    home = reconstructor.encode([photo], [face])[0]
    marks = reconstructor.geometry(home)[1]
    c, s = 2 * np.cos(0.4), 2 * np.sin(0.4)
    matrix = np.array([[c, -s, 90.0], [s, c, 20.0]])
    turned = cv2.warpAffine(photo, matrix, (900, 800), flags=cv2.INTER_CUBIC)
    points = face.points @ matrix[:, :2].T + matrix[:, 2]
    moved = reconstructor.encode([turned], [Face(face.box, points.astype(np.float32))])[0]
    expected = marks @ matrix[:, :2].T + matrix[:, 2]
    found = reconstructor.geometry(moved)[1]
    assert np.abs(moved.identity - home.identity).max() < 0.3
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.06 * np.ptp(expected)


def test_a_batch_gives_what_single_faces_give(reconstructor, photo):
    faces = [face_at(100 + 10 * i, 120, roll=0.1 * i) for i in range(3)]
    together = reconstructor.encode([photo] * 3, faces)
    for face, one in zip(faces, together):
        alone = reconstructor.encode([photo], [face])[0]
        assert np.allclose(alone.identity, one.identity, atol=1e-4)
        assert np.allclose(alone.translation_m, one.translation_m, atol=1e-4)


def test_what_the_user_states_stands_before_the_estimate(reconstructor, photo):
    face = face_at(160, 120)
    free, told = (
        reconstructor.encode([photo], [face], [known])[0]
        for known in (None, Demographics(age=4, gender="female", race="Asian", source="user"))
    )
    assert free.demographics.source == "estimated" and told.demographics.source == "user"
    assert (told.demographics.age, told.demographics.gender, told.demographics.race) == (4, "female", "Asian")
    assert np.allclose(told.identity, free.identity)
    expected = reconstructor.head.demographic_weights([Demographics(age=4, gender="female", race="Asian")])
    assert np.allclose(told.mean_weights, expected[0].numpy(), atol=1e-5)
    a, b = (reconstructor.geometry(p)[0] for p in (free, told))
    assert np.linalg.norm(a - b, axis=1).max() > 0.002


def test_an_age_alone_leaves_gender_and_ancestry_to_the_network(reconstructor, photo):
    face = face_at(160, 120)
    free = reconstructor.encode([photo], [face])[0]
    told = reconstructor.encode([photo], [face], [Demographics(age=80, source="user")])[0]
    assert told.demographics == replace(free.demographics, age=80, source="user")


def test_a_known_focal_length_sets_the_distance(reconstructor, photo):
    face = face_at(160, 120)
    short, long = (reconstructor.encode([photo], [face], focal_px=[f])[0] for f in (400.0, 800.0))
    assert (short.focal_px, long.focal_px) == (400.0, 800.0)
    assert long.translation_m[2] == pytest.approx(2 * short.translation_m[2], rel=1e-4)


def test_parameters_alone_hold_the_head(reconstructor, head, photo):
    parameters = reconstructor.encode([photo], [face_at(160, 120)])[0]
    vertices, marks = reconstructor.geometry(parameters)
    again = head.vertices(
        torch.from_numpy(parameters.identity)[None], torch.from_numpy(parameters.expression)[None], head.mean_weights(parameters)
    )
    assert np.allclose(again[0].numpy(), vertices, atol=1e-6)
    assert marks.shape == (68, 2) and np.isfinite(marks).all()
    assert parameters.expression.min() >= 0 and parameters.expression.max() <= 1
    assert np.allclose(parameters.rotation @ parameters.rotation.T, np.eye(3), atol=1e-4)
    assert parameters.translation_m[2] < -0.2


def test_yaw_is_that_under_which_the_lens_sees_the_head():
    straight_ahead = seen_yaw(torch.eye(3)[None], torch.tensor([[0.0, 0.0, -1.0]]))
    from_the_side = seen_yaw(torch.eye(3)[None], torch.tensor([[1.0, 0.0, -1.0]]))
    assert float(straight_ahead) == pytest.approx(0.0)
    assert float(from_the_side) == pytest.approx(np.pi / 4)  # the lens is to the head's right


def test_lists_of_different_lengths_are_refused(reconstructor, photo):
    with pytest.raises(FaceReconError, match="equal in number"):
        reconstructor.encode([photo], [face_at(100, 100)] * 2)


def test_a_saved_checkpoint_loads_and_another_file_is_refused(tmp_path, reconstructor, head, photo):
    file = tmp_path / "reconstruction.safetensors"
    config = reconstructor.encoder.config
    save_file(reconstructor.encoder.state_dict(), file, {"config": json.dumps(config.to_dict())})
    loaded = HeadReconstructor.from_pretrained("cpu", head, file)
    face = face_at(160, 120)
    a, b = (r.encode([photo], [face])[0] for r in (loaded, reconstructor))
    assert np.abs(a.translation_m - b.translation_m).max() < 0.05  # the loaded one may run in bfloat16
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(FaceReconError, match="other.safetensors cannot be used"):
        HeadReconstructor.from_pretrained("cpu", head, tmp_path / "other.safetensors")


def test_a_wider_framing_is_a_larger_face(reconstructor, photo):
    face = face_at(160, 120)
    wide = reconstructor.encode([photo], [face], options=ReconstructionOptions(crop_scale=2 * CROP_SCALE))[0]
    middle = transform_points(np.full(2, (reconstructor.size - 1) / 2), invert(reconstruction_matrix(face.points, reconstructor.size)))
    larger = Face(face.box, ((face.points - middle) * 2 + middle).astype(np.float32))
    same = reconstructor.encode([photo], [larger])[0]
    assert np.allclose(wide.identity, same.identity, atol=1e-3)
    assert np.allclose(wide.translation_m, same.translation_m, atol=1e-3)


def test_a_given_shape_is_kept_in_every_photo_and_lies_where_the_face_is(reconstructor, head, photo):
    faces = [face_at(120, 120), face_at(200, 120, roll=0.3)]
    free = reconstructor.reconstruct([photo] * 2, faces, textured=False)
    person = fuse_shapes(free)
    put = reconstructor.reconstruct([photo] * 2, faces, textured=False, options=ReconstructionOptions(person=person))
    for before, after in zip(free, put):
        assert np.array_equal(after.parameters.identity, person.identity)
        assert np.allclose(after.parameters.mean_weights, person.mean_weights)
        off = np.linalg.norm(after.landmarks_68 - before.landmarks_68, axis=1).mean()
        assert off < 0.06 * np.sqrt(np.ptp(before.landmarks_68, axis=0).prod())
    assert not np.array_equal(free[0].parameters.identity, free[1].parameters.identity)


def test_every_head_says_how_far_it_can_be_trusted(reconstructor, photo):
    (found,) = reconstructor.reconstruct([photo], [face_at(160, 120)], textured=False)
    assert set(found.quality) == {"quality", "landmark_fit", "sharpness", "frontality"}
    assert all(0 <= value <= 1 for value in found.quality.values())


def test_landmarks_of_a_face_fit_its_head_and_leave_a_given_shape(reconstructor, head, photo):
    face = face_at(160, 120)
    plain = reconstructor.encode([photo], [face])[0]
    marks = reconstructor.geometry(plain)[1]
    wanted = ((marks - marks.mean(0)) * (1.1, 1) + marks.mean(0) + (6, -4)).astype(np.float32)
    seen = replace(face, landmarks=wanted, landmark_errors=np.ones(68, np.float32))

    def off(parameters):
        return np.linalg.norm(reconstructor.geometry(parameters)[1] - wanted, axis=1).mean()

    fitted = reconstructor.encode([photo], [seen])[0]
    assert off(fitted) < 0.3 * off(plain) and not np.array_equal(fitted.identity, plain.identity)
    person = PersonShape(plain.identity, plain.mean_weights, plain.demographics)
    kept = reconstructor.encode([photo], [seen], options=ReconstructionOptions(person=person))[0]
    assert np.array_equal(kept.identity, person.identity) and off(kept) < 0.6 * off(plain)
    unfitted = HeadReconstructor(reconstructor.encoder, head, fits=False).encode([photo], [seen])[0]
    assert off(unfitted) == pytest.approx(off(plain), rel=1e-3)


def test_options_reach_texture_and_detail(reconstructor, head, photo, monkeypatch):
    painted, trusts = [], []

    def paint(source, *_, delight, masks):
        painted.append((source, delight, masks))
        return SimpleNamespace(texture=np.zeros((4, 4, 3), np.uint8), visibility=np.zeros((4, 4), np.uint8))

    class Sculptor:
        def sculpt(self, painted, parameters, vertices, trust):
            trusts.append(trust)
            return "relief"

    monkeypatch.setattr(module, "unproject", paint)
    monkeypatch.setattr(module, "trust_in", lambda image, face: 0.25)
    monkeypatch.setattr(module, "measure_hair", lambda *_: None)
    made, known = HeadReconstructor(reconstructor.encoder, head, detailer=Sculptor()), object()
    plain = made.reconstruct([photo], [face_at(160, 120)], masks=[known])[0]
    assert painted[-1][1:] == (False, known) and plain.detail == "relief"
    assert trusts == [0.25]
    coarse = made.reconstruct([photo], [face_at(160, 120)], options=ReconstructionOptions(delight=True, mode="coarse"))[0]
    assert painted[-1][1] is True and coarse.detail is None
    bare = made.reconstruct([photo], [face_at(160, 120)], textured=False)[0]
    assert len(painted) == 2 and bare.texture is None and bare.detail is None


def test_hair_that_the_photo_shows_is_painted_stored_and_in_every_later_shape(reconstructor, head, photo, monkeypatch):
    painted = []

    def paint(source, parameters, vertices, *_, **__):
        painted.append(vertices)
        return SimpleNamespace(texture=np.zeros((4, 4, 3), np.uint8), visibility=np.zeros((4, 4), np.uint8))

    monkeypatch.setattr(module, "unproject", paint)
    monkeypatch.setattr(module, "measure_hair", lambda *_: np.full(DIRECTIONS, 0.03, np.float32))
    work = [photo], [face_at(160, 120)]
    shaved = reconstructor.reconstruct(*work, masks=["judged"], options=ReconstructionOptions(hair=False))[0]
    hairy = reconstructor.reconstruct(*work, masks=["judged"])[0]
    assert shaved.parameters.hair is None and np.linalg.norm(hairy.vertices - shaved.vertices, axis=1).max() == pytest.approx(0.03, abs=1e-4)
    assert np.array_equal(painted[-1], hairy.vertices) and np.array_equal(hairy.landmarks_68, shaved.landmarks_68)
    assert np.array_equal(reconstructor.geometry(hairy.parameters)[0], hairy.vertices)
    assert reconstructor.reconstruct(*work, textured=False)[0].parameters.hair is None


def test_the_light_turns_with_a_photo_that_was_turned(reconstructor, photo):
    face = face_at(150, 120)
    points = np.stack([face.points[:, 1], photo.shape[1] - 1 - face.points[:, 0]], axis=1)
    home = reconstructor.encode([photo], [face])[0]
    moved = reconstructor.encode([np.ascontiguousarray(np.rot90(photo))], [Face(face.box, points.astype(np.float32))])[0]
    expected = turn_light(home.lighting, moved.rotation @ home.rotation.T)
    assert np.abs(moved.lighting - expected).max() < 0.05 < np.abs(moved.lighting - home.lighting).max()


def test_an_ethnicity_alone_moves_the_mean(reconstructor, photo):
    free, race, ethnicity = (
        reconstructor.encode([photo], [face_at(160, 120)], [known])[0].mean_weights
        for known in (None, Demographics(race="Asian", source="user"), Demographics(ethnicity="Korean", source="user"))
    )
    assert np.allclose(race, ethnicity) and np.abs(free - ethnicity).max() > 0.05
