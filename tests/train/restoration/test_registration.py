"""A photo that was stretched by a rounding is found again; what cannot be laid over is left as it is."""

import cv2
import numpy as np

from facerecon.restoration.degradations import gaussian_blur
from tests.fakes import make_photo
from train.restoration.registration import register


def error(a, b):
    return np.mean((a[8:-8, 8:-8].astype(float) - b[8:-8, 8:-8]) ** 2)


def test_a_rounding_is_undone():
    clean = gaussian_blur(make_photo(120, 150, 1), 1.0)
    stretched = cv2.warpAffine(clean, np.float64([[1.006, 0, 0.3], [0, 0.996, 0.5]]), (150, 120), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert error(register(clean, stretched), stretched) < 0.1 * error(clean, stretched)


def test_a_blur_is_no_stretch():
    clean = make_photo(120, 150, 2)
    assert error(register(clean, gaussian_blur(clean, 2.0)), clean) < 1.0


def test_another_photo_is_not_laid_over():
    clean = make_photo(96, 96, 3)
    assert np.array_equal(register(clean, np.full_like(clean, 90)), clean)
