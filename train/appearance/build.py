"""Builds the mean skin that completes textures: ``python -m train.appearance.build``.

Reads the CC0 MakeHuman skins and eyes, writes ``weights/appearance/appearance.safetensors``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from facerecon.head import HeadModel
from facerecon.reconstruction.appearance import SHIPPED, write
from facerecon.reconstruction.texture_atlas import TextureAtlas, atlas_of
from train.appearance import sources, surface
from train.command_line import command

SIZE = 1024
OCCLUSION_STRENGTHS = {"skin": 0.30, "mouth": 0.6, "tongue": 0.4, "teeth": 0.25, "gums": 0.4}
STUBBLED = "middleage_lightskinned_male_diffuse2"
FOREHEAD_M = (0.030, 0.050)
"""Hair begins between these heights above the eyes."""
SCLERA = (79.0, 2.5, 4.0)
LID_SHADE = 0.12
COLOURS = {  # Lab, where no asset fits our layout
    "mouth": (34.0, 30.0, 16.0), "tongue": (56.0, 28.0, 14.0), "teeth": (85.0, 1.0, 11.0), "gums": (54.0, 31.0, 15.0),
}


def read_skins(folder: Path, uv: np.ndarray) -> dict[str, np.ndarray]:
    """Every skin's Lab picture (S, S, 3) by name, looked up at MakeHuman's ``uv`` (S, S, 2)."""
    paths = sorted((folder / "skins").glob("*.webp"))
    if not paths:
        raise FileNotFoundError(f"There are no skins in {folder / 'skins'}.")
    return {path.stem: sources.to_lab(sources.sample(sources.read_rgb(path), uv)) for path in paths}


def mean_skin(skins: dict[str, np.ndarray], atlas: TextureAtlas, covered: np.ndarray) -> np.ndarray:
    """Lab (S, S, 3) of the mean light skin; the painted hair of the dark ones would spoil the scalp."""
    mean = np.mean([lab for name, lab in skins.items() if "light" in name], axis=0, dtype=np.float32)
    # Neck and sockets have no colours of their own: they carry on those of the skin beside them.
    vertices, known = atlas.gather(mean, covered)
    rest = mean[covered].mean(0)
    spread = atlas.spread(atlas.graph.membrane(vertices, (known > 0.5).astype(np.float32), reach=200, rest=rest))
    edge = cv2.GaussianBlur(cv2.erode(covered.astype(np.float32), np.ones((9, 9))), (0, 0), 3)[..., None]
    skin = spread + np.where(covered[..., None], edge, 0) * (mean - spread)
    return 0.5 * (skin + atlas.flip(skin))


def hair_growth(skins: dict[str, np.ndarray], atlas: TextureAtlas, covered: np.ndarray) -> np.ndarray:
    """Where hair usually grows, (S, S) in [0, 1], read from the skins with painted hair."""
    dark = np.mean([lab[..., 0] for name, lab in skins.items() if "dark" in name], axis=0)
    face = covered & (atlas.masks["face"] > 0.99) & (atlas.masks["lips"] < 0.01)
    darker = cv2.GaussianBlur(np.where(covered, dark - dark[face].mean(), 0).astype(np.float32), (0, 0), 2)
    hair = np.percentile(darker[covered & (atlas.masks["scalp"] > 0.99)], 30)
    growth = np.clip((darker / hair - 0.25) / 0.6, 0, 1)
    # Lids, nostrils and the like are dark too, but no hair grows on them.
    front = np.clip((atlas.height - FOREHEAD_M[0]) / (FOREHEAD_M[1] - FOREHEAD_M[0]), 0, 1)
    growth *= np.where(atlas.masks["face"] > 0.5, front, 1)
    growth *= (atlas.masks["ears"] < 0.5) & (atlas.masks["neck"] < 0.5) & atlas.skin
    smooth = atlas.spread(atlas.gather(growth[..., None], atlas.skin)[0])[..., 0]
    growth = (0.5 * (smooth + growth)).astype(np.float32)[..., None]
    return 0.5 * (growth[..., 0] + atlas.flip(growth))


def stubble(lightness: np.ndarray, atlas: TextureAtlas, covered: np.ndarray) -> np.ndarray:
    """Fine detail (S, S) of a shaven scalp, deviation 1, zero where the skin has no picture."""
    cover = covered.astype(np.float32)
    around = cv2.GaussianBlur(lightness * cover, (0, 0), 4) / np.maximum(cv2.GaussianBlur(cover, (0, 0), 4), 0.05)
    fine = np.where(covered, lightness - around, 0)
    return fine / fine[covered & (atlas.masks["scalp"] > 0.99)].std()


def eye_layers(folder: Path, atlas: TextureAtlas) -> tuple[np.ndarray, np.ndarray]:
    """Sclera colour in Lab (S, S, 3), and (S, S, 3): iris brightness pattern, iris cover, pupil cover."""
    pictures = [sources.read_rgb(path) for path in sorted((folder / "eyes/materials").glob("*.webp"))]
    white, layers = np.zeros((SIZE, SIZE, 3), np.float32), np.zeros((SIZE, SIZE, 3), np.float32)
    for eye in ("left_eye", "right_eye"):
        angle, turn = sources.gaze_angles(atlas, eye)
        chart = atlas.material == atlas.material_labels.index(eye)
        share = angle / sources.IRIS_DEGREES
        eyes = [sources.to_lab(sources.sample_eye(picture, angle, turn)) for picture in pictures]
        # The white carries on under the iris.
        beyond = np.maximum(angle, 1.25 * sources.IRIS_DEGREES)
        outside = [sources.sample_eye(picture, beyond, turn) for picture in pictures]
        veins = sources.to_lab(np.mean(outside, axis=0))[chart]
        white[chart] = SCLERA + 0.8 * (veins - np.median(veins, axis=0))
        # The upper lid's shade lies on the ball, whatever the pose.
        above = np.clip(np.sin(np.radians(angle)) * np.sin(turn) / np.sin(np.radians(sources.IRIS_DEGREES)), 0, 1.5)
        white[chart, 0] *= 1 - LID_SHADE * above[chart] ** 2
        ring = chart & (share > 0.45) & (share < 0.85)
        pattern = np.mean([(lab[..., 0] - lab[ring][:, 0].mean()) / lab[ring][:, 0].std() for lab in eyes], axis=0)
        pattern = np.clip(pattern, -2.5, 2.5) - 2.2 * np.clip((share - 0.80) / 0.2, 0, 1) ** 2  # dark limbal ring
        layers[chart, 0] = pattern[chart]
        layers[chart, 1] = 1 - np.clip((share[chart] - 0.93) / 0.12, 0, 1)
        layers[chart, 2] = 1 - np.clip((share[chart] - sources.PUPIL_SHARE + 0.04) / 0.08, 0, 1)
    return white, layers


def build(folder: Path, head: HeadModel) -> dict[str, np.ndarray]:
    """The asset's pictures, (S, S, 3) uint8 each: see ``facerecon.reconstruction.appearance``."""
    atlas = atlas_of(head, SIZE)
    uv = sources.makehuman_coordinates(head, atlas)
    covered = sources.skin_coverage(folder, uv) & atlas.skin
    skins = read_skins(folder, uv)
    lab = mean_skin(skins, atlas, covered)
    growth = hair_growth(skins, atlas, covered)
    strands = 0.75 * surface.hair_strands(atlas) + 0.35 * stubble(skins[STUBBLED][..., 0], atlas, covered)
    white, eyes = eye_layers(folder, atlas)
    for name in ("left_eye", "right_eye"):
        chart = atlas.material == atlas.material_labels.index(name)
        lab[chart] = white[chart]
    for name, colour in COLOURS.items():
        lab[atlas.material == atlas.material_labels.index(name)] = colour
    occlusion = surface.occlusion(head)[:, None]
    smooth = atlas.graph.membrane(occlusion, np.ones(len(occlusion), np.float32), stiffness=1.0, rest=occlusion)
    shade = atlas.spread(smooth)[..., 0]
    for name in OCCLUSION_STRENGTHS:
        chart = atlas.material == atlas.material_labels.index(name)
        # Inside the mouth nothing sees much sky: what counts is how much less than its neighbours it sees.
        relative = shade[chart] if name == "skin" else np.clip(shade[chart] / np.percentile(shade[chart], 90), 0, 1)
        lab[chart, 0] *= 1 - OCCLUSION_STRENGTHS[name] * (1 - relative)
    lab = atlas.seams.heal(lab.astype(np.float32))
    colour = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    layers = np.stack([growth, _centred(strands), _centred(surface.pores(atlas))], axis=-1)
    eyes[..., 0] = _centred(eyes[..., 0])
    pictures = {"colour": colour, "layers": layers, "eyes": eyes}
    return {name: atlas.pad((np.clip(p, 0, 1) * 255 + 0.5).astype(np.uint8)) for name, p in pictures.items()}


def _centred(values: np.ndarray) -> np.ndarray:
    """Deviations to [0, 1]: 0.5 is the mean, 1/8 one standard deviation."""
    return 0.5 + values / 8


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/appearance"), help="folder of the CC0 assets")
    parser.add_argument("--output", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    head = HeadModel.from_pretrained()
    write(arguments.output, build(arguments.data, head), uv_count=len(head.uv))
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    command(main)
