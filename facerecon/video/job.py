"""A video from start to end: stopped at any moment it goes on, and ends the same to the last bit.

Three rounds. The first reads the frames in order, restores them and asks the networks;
the second, over numbers alone, settles who is who and takes out the jitter; the third
reads the frames again and draws. What the first and the third leave of each piece is
written aside and renamed; joining pieces encodes nothing again.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facerecon.images import atomic_write
from facerecon.pipeline import FaceReconstructor, NoFaceError
from facerecon.restoration.photo import check_upscale
from facerecon.types import Image, Reconstruction
from facerecon.video.analysis import Embedder, VideoAnalyst, Wishes
from facerecon.video.heads import rebuild
from facerecon.video.people import Performance, perform
from facerecon.video.pictures import Layout, PosedHead, draw, panel_size
from facerecon.video.reading import Frame, read_frames, read_info
from facerecon.video.rounds import RESTORED, PieceStore, Progress
from facerecon.video.smoothing import Method
from facerecon.video.store import join_tables
from facerecon.video.writing import join_pieces

PIECE_FRAMES = 100
_NEARLY_ALL = 0.9  # of the frames that a file says it has; where rates vary the number is a guess
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoSettings:
    """All that changes the results.

    Attributes:
        wishes: what the networks do.
        layout: what the reconstruction video shows; no panels, no video.
        smoothing: of pose, expression and light.
        frame_skip: frames left out after each one that is used.
        piece_frames: frames a piece.
    """

    wishes: Wishes = field(default_factory=Wishes)
    layout: Layout = field(default_factory=Layout)
    smoothing: Method = "kalman"
    frame_skip: int = 0
    piece_frames: int = PIECE_FRAMES


class VideoJob:
    """One video on its way; what is done lies in a folder of its own.

    Args:
        pipeline: the networks.
        source: the video.
        folder: for the pieces; what it holds under another ``key`` is removed.
        settings: what to do.
        key: names video, settings and weights; equal keys give equal results.
        embedder: tells people apart, where there is one.
        progress: hears of frames as they are done.

    Raises:
        VideoError: it is not a video.
        FaceReconError: its frames are too large to enlarge.
    """

    def __init__(
        self,
        pipeline: FaceReconstructor,
        source: Path,
        folder: Path,
        settings: VideoSettings,
        key: str,
        embedder: Embedder | None = None,
        progress: Progress = lambda done_in, frames, earlier: None,
    ) -> None:
        self.pipeline, self.source, self.settings, self.embedder = pipeline, source, settings, embedder
        self.info = read_info(source)
        check_upscale([np.broadcast_to(np.uint8(0), (self.info.height, self.info.width, 3))], settings.wishes.upscale)
        step = settings.frame_skip + 1
        self.frames = -(-self.info.frames // step)  # about how many are worked on; 0 where the file does not say
        rate, time_base = self.info.rate / step, self.info.time_base
        self._store = PieceStore(source, folder, step, settings.piece_frames, rate, time_base, progress)
        self._claim(key)
        self.frames_done = 0
        self._pieces: list[Path] = []
        self._heads: dict[int, Reconstruction] = {}

    def perform(self) -> Performance:
        """The first two rounds.

        Raises:
            NoFaceError: there is no face in any frame.
        """
        wishes = self.settings.wishes
        analyst = VideoAnalyst(self.pipeline, wishes, self.embedder)
        self._pieces = self._store.analyse(analyst, self._size(wishes.upscale) if wishes.restore else None)
        self.frames_done = self._store.frames(self._pieces)
        if self.frames_done < _NEARLY_ALL * self.frames:
            logger.warning("%s says that it has about %d frames; %d could be read.", self.source.name, self.frames, self.frames_done)
        rows = self._store.rows(self._pieces)
        performance = None
        if rows:
            raw = join_tables(rows)
            head = self.pipeline.head
            performance = perform(raw, self.info.time_base, self.settings.smoothing, wishes.demographics, head)
        if performance is None:
            raise NoFaceError("No face was found in the video.")
        return performance

    def write_restored(self, path: Path) -> Path:
        """Writes the restored video with the original's sound; after :meth:`perform`."""
        return join_pieces([piece / RESTORED for piece in self._pieces], path, self.source)

    def write_reconstruction(self, path: Path, performance: Performance) -> Path:
        """The third round: writes the video of panels with the original's sound."""
        layout, rows = self.settings.layout, defaultdict(list)
        for row, frame in enumerate(performance.table["frame"].tolist()):
            rows[frame].append(row)

        def picture(frame: Frame) -> Image:
            heads = [self._posed(performance, row) for row in rows.get(frame.index, ())]
            return draw(frame.image, heads, self.pipeline.head, layout)

        return join_pieces(self._store.draw(self._pieces, picture, panel_size(self._size(1), layout)), path, self.source)

    def heads(self, performance: Performance) -> list[Reconstruction]:
        """Everyone's textured head, by number, as in the frame that shows the face best."""
        if not self._heads:
            waiting = defaultdict(list)
            for person in performance.people:
                waiting[int(performance.table["frame"][person.best])].append(person)
            for frame in read_frames(self.source, min(waiting)):
                for person in waiting.pop(frame.index, ()):
                    head = rebuild(self.pipeline, frame.image, performance, person, self.settings.wishes)
                    self._heads[person.number] = head
                if not waiting:
                    break
        return [self._heads[person.number] for person in performance.people]

    def finish(self) -> None:
        """Removes the pieces."""
        shutil.rmtree(self._store.folder, ignore_errors=True)

    def _posed(self, performance: Performance, row: int) -> PosedHead:
        parameters, texture = performance.parameters(row), None
        if self.settings.layout.image_type == "texture":
            head = self.heads(performance)[int(performance.table["person"][row])]
            parameters, texture = replace(parameters, hair=head.parameters.hair), head.texture
        vertices, _ = self.pipeline.reconstructor.geometry(parameters)
        return PosedHead(vertices, parameters, texture)

    def _claim(self, key: str) -> None:
        mark = self._store.folder / "key.json"
        if not mark.is_file() or json.loads(mark.read_text()) != key:
            shutil.rmtree(self._store.folder, ignore_errors=True)
            with atomic_write(mark) as part:
                part.write_text(json.dumps(key))

    def _size(self, upscale: int) -> tuple[int, int]:
        return self.info.height * upscale, self.info.width * upscale
