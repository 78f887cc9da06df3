"""Trains one stage of the restoration network.

    python -m train.restoration.train --stage codebook --data DATA/faces --config small
    accelerate launch -m train.restoration.train --stage fidelity --data DATA/faces --resume latest
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facerecon.restoration.autoencoder import CodebookAutoencoder
from facerecon.restoration.cleaner import Cleaner
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.colouring import COLOUR_CONFIGS, ColourNetwork
from facerecon.restoration.configuration import CONFIGS
from facerecon.restoration.unet import ResidualUNet
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.landmarks.data import to_unit
from train.precision import MasterAdamW, to_bfloat16
from train.restoration.config import BEGINS_WITH, SCHEDULES, STAGES, StageConfig
from train.restoration.data import CleanFaces, batches
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


MONOCHROME = 0.012  # mean chroma below which a crop teaches no colours


class Stage:
    """A network, its losses and its optimizers; one call of :meth:`step` a batch."""

    def __init__(self, name: str, network: nn.Module, schedule: StageConfig, teacher: nn.Module | None) -> None:
        self.name, self.network, self.schedule, self.teacher = name, network, schedule, teacher
        if name == "transformer":
            trained = [*network.encoder.parameters(), *network.transformer.parameters()]
        else:
            trained = network.parameters()
        outer = [network.stem.weight, network.to_pixels.weight] if isinstance(network, ResidualUNet) else []
        share = 0.1 if outer else 1.0  # what the last layer of a correction learns is seen at once
        self.optimizer = MasterAdamW(trained, schedule.lr, ema=0.998, muon=schedule.muon, outer=outer, adam_share=share)
        self.judge = to_bfloat16(PatchDiscriminator())
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

    def step(self, step: int, clean: Tensor, degraded: Tensor) -> dict[str, float]:
        """One update; returns the losses by name."""
        adversarial = self.schedule.adversarial_weight and step >= self.schedule.adversarial_from * self.schedule.steps
        loss, logs, output, target, share = self._losses(clean, degraded)
        if adversarial:
            judged = share > 0
            output, target = (x[judged].to(torch.bfloat16) for x in (output, target))
            with torch.no_grad():
                real = self.judge(target)[1]
            logits, fake = self.judge(output)
            extra = adversarial_loss(logits, fake, real, share[judged]) * self.schedule.adversarial_weight
            loss, logs["adversarial"] = loss + extra, extra.item()
        self.optimizer.zero_grad()
        loss.backward()
        logs["norm"] = self.optimizer.step(cosine_lr(step, self.schedule.steps, self.schedule.lr))
        if adversarial and step % 2 == 0:
            self.judge_optimizer.zero_grad()
            doubt = hinge_discriminator(self.judge(target.detach())[0], self.judge(output.detach())[0])
            doubt.backward()
            self.judge_optimizer.step(cosine_lr(step, self.schedule.steps, self.schedule.judge_lr))
            logs["judge"] = doubt.item()
        return {"loss": loss.item(), **logs}

    def _losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        if self.name == "codebook":
            output, _, commitment = self.network(clean.to(torch.bfloat16))
            loss = charbonnier(output, clean).mean() + gradient_loss(output, clean).mean() + 0.1 * commitment
            logs = {"commitment": commitment.item(), "perplexity": float(self.network.codebook.perplexity())}
            return loss, logs, output, clean, torch.ones(len(clean))
        if self.name == "cleaner":
            return self._cleaner_losses(clean, degraded)
        if self.name == "colour":
            return self._colour_losses(clean, degraded)
        if self.name == "transformer":
            loss, logs = self._code_loss(self._predict_codes(degraded)[1], clean)
            return loss, logs, clean, clean, torch.ones(len(clean))
        return self._fidelity_losses(clean, degraded)

    def _cleaner_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """Each crop's root mean square error and its logarithm: what good photos lose weighs against what ruined ones gain."""
        output = self.network(degraded)
        before, after = _psnr(degraded, clean), _psnr(output, clean)
        gain = (after - before).detach()
        logs = {}
        for name, low, high in (("poor", 0, 26), ("fair", 26, 32), ("good", 32, 99)):
            within = (before >= low) & (before < high)
            logs[name] = gain[within].mean().item() if within.any() else 0.0
        error = (output - clean).square().flatten(1).mean(1)
        loss = 10 * error.add(1e-6).sqrt().mean() + 0.3 * error.add(1e-5).log10().mean()
        return loss, {"gain": gain.mean().item(), **logs}, output, clean, torch.zeros(len(clean))

    def _colour_losses(self, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict, Tensor, Tensor, Tensor]:
        """Chroma of the clean crop from luma, half of it that of the degraded one; the rarer, stronger colours weigh more."""
        truth = to_ycc(clean)[:, 1:]
        spoilt, shift, stretch = torch.rand(3, len(clean), 1, 1, 1)
        luma = to_ycc(torch.where(spoilt < 0.5, degraded, clean))[:, :1]
        luma = (luma * (0.8 + 0.4 * stretch) + 0.1 * (shift - 0.5)).clamp(0, 1)
        chroma = self.network(luma)
        coloured = truth.norm(dim=1, keepdim=True).mean((1, 2, 3), keepdim=True) > MONOCHROME
        weight = coloured * (1 + 4 * truth.norm(dim=1, keepdim=True))
        loss = 10 * (weight * (chroma - truth).abs()).mean()
        plain, mine = truth.norm(dim=1).mean(), (chroma - truth).norm(dim=1).mean()
        output = from_ycc(torch.cat([luma, chroma], 1))
        return loss, {"grey": plain.item() * 255, "coloured": mine.item() * 255}, output, clean, torch.zeros(len(clean))

    def _predict_codes(self, degraded: Tensor) -> tuple[list[Tensor], Tensor]:
        with torch.no_grad():
            cleaned = self.network.cleaner(degraded)
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
        network, w = self.network, torch.rand(len(clean), 1, 1, 1)
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


