"""Arrays to glTF accessors, dense or sparse, in one binary buffer."""

from __future__ import annotations

import numpy as np
import pygltflib as gl

_COMPONENTS = {
    np.dtype(np.float32): gl.FLOAT,
    np.dtype(np.uint8): gl.UNSIGNED_BYTE,
    np.dtype(np.uint16): gl.UNSIGNED_SHORT,
    np.dtype(np.uint32): gl.UNSIGNED_INT,
}
_TYPES = {1: gl.SCALAR, 2: gl.VEC2, 3: gl.VEC3, 4: gl.VEC4, 16: gl.MAT4}


class BufferBuilder:
    """Collects arrays; ``accessors``, ``views`` and ``data`` go into the document."""

    def __init__(self) -> None:
        self.accessors: list[gl.Accessor] = []
        self.views: list[gl.BufferView] = []
        self.data = bytearray()

    def bytes(self, blob: bytes, target: int | None = None) -> int:
        """Add bytes, aligned to four; returns the view's index."""
        self.data.extend(b"\0" * (-len(self.data) % 4))
        self.views.append(gl.BufferView(buffer=0, byteOffset=len(self.data), byteLength=len(blob), target=target))
        self.data.extend(blob)
        return len(self.views) - 1

    def array(self, values: np.ndarray, target: int | None = None, bounds: bool = False, name: str | None = None) -> int:
        """Add an accessor of values (N,) or (N, C); ``bounds`` writes its minimum and maximum."""
        accessor = self._accessor(values, bounds, name)
        accessor.bufferView, accessor.byteOffset = self.bytes(np.ascontiguousarray(values).tobytes(), target), 0
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def sparse(self, stack: np.ndarray, bounds: bool, names: list[str]) -> list[int]:
        """Add one accessor for each of ``stack`` (E, N, 3) float32, keeping the rows that are not zero.

        All share two views, one of row numbers and one of values; a whole zero keeps none.
        """
        rows = [np.flatnonzero(values.any(axis=1)) for values in stack]
        kind = np.uint16 if stack.shape[1] <= 65535 else np.uint32
        counts = [len(kept) for kept in rows]
        starts = np.concatenate(([0], np.cumsum(counts)))
        first = len(self.accessors)
        if starts[-1]:
            index_view = self.bytes(np.concatenate(rows).astype(kind).tobytes())
            value_view = self.bytes(np.concatenate([v[r] for v, r in zip(stack, rows)]).astype(np.float32).tobytes())
        for values, count, start, name in zip(stack, counts, starts, names):
            accessor = self._accessor(values, bounds, name)
            if count:
                accessor.sparse = gl.Sparse(
                    count=count,
                    indices=gl.AccessorSparseIndices(
                        bufferView=index_view,
                        byteOffset=int(start) * np.dtype(kind).itemsize,
                        componentType=_COMPONENTS[np.dtype(kind)],
                    ),
                    values=gl.AccessorSparseValues(bufferView=value_view, byteOffset=int(start) * 12),
                )
            self.accessors.append(accessor)
        return list(range(first, len(self.accessors)))

    def _accessor(self, values: np.ndarray, bounds: bool, name: str | None) -> gl.Accessor:
        flat = values.reshape(len(values), -1)
        return gl.Accessor(
            byteOffset=None,
            componentType=_COMPONENTS[values.dtype],
            count=len(values),
            type=_TYPES[flat.shape[1]],
            min=flat.min(0).tolist() if bounds else None,
            max=flat.max(0).tolist() if bounds else None,
            name=name,
        )
