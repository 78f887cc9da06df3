"""Restoration of degraded faces: codebook, code transformer, controllable feature transform."""

from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.configuration import CONFIGS, RestorationConfig
from facerecon.restoration.restorer import FaceRestorer

__all__ = ["CONFIGS", "CodeFormer", "FaceRestorer", "RestorationConfig"]
