"""Photos of every sort come in upright and in sRGB; bad ones give one clear sentence."""

from __future__ import annotations

import logging
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageCms

from facerecon.images import LARGEST_PIXELS, ImageError, atomic_write, focal_px_from_exif, load_image, save_image


@pytest.fixture
def photo() -> np.ndarray:
    """48 x 64: red at the left, green at the right, a blue band at the top."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = (200, 30, 30)
    image[:, 32:] = (30, 200, 30)
    image[:8] = (30, 30, 200)
    return image


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_what_is_saved_is_loaded_again(tmp_path, photo, name):
    save_image(tmp_path / "new folder" / name, photo)
    again = load_image(tmp_path / "new folder" / name)
    assert again.shape == photo.shape and again.dtype == np.uint8
    # Chroma is coarser than brightness in WebP, so colours are compared away from the borders.
    for y, x in ((4, 20), (30, 10), (30, 50)):
        assert np.abs(again[y, x].astype(int) - photo[y, x]).max() <= 6
    assert [p.name for p in (tmp_path / "new folder").iterdir()] == [name]


@pytest.mark.parametrize("name", ["phone.png", "phone.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(tmp_path, photo, orientation, name):
    turn = PillowImage.Transpose
    stored = {
        1: None, 2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE, 6: turn.ROTATE_90, 7: turn.TRANSVERSE, 8: turn.ROTATE_270,
    }[orientation]  # fmt: skip
    picture = PillowImage.fromarray(photo)
    picture = picture if stored is None else picture.transpose(stored)
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / name, exif=exif)
    assert np.array_equal(load_image(tmp_path / name), photo)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    PillowImage.fromarray(ramp).save(tmp_path / "grey16.png")
    PillowImage.fromarray(ramp).save(tmp_path / "grey16.tif")
    for name in ("grey16.png", "grey16.tif"):
        image = load_image(tmp_path / name)
        assert image.shape == (64, 64, 3)
        assert np.abs(image[..., 0] - ramp / 257.0).max() <= 1


def test_sixteen_bit_colour(tmp_path):
    import cv2

    colour = np.zeros((16, 16, 3), np.uint16)
    colour[..., 2], colour[..., 1] = 51400, 25700  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "colour16.png"), colour)
    assert np.abs(load_image(tmp_path / "colour16.png")[8, 8].astype(int) - (200, 100, 0)).max() <= 1


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, 3e38, 1.04])
def test_a_few_odd_floats_do_not_darken_the_picture(tmp_path, odd):
    values = np.full((20, 20), 0.5, np.float32)
    values[0, :3] = odd
    PillowImage.fromarray(values).save(tmp_path / "odd.tif")
    loaded = load_image(tmp_path / "odd.tif")
    assert (loaded[1:] == 128).all() and (loaded[0, :3] == (0 if np.isnan(odd) or odd < 0 else 255)).all()


def test_floats_of_which_none_is_a_number_are_said(tmp_path):
    PillowImage.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "none.tif")
    with pytest.raises(ImageError, match="none.tif holds no pixel whose value is a number"):
        load_image(tmp_path / "none.tif")


def test_float_greys_are_scaled(tmp_path):
    PillowImage.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "half.tif")
    assert 127 <= load_image(tmp_path / "half.tif").mean() <= 128


@pytest.mark.parametrize("mode, ending", [("L", "png"), ("1", "png"), ("P", "png"), ("P", "gif"), ("CMYK", "jpg"), ("LA", "png"), ("YCbCr", "jpg")])
def test_other_modes_become_rgb(tmp_path, photo, mode, ending):
    picture = PillowImage.fromarray(photo)
    picture = picture.quantize(16) if mode == "P" else picture.convert(mode)
    picture.save(tmp_path / f"x.{ending}")
    image = load_image(tmp_path / f"x.{ending}")
    assert image.shape == photo.shape
    if mode in ("P", "CMYK", "YCbCr"):
        assert np.abs(image[30, 10].astype(int) - photo[30, 10]).max() <= 12


def test_transparency_is_laid_over_white(tmp_path):
    rgba = np.zeros((10, 10, 4), np.uint8)
    rgba[..., 0], rgba[:, :5, 3], rgba[:, 5:7, 3] = 200, 255, 128
    PillowImage.fromarray(rgba).save(tmp_path / "cutout.png")
    image = load_image(tmp_path / "cutout.png")
    assert tuple(image[5, 0]) == (200, 0, 0) and tuple(image[5, 9]) == (255, 255, 255)
    assert np.abs(image[5, 6].astype(int) - (227, 127, 127)).max() <= 1


def test_palette_transparency_is_laid_over_white(tmp_path):
    picture = PillowImage.fromarray(np.repeat([[0, 1]], 4, 0).astype(np.uint8).repeat(4, 1), "P")
    picture.putpalette([10, 20, 30, 200, 0, 0])
    picture.save(tmp_path / "p.png", transparency=0)
    image = load_image(tmp_path / "p.png")
    assert tuple(image[0, 0]) == (255, 255, 255) and tuple(image[0, 7]) == (200, 0, 0)


def test_embedded_profile_is_brought_to_srgb(tmp_path):
    """A profile whose red and blue are exchanged must exchange them in what we load."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    swapped = bytearray(lab.tobytes())
    r, b = swapped.find(b"rXYZ"), swapped.find(b"bXYZ")
    swapped[r : r + 4], swapped[b : b + 4] = b"bXYZ", b"rXYZ"
    name = ImageCms.getProfileDescription(lab).strip()
    for text in (b"s\0R\0G\0B", b"\0s\0R\0G\0B", b"sRGB"):
        at = swapped.find(text)
        while at >= 0:
            swapped[at : at + len(text)] = text.replace(b"R", b"X")
            at = swapped.find(text)
    image = np.full((16, 16, 3), (220, 60, 20), np.uint8)
    PillowImage.fromarray(image).save(tmp_path / "swapped.png", icc_profile=bytes(swapped))
    out = load_image(tmp_path / "swapped.png")[8, 8].astype(int)
    assert np.abs(out - (20, 60, 220)).max() <= 4, (out, name)


