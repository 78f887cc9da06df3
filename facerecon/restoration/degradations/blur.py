"""Blur: lenses out of focus, shaken hands, moving heads."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image


def gaussian_blur(image: Image, sigma: float) -> Image:
    """Isotropic blur; ``sigma`` in pixels."""
    return image if sigma < 0.1 else cv2.GaussianBlur(image, (0, 0), sigma)


def anisotropic_blur(image: Image, sigma_x: float, sigma_y: float, angle: float) -> Image:
    """Blur with an elliptic Gaussian; sigmas in pixels, ``angle`` in degrees."""
    radius = max(int(np.ceil(3 * max(sigma_x, sigma_y))), 1)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = c * x + s * y, c * y - s * x
    kernel = np.exp(-0.5 * ((u / max(sigma_x, 0.1)) ** 2 + (v / max(sigma_y, 0.1)) ** 2))
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def motion_blur(image: Image, length: float, angle: float) -> Image:
    """Straight camera shake, densest in its middle: a Gaussian two deviations of which are ``length`` pixels; ``angle`` in degrees."""
    return anisotropic_blur(image, length / 2, 0.4, angle)


def defocus_blur(image: Image, radius: float) -> Image:
    """A lens out of focus: the mean over a disc of ``radius`` pixels with a soft rim."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
