"""How near completed skin comes to the photo's own, with the statistical skin and with the mean skin; prints JSON.

    python -m train.skin.evaluate --data DATA/eval [--limit 24]

Of each photo a band of the face, on both sides, is hidden from completion, so that no mirror image helps: error of what
it puts there, as distance in CIE Lab from what the photo shows of skin.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from facerecon.images import load_image
from facerecon.reconstruction.detail_surface import window_slices
from facerecon.reconstruction.skin_modes import personal
from facerecon.reconstruction.texture_completion import accept, complete
from facerecon.reconstruction.texture_projection import PhotoTexels, project_photo
from facerecon.reconstruction.texture_tone import measure_tone
from train.command_line import command
from train.detail.prepare import ATLAS, Unwrapper, boxed
from train.identity.prepare import find_points

BANDS = {"forehead": (0, 85), "eyes_and_nose": (100, 160), "mouth_and_chin": (150, 235)}
"""First and last row of the face's window (256 rows)."""
FEWEST = 500  # texels to compare


def hidden(unwrapper: Unwrapper, texels: PhotoTexels, band: tuple[int, int]) -> tuple[float, float] | None:
    """Error with the mean skin and with the statistical one where the band hides it; None where it hides too little."""
    atlas, prior = unwrapper.atlas, unwrapper.prior
    accepted, likeness = accept(texels, atlas, prior, measure_tone(texels, atlas, prior))
    rows, columns = window_slices(ATLAS)
    hole = np.zeros(atlas.inside.shape, bool)
    hole[rows.start + band[0] : rows.start + band[1], columns] = True
    wanted = hole & (accepted > 0.7) & (likeness > 0.5) & (atlas.masks["face"] > 0.5)
    wanted &= (atlas.masks["lips"] < 0.1) & (atlas.masks["eyes"] < 0.1)
    if wanted.sum() < FEWEST:
        return None
    rest = replace(texels, trust=np.where(hole, 0, texels.trust).astype(np.float32))
    tone = measure_tone(rest, atlas, prior)
    shown = accept(rest, atlas, prior, tone)
    completed = (complete(rest, atlas, skin, tone, shown)[0] for skin in (prior, personal(prior, rest, shown, atlas, tone)))
    return tuple(float(np.linalg.norm((lab - texels.lab)[wanted], axis=-1).mean()) for lab in completed)


def evaluate(folder: Path, limit: int | None = None) -> dict[str, dict[str, float]]:
    """By band: photos, and the mean error with either skin."""
    files = sorted(file for file in folder.iterdir() if file.suffix in (".webp", ".png", ".jpg"))
    files = files[:: max(len(files) // limit, 1)] if limit else files
    unwrapper, errors = Unwrapper(), {name: [] for name in BANDS}
    for file in files:
        image = load_image(file)
        points = find_points(image)
        if points is None:
            continue
        parameters = unwrapper.reconstructor.encode([image], [boxed(points)])[0]
        texels = project_photo(image, parameters, unwrapper.reconstructor.geometry(parameters)[0], unwrapper.atlas)
        for name, band in BANDS.items():
            found = hidden(unwrapper, texels, band)
            errors[name] += [found] if found else []
    return {
        name: {"photos": len(pairs), "mean_skin": float(np.mean([a for a, _ in pairs])), "statistical_skin": float(np.mean([b for _, b in pairs]))}
        for name, pairs in errors.items()
        if pairs
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photos of faces, or the folder that has it as 'clean'")
    parser.add_argument("--limit", type=int, help="about so many photos")
    args = parser.parse_args()
    folder = args.data / "clean" if (args.data / "clean").is_dir() else args.data
    print(json.dumps(evaluate(folder, args.limit), indent=1))


if __name__ == "__main__":
    command(main)
