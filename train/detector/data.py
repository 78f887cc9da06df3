"""Batches of scenes that depend on nothing but seed, rank and step."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facerecon.faces.align import MIRROR_5, MIRROR_68
from train.detector.assign import assign
from train.detector.config import TrainConfig
from train.detector.losses import Targets
from train.detector.photograph import photograph
from train.detector.scenes import Composer, Scene


class SceneBatches(Dataset):
    """Item ``step`` is the whole batch of that step: pictures (B, S, S, 3) uint8 and their targets."""

    def __init__(self, composer: Composer, config: TrainConfig, seed: int = 0, rank: int = 0) -> None:
        self.composer, self.config, self.seed, self.rank = composer, config, seed, rank

    def __getitem__(self, step: int) -> tuple[Tensor, Targets]:
        rng = np.random.default_rng((self.seed, self.rank, step))
        scenes = []
        for _ in range(self.config.scenes):
            scene = self.composer.scene(rng, composed_side(self.config, rng))
            for view in range(self.config.views):
                scenes.append(photographed(mirrored(scene) if view % 2 else scene, self.config.size, rng))
        return collate(scenes)


def composed_side(config: TrainConfig, rng: np.random.Generator) -> int:
    """How large a scene is composed, pixels: as it is to be, or smaller, to be enlarged."""
    return int(rng.choice(config.composed)) if rng.random() < config.closer else config.size


def photographed(scene: Scene, size: int, rng: np.random.Generator) -> Scene:
    """A photo of the scene, enlarged where that is not ``size`` pixels wide and high."""
    scene = replace(scene, image=photograph(scene.image, rng))
    return scene if scene.image.shape[0] == size else enlarged(scene, size)


def enlarged(scene: Scene, size: int) -> Scene:
    """The photographed scene as a closer look has it, ``size`` pixels wide and high."""
    scale = size / scene.image.shape[0]
    boxes, points, landmarks = (
        [((p + 0.5) * scale - 0.5).astype(np.float32) for p in places] for places in (scene.boxes, scene.points, scene.landmarks)
    )
    return Scene(cv2.resize(scene.image, (size, size), interpolation=cv2.INTER_CUBIC), boxes, points, scene.ignored, landmarks)


def mirrored(scene: Scene) -> Scene:
    """The scene in a mirror."""
    width = scene.image.shape[1]
    boxes = [np.array([width - 1 - b[2], b[1], width - 1 - b[0], b[3]], np.float32) for b in scene.boxes]
    points = [(p * np.float32([-1, 1]) + np.float32([width - 1, 0]))[MIRROR_5] for p in scene.points]
    landmarks = [(p * np.float32([-1, 1]) + np.float32([width - 1, 0]))[MIRROR_68] for p in scene.landmarks]
    return Scene(np.ascontiguousarray(scene.image[:, ::-1]), boxes, points, scene.ignored, landmarks)


def collate(scenes: list[Scene]) -> tuple[Tensor, Targets]:
    """Scenes of one size as pictures (B, H, W, 3) uint8 and targets."""
    cells, boxes, points, silent = [], [], [], []
    for i, scene in enumerate(scenes):
        found, faces, quiet = assign(scene)
        cells.append(found + i * len(quiet))
        silent.append(quiet)
        boxes += [scene.boxes[f] for f in faces]
        points += [scene.points[f] for f in faces]
    targets = Targets(
        torch.from_numpy(np.concatenate(cells)),
        torch.from_numpy(np.array(boxes, np.float32).reshape(-1, 4)),
        torch.from_numpy(np.array(points, np.float32).reshape(-1, 5, 2)),
        torch.from_numpy(np.stack(silent)),
    )
    return torch.from_numpy(np.stack([scene.image for scene in scenes])), targets
