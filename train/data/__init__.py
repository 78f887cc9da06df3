"""Readers of face datasets in their official layouts."""

from train.data.layouts import LAYOUTS, open_dataset
from train.data.packs import FaceLabels, FacePack

__all__ = ["LAYOUTS", "FaceLabels", "FacePack", "open_dataset"]
