"""Heads as GLB, glTF, OBJ and PLY files."""

from facerecon.export.animation import Clip
from facerecon.export.head import FORMATS, ExportError, export_head
from facerecon.export.mesh import SplitMesh, uv_split_mesh

__all__ = ["FORMATS", "Clip", "ExportError", "SplitMesh", "export_head", "uv_split_mesh"]
