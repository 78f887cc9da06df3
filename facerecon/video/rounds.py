"""The two rounds over a video's frames, piece by piece, each piece whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from facerecon.images import atomic_write
from facerecon.types import Image
from facerecon.video.analysis import VideoAnalyst, to_table
from facerecon.video.reading import Frame, read_frames
from facerecon.video.store import Table, atomic_folder, load_arrays, save_arrays
from facerecon.video.writing import PIECE_SUFFIX, PieceWriter

RESTORED = f"restored{PIECE_SUFFIX}"
_ROWS, _STATE = "rows.npz", "state.npz"
_ENDED = -1

Progress = Callable[[str, int, bool], None]
"""Hears of a round (``"analyse"`` or ``"draw"``), how many more of its frames are done, and whether an earlier run did them."""


class PieceStore:
    """Where the pieces of one video lie.

    Args:
        source: the video.
        folder: for the pieces.
        step: every how many frames one is used.
        length: frames a piece.
        rate: frames a second that are used.
        time_base: seconds a step of ``Frame.pts``.
        progress: hears of frames as they are done.
    """

    def __init__(
        self, source: Path, folder: Path, step: int, length: int, rate: Fraction, time_base: Fraction, progress: Progress
    ) -> None:
        self.source, self.folder, self.step, self.length = source, folder, step, length
        self.rate, self.time_base, self.progress = rate, time_base, progress

    def analyse(self, analyst: VideoAnalyst, restored_size: tuple[int, int] | None) -> list[Path]:
        """Analyses what no piece holds yet.

        Args:
            analyst: fresh; it takes up the state that the last piece left.
            restored_size: (height, width) of the restored video; None leaves it out.

        Returns:
            A folder for each piece, in order, with rows and restored video.
        """
        pieces: list[Path] = []
        start = 0
        for number in count():
            piece = self.folder / f"analysis_{number:05d}"
            if not piece.is_dir():
                break
            state = load_arrays(piece / _STATE)
            start = int(state["next_frame"])
            self.progress("analyse", int(state["frames"][1]), True)
            pieces.append(piece)
        if start == _ENDED:
            return pieces
        if pieces:
            analyst.restore_state(state)
        frames = _Ahead(read_frames(self.source, start, self.step))
        while frames.next is not None:
            pieces.append(self.folder / f"analysis_{len(pieces):05d}")
            self._analyse_piece(pieces[-1], analyst, frames, restored_size)
        return pieces

    def _analyse_piece(
        self, piece: Path, analyst: VideoAnalyst, frames: _Ahead, restored_size: tuple[int, int] | None
    ) -> None:
        rows: list[dict[str, Any]] = []
        first, done = frames.next.index, 0
        with atomic_folder(piece) as part:
            with ExitStack() as stack:
                writer = None
                if restored_size is not None:
                    writer = stack.enter_context(self._writer(part / RESTORED, restored_size))
                for frame, image, of_frame in analyst.analyse(islice(frames, self.length)):
                    rows += of_frame
                    done += 1
                    if writer is not None:
                        writer.write(image, frame.pts)
                    self.progress("analyse", 1, False)
            save_arrays(part / _ROWS, to_table(rows))
            after = _ENDED if frames.next is None else frames.next.index
            position = {"next_frame": np.array(after), "frames": np.array([first, done])}
            save_arrays(part / _STATE, {**analyst.state(), **position})

    def rows(self, pieces: list[Path]) -> list[Table]:
        """The rows of all faces, a table for each piece that has any."""
        return [table for table in (load_arrays(piece / _ROWS) for piece in pieces) if table]

    def frames(self, pieces: list[Path]) -> int:
        """How many frames the pieces hold."""
        return sum(int(load_arrays(piece / _STATE)["frames"][1]) for piece in pieces)

    def draw(self, pieces: list[Path], picture: Callable[[Frame], Image], size: tuple[int, int]) -> list[Path]:
        """Draws what no file holds yet.

        Args:
            pieces: of the analysis.
            picture: of a frame.
            size: (height, width) of the pictures.

        Returns:
            A file for each piece, in order.
        """
        files = []
        frames: Iterator[Frame] | None = None
        for number, piece in enumerate(pieces):
            first, length = (int(value) for value in load_arrays(piece / _STATE)["frames"])
            files.append(self.folder / f"pictures_{number:05d}{PIECE_SUFFIX}")
            if files[-1].is_file():
                self.progress("draw", length, True)
                continue
            frames = read_frames(self.source, first, self.step) if frames is None else frames
            with atomic_write(files[-1]) as part, self._writer(part, size) as writer:
                for frame in islice(frames, length):
                    writer.write(picture(frame), frame.pts)
                    self.progress("draw", 1, False)
        return files

    def _writer(self, path: Path, size: tuple[int, int]) -> PieceWriter:
        return PieceWriter(path, size, self.rate, self.time_base)


class _Ahead:
    """Iterates, with the next item in sight: ``next`` is None at the end."""

    def __init__(self, items: Iterator[Frame]) -> None:
        self._items = items
        self.next: Frame | None = next(items, None)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self.next is None:
            raise StopIteration
        item, self.next = self.next, next(self._items, None)
        return item
