"""Rasteriser, camera, shading and pictures of heads."""

from facerecon.rendering.camera import pixel_vertices, project, scale_pixels, to_camera
from facerecon.rendering.fragments import Fragments
from facerecon.rendering.interpolation import interpolate, interpolate_screen, screen_barycentrics
from facerecon.rendering.rasterizer import rasterize
from facerecon.rendering.shading import (
    irradiance,
    linear_to_srgb,
    mesh_normals,
    sample_texture,
    sh_basis,
    sh_from_environment,
    shade,
    srgb_to_linear,
    uniform_light,
    vertex_normals,
)

__all__ = [
    "Fragments",
    "interpolate",
    "interpolate_screen",
    "irradiance",
    "linear_to_srgb",
    "mesh_normals",
    "pixel_vertices",
    "project",
    "rasterize",
    "sample_texture",
    "scale_pixels",
    "screen_barycentrics",
    "sh_basis",
    "sh_from_environment",
    "shade",
    "srgb_to_linear",
    "to_camera",
    "uniform_light",
    "vertex_normals",
]