def _psnr(x: Tensor, y: Tensor) -> Tensor:
    return -10 * torch.log10((x - y).float().square().flatten(1).mean(1) + 1e-5)


def build(stage: str, config_name: str, weights: Path | None) -> tuple[nn.Module, nn.Module | None]:
    """The network of a stage and, after the first, the frozen stage-I network that names the true codes."""
    config = CONFIGS[config_name]
    if stage in ("cleaner", "colour"):
        return Cleaner(config) if stage == "cleaner" else ColourNetwork(COLOUR_CONFIGS[config_name]), None
    if stage == "codebook":
        return CodebookAutoencoder(config), None
    teacher, network = CodebookAutoencoder(config), CodeFormer(config)
    previous = load_file(weights / f"{BEGINS_WITH[stage]}.safetensors")
    teacher.load_state_dict(load_file(weights / "codebook.safetensors"))
    missing, unexpected = network.load_state_dict(previous, strict=False)
    network.cleaner.load_state_dict(load_file(weights / "cleaner.safetensors"))
    network.cleaner.requires_grad_(False)  # a stage of its own
    allowed = ("transformer.", "transforms.", "cleaner.") if stage == "transformer" else ()
    if unexpected or any(not m.startswith(allowed) for m in missing):
        raise SystemExit(f"The weights of the stage before do not fit: {missing + unexpected}.")
    return network, teacher.eval()


def save_samples(path: Path, network: nn.Module, clean: Tensor, degraded: Tensor) -> None:
    """A sheet: degraded, restored at 0, 0.5 and 1 (or the reconstruction), clean."""
    with torch.no_grad():
        if isinstance(network, CodeFormer):
            columns = [degraded, *(network(degraded, w) for w in (0.0, 0.5, 1.0)), clean]
        elif isinstance(network, Cleaner):
            columns = [degraded, network(degraded), clean]
        elif isinstance(network, ColourNetwork):
            luma = to_ycc(clean)[:, :1]
            columns = [luma.expand_as(clean), from_ycc(torch.cat([luma, network(luma)], 1)), clean]
        else:
            columns = [clean, network(clean.to(torch.bfloat16))[0]]
    rows = torch.cat([c[:6].float().clamp(0, 1) for c in columns], 3)
    sheet = (rows.permute(0, 2, 3, 1).flatten(0, 1) * 255).byte().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]))


def train(args: argparse.Namespace) -> None:
    """Runs a stage to its end, from the newest checkpoint if asked."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    folder = Path(args.output) / f"{args.config}-{args.stage}"
    schedule = SCHEDULES[args.config][args.stage]
    given = {name: value for name in ("steps", "lr") if (value := getattr(args, name)) is not None}
    schedule = replace(schedule, **given)
    network, teacher = build(args.stage, args.config, Path(args.output) / f"{args.config}-weights")
    if args.init:
        network.load_state_dict(load_file(args.init))
    network = to_bfloat16(network).train()
    if hasattr(network, "codebook"):
        network.codebook.float()
    stage = Stage(args.stage, network, schedule, to_bfloat16(teacher) if teacher else None)
    if teacher:
        teacher.codebook.float()
    state = load_checkpoint(folder, args.resume)
    first = state["step"] if state else 0
    if state:
        stage.load_state(state)
    faces = CleanFaces(Path(args.data), CONFIGS[args.config].image_size, limit=args.limit)
    accelerator.print(f"{args.stage}: {len(faces.images)} images, steps {first} to {schedule.steps}", flush=True)
    began, last_save = time.monotonic(), time.monotonic()
    stop = min(schedule.steps, args.stop_at or schedule.steps)
    stream = batches(faces, schedule.batch_size, first, stop, args.seed, args.workers, schedule.window)
    for step, (clean, degraded) in enumerate(stream, start=first):
        clean, degraded = (to_unit(x, torch.float32) for x in (clean, degraded))
        logs = stage.step(step, clean, degraded)
        if step % args.log_every == 0:
            rate = (step - first + 1) * schedule.batch_size / (time.monotonic() - began)
            print(f"{step} {rate:.1f}/s " + " ".join(f"{k} {v:.4f}" for k, v in logs.items()), flush=True)
        if step % args.sample_every == 0:
            save_samples(folder / "samples" / f"{step:06d}.png", network.eval(), clean, degraded)
            network.train()
        if time.monotonic() - last_save > args.save_seconds:
            save_checkpoint(folder, step + 1, stage.state())
            last_save = time.monotonic()
    save_checkpoint(folder, stop, stage.state())
    weights = Path(args.output) / f"{args.config}-weights"
    weights.mkdir(parents=True, exist_ok=True)
    averaged = {k: v.contiguous() for k, v in stage.optimizer.averaged_state(network).items()}
    save_file(averaged, weights / f"{args.stage}.safetensors")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--data", required=True, help="folder that holds the packs")
    parser.add_argument("--config", choices=list(SCHEDULES), default="small")
    parser.add_argument("--output", default="runs/restoration")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--init", help="weights of an earlier run of this stage to begin with")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--steps", type=int, help="length of the schedule, instead of the config's")
    parser.add_argument("--stop-at", type=int, help="stop after this step, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many images of each pack")
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--sample-every", type=int, default=250)
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    train(parse())
