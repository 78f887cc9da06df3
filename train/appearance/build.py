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

SIZE = 1024
OCCLUSION_STRENGTHS = {"skin": 0.30, "mouth": 0.6, "tongue": 0.4, "teeth": 0.25, "gums": 0.4}
SCLERA = (79.0, 2.5, 4.0)
LID_SHADE = 0.12
COLOURS = {  # Lab, where no asset fits our layout
    "mouth": (34.0, 30.0, 16.0), "tongue": (56.0, 28.0, 14.0), "teeth": (85.0, 1.0, 11.0), "gums": (54.0, 31.0, 15.0),
}


def relative_skins(folder: Path, atlas: TextureAtlas, uv: np.ndarray, covered: np.ndarray) -> dict[str, np.ndarray]:
    """Every skin's Lab picture (S, S, 3) by name, less its mean over the face; the means are in its "tone" row."""
    face = covered & (atlas.masks["face"] > 0.99) & (atlas.masks["lips"] < 0.01)
    skins = {}
    for path in sorted((folder / "skins").glob("*.webp")):
        lab = sources.to_lab(sources.sample(sources.read_rgb(path), uv))
        skins[path.stem] = (lab - lab[face].mean(0), lab[face].mean(0))
    if not skins:
        raise FileNotFoundError(f"There are no skins in {folder / 'skins'}.")
    return skins


def mean_skin(skins: dict, atlas: TextureAtlas, covered: np.ndarray) -> np.ndarray:
    """Lab (S, S, 3) of the mean light skin; the painted hair of the dark ones would spoil the scalp."""
    light = [relative for name, (relative, _) in skins.items() if "light" in name]
    tone = np.mean([tone for name, (_, tone) in skins.items() if "light" in name], axis=0)
    mean = np.mean(light, axis=0) + tone
    # Neck and sockets have no colours of their own: they carry on those of the skin beside them.
    vertices, known = atlas.gather(mean.astype(np.float32), covered.astype(np.float32))
    spread = atlas.spread(atlas.graph.membrane(vertices, (known > 0.5).astype(np.float32), reach=200, rest=tone))
    edge = cv2.GaussianBlur(cv2.erode(covered.astype(np.float32), np.ones((9, 9))), (0, 0), 3)[..., None]
    edge = np.where(covered[..., None], edge, 0)
    skin = edge * mean + (1 - edge) * spread
    return 0.5 * (skin + atlas.flip(skin.astype(np.float32)))


def hair_layers(skins: dict, atlas: TextureAtlas, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where hair usually grows (S, S) in [0, 1], read from the skins with painted hair, and its strands."""
    dark = np.mean([relative[..., 0] for name, (relative, _) in skins.items() if "dark" in name], axis=0)
    dark = cv2.GaussianBlur(np.where(covered, dark, 0).astype(np.float32), (0, 0), 2)
    depth = np.percentile(dark[covered & (atlas.masks["scalp"] > 0.99)], 30)
    growth = np.clip((dark / depth - 0.25) / 0.6, 0, 1)
    # Lids, nostrils and the like are dark too, but no hair grows on them.
    front = np.maximum(atlas.masks["face"], atlas.masks["ears"])
    points = atlas.spread(atlas.template)
    low = np.clip((points[..., 1] - 0.030) / 0.02, 0, 1)  # 3 cm above the eyes
    allowed = np.where(front > 0.5, low * (atlas.masks["ears"] < 0.5), 1.0)
    growth *= allowed * (atlas.masks["neck"] < 0.5) * atlas.skin
    vertices, _ = atlas.gather(growth[..., None].astype(np.float32), atlas.skin.astype(np.float32))
    smooth = atlas.spread(vertices)[..., 0]
    growth = np.clip(0.5 * (smooth + growth), 0, 1)
    growth = 0.5 * (growth + atlas.flip(growth.astype(np.float32)))
    stubble = next(relative[..., 0] for name, (relative, _) in skins.items() if name.startswith("middleage_light") and name.endswith("male_diffuse2"))
    cover = covered.astype(np.float32)
    around = cv2.GaussianBlur(stubble * cover, (0, 0), 4) / np.maximum(cv2.GaussianBlur(cover, (0, 0), 4), 0.05)
    stubble = stubble - around
    stubble = np.where(covered, stubble / stubble[atlas.masks["scalp"] > 0.99].std(), 0)
    return growth, 0.75 * surface.hair_strands(atlas) + 0.35 * stubble


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
        outside = [sources.sample_eye(picture, np.maximum(angle, 1.25 * sources.IRIS_DEGREES), turn) for picture in pictures]
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
    skins = relative_skins(folder, atlas, uv, covered)
    lab = mean_skin(skins, atlas, covered)
    growth, strands = hair_layers(skins, atlas, covered)
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
    main()
