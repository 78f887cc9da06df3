"""The stages of restoration training: which part of the network learns, from which losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from facerecon.restoration.cleaner import corrected, shrink
from facerecon.restoration.conditioning import CONDITION_PARTS
from facerecon.restoration.texture import bands
from facerecon.restoration.unet import ResidualUNet
from train.checkpointing import cosine_lr
from train.precision import MasterAdamW, to_bfloat16
from train.processes import descend
from train.restoration.config import StageConfig
from train.restoration.losses import (
    PatchDiscriminator,
    adversarial_loss,
    charbonnier,
    from_ycc,
    gradient_loss,
    hinge_discriminator,
    to_ycc,
    unsharp,
)

UNTOLD = 0.25  # share of the people of whom nothing is told, and of those whose age, gender or race is left out
UNGUIDED = 0.15  # share of the crops that the cleaner sees at full size without a guess, as it does a photo's background
MONOCHROME = 0.012  # mean chroma below which a crop teaches no colours


class Stage:
    """A network, its losses and its optimizers; one call of :meth:`step` a batch."""

    def __init__(
        self, name: str, network: nn.Module, schedule: StageConfig, teacher: nn.Module | None, accelerator: Accelerator
    ) -> None:
        self.name, self.network, self.schedule, self.teacher = name, network, schedule, teacher
        self.accelerator = accelerator
        if name == "transformer":
            trained = [*network.encoder.parameters(), *network.transformer.parameters()]
        else:
            trained = network.transformer.parameters() if name == "guidance" else network.parameters()
        outer = [network.stem.weight, network.to_pixels.weight] if isinstance(network, ResidualUNet) else []
        share = 0.1 if outer else 1.0  # what the last layer of a correction learns is seen at once
        self.optimizer = MasterAdamW(trained, schedule.lr, ema=0.998, muon=schedule.muon, outer=outer, adam_share=share)
        self.judge = to_bfloat16(PatchDiscriminator()).to(accelerator.device)
        self.judge_optimizer = MasterAdamW(self.judge.parameters(), schedule.judge_lr, betas=(0.5, 0.9))

    def state(self) -> dict:
        """For a checkpoint; the codebook is a buffer, so the network's own state goes along."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "judge": self.judge_optimizer.state_dict(),
        }

    def load_state(self, state: dict) -> None:
        """Takes over a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.judge_optimizer.load_state_dict(state["judge"])

    def step(self, step: int, clean: Tensor, degraded: Tensor, condition: Tensor) -> dict[str, float]:
        """One update; returns the losses by name."""
        adversarial = self.schedule.adversarial_weight and step >= self.schedule.adversarial_from * self.schedule.steps
        loss, logs, output, target, share = self._losses(clean, degraded, condition)
        if adversarial:
            judged = share > 0
            output, target = (x[judged].to(torch.bfloat16) for x in (output, target))
            with torch.no_grad():
                real = self.judge(target)[1]
            logits, fake = self.judge(output)
            extra = adversarial_loss(logits, fake, real, share[judged]) * self.schedule.adversarial_weight
            loss, logs["adversarial"] = loss + extra, extra.item()
        logs["norm"] = descend(self.accelerator, loss, cosine_lr(step, self.schedule.steps, self.schedule.lr), self.optimizer)
        if adversarial and step % 2 == 0:
            doubt = hinge_discriminator(self.judge(target.detach())[0], self.judge(output.detach())[0])
            descend(self.accelerator, doubt, cosine_lr(step, self.schedule.steps, self.schedule.judge_lr), self.judge_optimizer)
            logs["judge"] = doubt.item()
        if self.name == "codebook":
            self._share_codes()
        return {"loss": loss.item(), **logs}

    def _share_codes(self) -> None:
        """The codebook follows the features of all processes; each has seen its own."""
        if self.accelerator.num_processes > 1:
            book = self.network.codebook
            for part in (book.usage, book.sums):
                part.copy_(self.accelerator.reduce(part, "mean"))
            book.renew()

    def _losses(self, clean: Tensor, degraded: Tensor, condition: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        if self.name == "codebook":
            output, _, commitment = self.network(clean.to(torch.bfloat16))
            loss = charbonnier(output, clean).mean() + gradient_loss(output, clean).mean() + 0.1 * commitment
            logs = {"commitment": commitment.item(), "perplexity": float(self.network.codebook.perplexity())}
            return loss, logs, output, clean, torch.ones(len(clean), device=clean.device)
        if self.name in ("coarse", "cleaner"):
            return self._coarse_losses(clean, degraded) if self.name == "coarse" else self._cleaner_losses(clean, degraded)
        if self.name == "colour":
            return self._colour_losses(clean, degraded)
        if self.name == "transformer":
            loss, logs = self._code_loss(self._predict_codes(degraded)[1], clean)
            return loss, logs, clean, clean, torch.ones(len(clean), device=clean.device)
        if self.name == "guidance":
            return self._guidance_losses(clean, degraded, condition)
        return self._texture_losses(clean, degraded) if self.name == "texture" else self._fidelity_losses(clean, degraded)

    def _coarse_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """Whole faces, small."""
        output = self.network(degraded)
        return _error(output, clean), _gains(degraded, output, clean), output, clean, torch.zeros(len(clean), device=clean.device)

    def _cleaner_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """A part of each face at full size, mostly with what was cleaned small as its guess."""
        network, window = self.network, self.schedule.window
        with torch.no_grad():
            small = shrink(degraded, network.coarse.size)
            guided = (torch.rand(len(clean), 1, 1, 1) > UNGUIDED).to(clean.device) * (network.coarse(small) - small)
        guess = corrected(degraded, guided)
        y, x = torch.randint(clean.shape[-1] - window + 1, (2,)).tolist()
        clean, degraded, guess = (part[..., y : y + window, x : x + window] for part in (clean, degraded, guess))
        output = network(degraded, guess)
        logs = _gains(degraded, output, clean)
        logs["coarse"] = (_psnr(guess, clean) - _psnr(degraded, clean)).mean().item()
        return _error(output, clean), logs, output, clean, torch.zeros(len(clean), device=clean.device)

    def _colour_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """Chroma of the clean crop from luma, half of it that of the degraded one; the rarer, stronger colours weigh more."""
        truth = to_ycc(clean)[:, 1:]
        spoilt, shift, stretch = torch.rand(3, len(clean), 1, 1, 1).to(clean.device)
        luma = to_ycc(torch.where(spoilt < 0.5, degraded, clean))[:, :1]
        luma = (luma * (0.8 + 0.4 * stretch) + 0.1 * (shift - 0.5)).clamp(0, 1)
        chroma = self.network(luma)
        coloured = truth.norm(dim=1, keepdim=True).mean((1, 2, 3), keepdim=True) > MONOCHROME
        weight = coloured * (1 + 4 * truth.norm(dim=1, keepdim=True))
        loss = 10 * (weight * (chroma - truth).abs()).mean()
        plain, mine = truth.norm(dim=1).mean(), (chroma - truth).norm(dim=1).mean()
        output = from_ycc(torch.cat([luma, chroma], 1))
        return loss, {"grey": plain.item() * 255, "coloured": mine.item() * 255}, output, clean, torch.zeros(len(clean), device=clean.device)

    def _texture_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """How far the frozen cleaner's faces are from the clean ones in each band: the likelihood of a Gaussian."""
        with torch.no_grad():
            cleaned = self.teacher.coarse_to_fine(degraded).clamp(0, 1)
            missing = bands(to_ycc(clean - cleaned)[:, :1] * 255)
        window = self.schedule.window
        y, x = torch.randint(clean.shape[-1] - window + 1, (2,)).tolist()
        deviation = self.network(cleaned[..., y : y + window, x : x + window])
        missing = missing[..., y : y + window, x : x + window]
        loss = (2 * deviation.log() + (missing / deviation).square()).mean()
        logs = {"missing": missing.square().mean().sqrt().item(), "deviation": deviation.square().mean().sqrt().item()}
        return loss, logs, cleaned, clean, torch.zeros(len(clean), device=clean.device)

    def _guidance_losses(self, clean: Tensor, degraded: Tensor, condition: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """The code transformer alone, told who is in the photo, or some of it, or nothing."""
        count = len(condition)
        told = (torch.rand(count, 1) > UNTOLD).to(clean.device)
        kept = torch.rand(count, 3).gt(UNTOLD).repeat_interleave(torch.tensor(CONDITION_PARTS), 1).to(clean.device)
        with torch.no_grad():
            features = self.network.encoder(self.network.cleaner.coarse_to_fine(degraded).clamp(0, 1).to(torch.bfloat16))[0]
        loss, logs = self._code_loss(self.network.transformer(features[-1], condition * told * kept), clean)
        return loss, logs, clean, clean, torch.ones(count, device=clean.device)

    def _predict_codes(self, degraded: Tensor) -> tuple[list[Tensor], Tensor]:
        with torch.no_grad():
            cleaned = self.network.cleaner.coarse_to_fine(degraded)
        return self.network.predict_codes(cleaned)

    def _code_loss(self, logits: Tensor, clean: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Cross entropy of predicted codes against those that stage one gives the clean crops."""
        with torch.no_grad():
            features = self.teacher.encoder(clean.to(torch.bfloat16))[1].float().permute(0, 2, 3, 1).flatten(0, 2)
            truth = self.teacher.codebook.nearest(features)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), truth)
        accuracy = float((logits.detach().flatten(0, 1).argmax(1) == truth).float().mean())
        return loss, {"cross_entropy": loss.item(), "code_accuracy": accuracy}

    def _fidelity_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """Generated faces at all fidelities, one at 0: the lower, the crisper, and the more the adversary says."""
        network, w = self.network, torch.rand(len(clean), 1, 1, 1).to(clean.device)
        w[-1] = 0.0
        features, logits = self._predict_codes(degraded)
        output = network.decode(features, network.code_map(logits), w.to(torch.bfloat16))
        target = torch.lerp(unsharp(clean.float()), clean.float(), w)
        code_loss, logs = self._code_loss(logits, clean)
        pixels, edges = charbonnier(output, target).mean(), gradient_loss(output, target).mean()
        loss = pixels + edges + self.schedule.code_weight * code_loss
        with torch.no_grad():
            gain = _psnr(output, clean) - _psnr(degraded, clean)
        logs |= {"pixels": pixels.item(), "gain": gain.mean().item()}
        return loss, logs, output, target, (1 - w).flatten()


def _error(x: Tensor, y: Tensor) -> Tensor:
    """Mean square error, its root and its logarithm: what good photos lose weighs against what ruined ones gain."""
    error = (x - y).square().flatten(1).mean(1)
    return 60 * error.mean() + 6 * error.add(1e-6).sqrt().mean() + 0.2 * error.add(1e-5).log10().mean()


def _gains(degraded: Tensor, output: Tensor, clean: Tensor) -> dict[str, float]:
    """What was gained in dB, in the mean and by how bad the crops were."""
    before = _psnr(degraded, clean)
    gain = (_psnr(output, clean) - before).detach()
    logs = {"gain": gain.mean().item()}
    for name, low, high in (("poor", 0, 26), ("fair", 26, 32), ("good", 32, 99)):
        within = (before >= low) & (before < high)
        logs[name] = gain[within].mean().item() if within.any() else 0.0
    return logs


def _psnr(x: Tensor, y: Tensor) -> Tensor:
    return -10 * torch.log10((x - y).float().square().flatten(1).mean(1) + 1e-5)
