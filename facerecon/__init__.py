"""From a photo of a face to a restored photo and a textured 3D head."""

__version__ = "0.1.0"