def test_srgb_profile_changes_nothing(tmp_path, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PillowImage.fromarray(photo).save(tmp_path / "s.png", icc_profile=profile)
    assert np.array_equal(load_image(tmp_path / "s.png"), photo)


def test_broken_profile_is_ignored(tmp_path, photo):
    PillowImage.fromarray(photo).save(tmp_path / "b.png", icc_profile=b"not a profile" * 20)
    assert np.array_equal(load_image(tmp_path / "b.png"), photo)


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animations_are_refused_with_their_frame_count(tmp_path, photo, ending):
    frames = [PillowImage.fromarray(np.roll(photo, 5 * i, 1)) for i in range(3)]
    frames[0].save(tmp_path / f"move.{ending}", save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(ImageError, match=r"is an animation with 3 frames; give a single frame\."):
        load_image(tmp_path / f"move.{ending}")


def bad_files(folder):
    good = folder / "good.jpg"
    save_image(good, np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8))
    (folder / "cut.jpg").write_bytes(good.read_bytes()[:9000])
    (folder / "header.jpg").write_bytes(good.read_bytes()[:100])
    save_image(folder / "good.png", np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8))
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:9000])
    (folder / "text.jpg").write_text("this is no picture\n" * 50)
    (folder / "zero.jpg").write_bytes(b"")
    (folder / "folder.jpg").mkdir()


@pytest.mark.parametrize(
    "name, says",
    [("cut.jpg", "cut off or damaged"), ("cut.png", "cut off or damaged"), ("header.jpg", "cannot be opened|not a picture|cut off"),
     ("text.jpg", "not a picture"), ("zero.jpg", "is empty"), ("folder.jpg", "is a folder"), ("gone.jpg", "does not exist")],
)  # fmt: skip
def test_bad_files_say_why_in_one_sentence(tmp_path, name, says):
    bad_files(tmp_path)
    with pytest.raises(ImageError, match=says) as caught:
        load_image(tmp_path / name)
    message = str(caught.value)
    assert name in message and "\n" not in message and message.endswith(".")


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_wide_photos_are_reduced_and_said_so(tmp_path, caplog, ending):
    wide = np.zeros((40, 12_000, 3), np.uint8)
    wide[:, :6000] = 200
    save_image(tmp_path / f"wide.{ending}", wide)
    assert load_image(tmp_path / f"wide.{ending}").shape == (40, 12_000, 3)
    with caplog.at_level(logging.WARNING):
        small = load_image(tmp_path / f"wide.{ending}", max_pixels=120_000)
    assert small.shape == (20, 6000, 3)
    assert small[10, 100].min() > 195 and small[10, -100].max() < 5
    assert "12000 x 40 pixels; it is reduced to 6000 x 20" in caplog.text


def test_decompression_bomb_is_refused_before_decoding(tmp_path):
    side = math.isqrt(LARGEST_PIXELS) + 1
    PillowImage.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(ImageError, match="megapixels"):
        load_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("orientation", [1, 6])
def test_focal_length_compares_diagonals(tmp_path, orientation):
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0xA405] = 50
    PillowImage.new("RGB", (600, 400)).save(tmp_path / "p.jpg", exif=exif)
    image = load_image(tmp_path / "p.jpg")
    # A 3:2 photo has the film's own shape, so 36 mm are its long side.
    assert focal_px_from_exif(tmp_path / "p.jpg", image.shape[1]) == pytest.approx(50 / 36 * 600, rel=1e-6)
    assert focal_px_from_exif(tmp_path / "p.jpg", image.shape[1] // 2) == pytest.approx(50 / 36 * 300, rel=1e-6)


def test_no_focal_length_is_none(tmp_path, photo):
    save_image(tmp_path / "p.jpg", photo)
    assert focal_px_from_exif(tmp_path / "p.jpg", 64) is None
    assert focal_px_from_exif(tmp_path / "gone.jpg", 64) is None


def test_interrupted_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "stats.json"
    with atomic_write(target) as part:
        part.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(target) as part:
        part.write_text("ne")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_is_overwritten(tmp_path):
    (tmp_path / ".part-a.png").write_bytes(b"half")
    save_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_unwritable_place_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImageError, match="cannot be written"):
        save_image(tmp_path / "file" / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ImageError, match="does not end like a picture"):
        save_image(tmp_path / "a.xyz", np.zeros((4, 4, 3), np.uint8))


def test_metadata_that_ends_too_soon_costs_nothing_and_warns_of_nothing(tmp_path, photo):
    exif = PillowImage.Exif()
    exif[0x010F] = "a maker whose name lies behind the table"
    raw = exif.tobytes()
    PillowImage.fromarray(photo).save(tmp_path / "cut.jpg", exif=raw[: len(raw) - 45])
    code = f"from facerecon.images import *; p = {str(tmp_path / 'cut.jpg')!r}; load_image(p); focal_px_from_exif(p, 64)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # with no filter of pytest's
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
