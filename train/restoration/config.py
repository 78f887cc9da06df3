"""What each stage of restoration training does, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

STAGES = ("codebook", "coarse", "cleaner", "transformer", "fidelity", "guidance", "colour", "texture")
# Which weights a stage begins with, beside those of the cleaner.
BEGINS_WITH = {"cleaner": "coarse", "transformer": "codebook", "fidelity": "transformer", "guidance": "fidelity"}
# Stages that need to see whole faces before they look at parts of them.
WHOLE_FACES = ("cleaner", "texture")


@dataclass(frozen=True)
class StageConfig:
    """One stage's schedule and losses.

    Attributes:
        steps: optimizer steps.
        batch_size: crops a step.
        lr: peak learning rate.
        code_weight: cross entropy of the predicted codes.
        adversarial_weight: hinge loss of the generator, at fidelity 0.
        adversarial_from: share of the steps after which the discriminator joins.
        muon: Muon instead of AdamW for convolutions and matrices.
        judge_lr: peak learning rate of the discriminator.
        window: side of the crops, pixels; the network's own where None. Of ``WHOLE_FACES``: of the part that is learned from.
    """

    steps: int
    batch_size: int = 16
    lr: float = 6e-4
    code_weight: float = 0.0
    adversarial_weight: float = 0.0
    adversarial_from: float = 0.5
    muon: bool = False
    judge_lr: float = 3e-4
    window: int | None = None


SMALL = {
    "codebook": StageConfig(1400, adversarial_weight=0.02, adversarial_from=0.6),
    "transformer": StageConfig(700, lr=4e-4, code_weight=1.0),
    "fidelity": StageConfig(2400, 8, code_weight=0.02, adversarial_weight=0.01, adversarial_from=0.7),
    "guidance": StageConfig(1200, 16, lr=1e-3, code_weight=1.0, muon=True),
    "coarse": StageConfig(4400, 32, 2.5e-3, muon=True),
    "cleaner": StageConfig(5600, 24, 2.5e-3, muon=True, window=128),
    "colour": StageConfig(420, 48, 2e-3, muon=True, window=128),
    "texture": StageConfig(600, 16, 2e-3, muon=True, window=128),
}
TINY = {
    "codebook": StageConfig(6, 2, adversarial_weight=0.02),
    "transformer": StageConfig(6, 2, code_weight=1.0),
    "fidelity": StageConfig(6, 2, code_weight=0.02, adversarial_weight=0.02),
    "guidance": StageConfig(6, 2, code_weight=1.0),
    "coarse": StageConfig(6, 2, muon=True),
    "cleaner": StageConfig(6, 2, muon=True, window=24),
    "colour": StageConfig(6, 2, muon=True, window=24),
    "texture": StageConfig(6, 2, muon=True, window=24),
}
PAPER = {
    "codebook": StageConfig(1_500_000, 8, 7e-5, adversarial_weight=0.8, adversarial_from=0.02),
    "transformer": StageConfig(200_000, 8, 1e-4, code_weight=0.5),
    "fidelity": StageConfig(20_000, 8, 5e-5, code_weight=0.5, adversarial_weight=0.8, adversarial_from=0.0),
    "guidance": StageConfig(50_000, 16, 1e-4, code_weight=1.0),
    "coarse": StageConfig(300_000, 16, 2e-4),
    "cleaner": StageConfig(300_000, 8, 2e-4, window=256),
    "colour": StageConfig(300_000, 16, 2e-4, window=256),
    "texture": StageConfig(300_000, 16, 2e-4, window=256),
}
SCHEDULES = {"tiny": TINY, "small": SMALL, "paper": PAPER}
