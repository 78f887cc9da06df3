"""Folders of faces, or the same folders in a tar, as numbered images."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from facerecon.types import Image

ENDINGS = (".webp", ".jpg", ".jpeg", ".png")


class FacePack:
    """The images below a folder or in a tar, by name, in sorted order."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            self.names = sorted(str(p.relative_to(path)) for p in self.path.rglob("*") if p.suffix.lower() in ENDINGS)
            self._tar = None
        else:
            self._tar = tarfile.open(self.path)
            self._members = {m.name: m for m in self._tar.getmembers() if Path(m.name).suffix.lower() in ENDINGS}
            self.names = sorted(self._members)

    def __len__(self) -> int:
        return len(self.names)

    def image(self, i: int) -> Image:
        """Image number ``i``, (H, W, 3) uint8 RGB."""
        name = self.names[i]
        data = (self.path / name).read_bytes() if self._tar is None else self._tar.extractfile(self._members[name]).read()
        return np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB"))
