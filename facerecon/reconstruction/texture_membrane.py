"""Colours spread smoothly over the head's surface.

A membrane takes given values where they are known and is as smooth as can be
elsewhere: the guided interpolation of Perez et al., "Poisson Image Editing"
(2003), on the mesh instead of the picture. Charts of the texture meet on the
mesh, so what is spread here has no seams.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu

from facerecon.metrics.surfaces import mesh_edges


class SurfaceGraph:
    """Vertices joined along edges, short edges holding tighter.

    Attributes:
        vertices: (N,) index of the graph's vertices among all of the mesh.
        laplacian: (N, N) sparse, rows sum to zero.
    """

    def __init__(self, positions: np.ndarray, faces: np.ndarray) -> None:
        """Args: positions (V, 3) metres; faces (F, 3) of the part of the mesh that takes part."""
        self.count = len(positions)
        self.vertices, local = np.unique(faces, return_inverse=True)
        edges = mesh_edges(local.reshape(-1, 3))
        points = positions[self.vertices]
        length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
        weight = np.median(length) / np.maximum(length, 0.2 * np.median(length))
        size = len(self.vertices)
        adjacency = coo_matrix((weight, (edges[:, 0], edges[:, 1])), shape=(size, size))
        adjacency = (adjacency + adjacency.T).tocsr()
        self.laplacian: csr_matrix = diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency

    def membrane(
        self, values: np.ndarray, confidence: np.ndarray, reach: float = 25.0, stiffness: float = 0.3,
        rest: np.ndarray | float = 0.0,
    ) -> np.ndarray:
        """Spread values from where they are known.

        Args:
            values: (V, C).
            confidence: (V,) in [0, 1], how well each value is known.
            reach: over about how many edges a value is carried before it dies down to ``rest``.
            stiffness: smoothing among known values.
            rest: (V, C) or a number, what the membrane falls back to.

        Returns:
            (V, C) float32, ``rest`` at vertices outside the graph.
        """
        known = confidence[self.vertices].astype(np.float64)
        rest = np.broadcast_to(np.asarray(rest, np.float64), values.shape)
        pull = stiffness / reach**2
        system = (diags(known + pull) + stiffness * self.laplacian).tocsc()
        goal = known[:, None] * values[self.vertices] + pull * rest[self.vertices]
        out = np.array(rest, np.float32)
        # Symmetric and diagonally dominant: no pivoting is needed, and an ordering for symmetric matrices fills in less.
        solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        out[self.vertices] = solver.solve(goal)
        return out
