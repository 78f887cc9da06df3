"""Pure bfloat16 training with float32 master weights.

On CPUs with AMX, 3x3 convolutions run several times faster when weights and
activations are both bfloat16, and ``torch.autocast`` loses nearly all of that to
casts. So the network itself is bfloat16, and the optimizer keeps the float32
truth, as in Micikevicius et al., "Mixed Precision Training", ICLR 2018 (without
loss scaling, which bfloat16's exponent makes needless).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def to_bfloat16(module: nn.Module) -> nn.Module:
    """Casts the parameters and floating buffers of ``module`` in place, channels-last."""
    return module.to(torch.bfloat16).to(memory_format=torch.channels_last)


class MasterAdamW:
    """AdamW over float32 copies of a network's parameters.

    Args:
        parameters: the parameters of the network, of any floating dtype.
        lr: learning rate.
        betas: Adam's running averages.
        weight_decay: decoupled decay, applied to tensors of two or more dimensions.
        clip: largest global norm of the gradient.
        ema: decay of the exponential moving average of the weights, 0 for none.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        clip: float = 1.0,
        ema: float = 0.0,
    ) -> None:
        self.model_parameters = [p for p in parameters if p.requires_grad]
        self.masters = [p.detach().float().clone() for p in self.model_parameters]
        self.clip, self.ema_decay = clip, ema
        self.averages = [m.clone() for m in self.masters] if ema else []
        groups = [
            {"params": [m for m in self.masters if m.ndim >= 2], "weight_decay": weight_decay},
            {"params": [m for m in self.masters if m.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, betas=betas, fused=True)
        self.updates = 0

    def zero_grad(self) -> None:
        """Forgets the gradients of the network."""
        for p in self.model_parameters:
            p.grad = None

    @torch.no_grad()
    def step(self, lr: float | None = None) -> float:
        """One update from the network's gradients.

        Returns:
            The gradient's norm before clipping; an update with a norm that is not
            finite is left out.
        """
        if lr is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = lr
        for master, p in zip(self.masters, self.model_parameters):
            master.grad = None if p.grad is None else p.grad.float()
        norm = float(nn.utils.clip_grad_norm_(self.masters, self.clip))
        if norm == norm and norm != float("inf"):
            self.optimizer.step()
            self.updates += 1
            for master, p in zip(self.masters, self.model_parameters):
                p.copy_(master)
            if self.averages:
                decay = min(self.ema_decay, (1 + self.updates) / (10 + self.updates))
                torch._foreach_lerp_(self.averages, self.masters, 1 - decay)
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    @torch.no_grad()
    def averaged_state(self, module: nn.Module) -> dict[str, Tensor]:
        """The state of ``module`` in float32, with averaged weights where they are kept."""
        source = self.averages or self.masters
        by_id = {id(p): s for p, s in zip(self.model_parameters, source)}
        named = dict(module.named_parameters())
        return {
            k: (by_id[id(named[k])] if k in named and id(named[k]) in by_id else v).detach().float().clone()
            if v.is_floating_point()
            else v.clone()
            for k, v in module.state_dict().items()
        }

    def state_dict(self) -> dict:
        """Everything needed to go on with the same numbers."""
        return {
            "masters": self.masters,
            "averages": self.averages,
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        """Takes over a saved state and writes the weights into the network."""
        for mine, saved in zip(self.masters, state["masters"], strict=True):
            mine.copy_(saved)
        for mine, saved in zip(self.averages, state["averages"], strict=True):
            mine.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]
        for master, p in zip(self.masters, self.model_parameters):
            p.copy_(master)
