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
        muon: update matrices and convolutions by Muon (Jordan et al., "Muon: An optimizer for
            hidden layers in neural networks", 2024) at the same learning rate, the rest by AdamW.
        outer: matrices of a network's first and last layers, which Muon should leave to AdamW: it moves all directions
            alike, and at the door most of them are noise.
        adam_share: AdamW's learning rate beside Muon's.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        clip: float = 1.0,
        ema: float = 0.0,
        muon: bool = False,
        outer: Iterable[nn.Parameter] = (),
        adam_share: float = 1.0,
    ) -> None:
        self.model_parameters = [p for p in parameters if p.requires_grad]
        apart = {id(p) for p in outer}
        self.masters = [p.detach().float().clone(memory_format=torch.contiguous_format) for p in self.model_parameters]
        self.clip, self.ema_decay = clip, ema
        self.adam_share = adam_share if muon else 1.0
        self.averages = [m.clone() for m in self.masters] if ema else []
        matrices = [m for m in self.masters if m.ndim >= 2]
        hidden = [m for m, p in zip(self.masters, self.model_parameters) if m.ndim >= 2 and id(p) not in apart]
        # Muon takes two dimensions; a view shares the memory of its master.
        self.views = {id(m): m.view(len(m), -1) for m in hidden} if muon else {}
        groups = [
            {"params": [m for m in matrices if id(m) not in self.views], "weight_decay": weight_decay},
            {"params": [m for m in self.masters if m.ndim < 2], "weight_decay": 0.0},
        ]
        groups = [g for g in groups if g["params"]]
        self.optimizers: list[torch.optim.Optimizer] = []
        if groups:
            self.optimizers.append(torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True))
        if self.views:
            views = list(self.views.values())
            self.optimizers.append(
                torch.optim.Muon(views, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            )
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
            for optimizer in self.optimizers:
                share = self.adam_share if isinstance(optimizer, torch.optim.AdamW) else 1.0
                for group in optimizer.param_groups:
                    group["lr"] = lr * share
        for master, p in zip(self.masters, self.model_parameters):
            master.grad = None if p.grad is None else p.grad.float()
        norm = float(nn.utils.clip_grad_norm_(self.masters, self.clip))
        if norm == norm and norm != float("inf"):
            self._update()
            self.updates += 1
            for master, p in zip(self.masters, self.model_parameters):
                p.copy_(master)
            if self.averages:
                decay = min(self.ema_decay, (1 + self.updates) / (10 + self.updates))
                torch._foreach_lerp_(self.averages, self.masters, 1 - decay)
        for master in self.masters:
            master.grad = None
        return norm

    def _update(self) -> None:
        for master in self.masters:
            view = self.views.get(id(master))
            if view is not None:
                view.grad = None if master.grad is None else master.grad.reshape(view.shape)
        for optimizer in self.optimizers:
            optimizer.step()

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
            "optimizers": [o.state_dict() for o in self.optimizers],
            "updates": self.updates,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        """Takes over a saved state and writes the weights into the network."""
        for mine, saved in zip(self.masters, state["masters"], strict=True):
            mine.copy_(saved)
        for mine, saved in zip(self.averages, state["averages"], strict=True):
            mine.copy_(saved)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.updates = state["updates"]
        for master, p in zip(self.masters, self.model_parameters):
            p.copy_(master)
