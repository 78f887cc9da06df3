"""A few vertices of a head and how its coefficients move them, without the thousands of others."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.head import HeadModel

_TABLES = ("mean_coefficients", "identity_scale", "expression_scale", "age_table")


class VertexBasis(nn.Module):
    """Some vertices of a head, (U, 3) metres, and what demographics, identity and expression add to them.

    Linear: ``HeadModel.vertices`` also closes eyelids by the head's own size and keeps them off each other and the eyeball.
    Lids of closed eyes lie up to 3.5 mm elsewhere here. Nothing of it is stored with a network's weights, and it stays float32
    whatever becomes of the network: in bfloat16 a point of the face would be up to a quarter of a millimetre off.

    Args:
        head: whose vertices.
        used: (U,) which.
    """

    def __init__(self, head: HeadModel, used: Tensor) -> None:
        super().__init__()
        first = head.mean_coefficients.shape[1]
        self.counts = first, len(head.shape_basis) - first, len(head.expression_basis)
        bases = (basis.unflatten(-1, (-1, 3))[..., used, :] for basis in (head.shape_basis, head.expression_basis))
        self.register_buffer("template", head.template.unflatten(-1, (-1, 3))[used], persistent=False)
        self.register_buffer("moves", torch.cat(list(bases)), persistent=False)
        for name in _TABLES:
            self.register_buffer(name, getattr(head, name), persistent=False)

    @property
    def identity(self) -> Tensor:
        """(K, U, 3) metres for one standard deviation each."""
        return self.moves.split(self.counts)[1]

    @property
    def expression(self) -> Tensor:
        """(E, U, 3) metres."""
        return self.moves.split(self.counts)[2]

    def points(self, identity: Tensor, expression: Tensor, weights: Tensor) -> Tensor:
        """(B, U, 3) metres.

        Args:
            identity: (B, K) standard deviations, of all components or of the first ones.
            expression: (B, E).
            weights: (B, D) of the mean, see ``HeadModel.encode_demographics``.
        """
        scaled = identity * (weights @ self.identity_scale)[:, None], expression * (weights @ self.expression_scale)[:, None]
        scaled = F.pad(scaled[0], (0, self.counts[1] - identity.shape[1])), scaled[1]
        moved = torch.cat((weights @ self.mean_coefficients, *scaled), 1) @ self.moves.flatten(1)
        return self.template + moved.unflatten(1, (-1, 3))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> VertexBasis:
        return super()._apply(lambda tensor: tensor.to(fn(tensor.new_empty(0)).device), recurse)
