"""Every number the project reports; ``facerecon.metrics.surfaces`` needs scipy and is imported by name."""

from facerecon.metrics.geometry import umeyama, vertex_errors
from facerecon.metrics.landmarks import landmark_nme
from facerecon.metrics.photos import psnr, ssim
from facerecon.metrics.sharpness import blur_score, noise_sigma, sharpness

__all__ = [
    "blur_score",
    "landmark_nme",
    "noise_sigma",
    "psnr",
    "sharpness",
    "ssim",
    "umeyama",
    "vertex_errors",
]
