"""Registers every neutral scan of a set, for ``train.shape`` to learn from.

    python -m train.head.register_scans --layout facescape --data DIR --output runs/registered/facescape

Writes one ``SUBJECT.npz`` a person (see :data:`FIELDS`), aside first; people who are there already are
left alone, so a run may be stopped at any moment and begun again. Who fails is written to
``failed.json`` with the reason, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.progress import track

from facerecon.head import HeadModel
from facerecon.types import FaceReconError
from train.command_line import command
from train.data.scan_sets import SCAN_LAYOUTS, ScannedPerson, read_scan, scanned_people
from train.head.scan_fitting import RegisteredHead, Scan, ScanFitter

FIELDS = ("vertices", "rotation", "translation", "coefficients", "covered", "distance_mm", "photos", "age", "gender")
TOO_FAR_MM = 1.5  # median distance of a head that missed its scan


def write(file: Path, head: RegisteredHead, person: ScannedPerson) -> None:
    """One person's registered head with the photos that show them."""
    aside = file.with_name(f".{file.name}")
    np.savez_compressed(
        aside, vertices=head.vertices, rotation=head.rotation, translation=head.translation, coefficients=head.coefficients,
        covered=head.covered, distance_mm=head.distance_mm, photos=np.array([str(p.resolve()) for p in person.photos], dtype=str),
        age=np.nan if person.age is None else person.age, gender={"female": 0.0, "male": 1.0}.get(person.gender, np.nan),
    )  # fmt: skip
    aside.rename(file)


def register_people(people: list[ScannedPerson], output: Path, fitter: ScanFitter) -> dict[str, str]:
    """Registers whoever is not in ``output`` yet, and tells by subject why anybody failed."""
    output.mkdir(parents=True, exist_ok=True)
    failed = {}
    for person in track(people, description="Registering scans"):
        file = output / f"{person.subject}.npz"
        if file.exists():
            continue
        try:
            head = fitter.register(Scan(*read_scan(person.scan)))
            if head.distance_mm > TOO_FAR_MM:
                raise FaceReconError(f"The head lies {head.distance_mm:.1f} mm from the scan.")
            write(file, head, person)
        except FaceReconError as error:
            failed[person.subject] = str(error)
    (output / "failed.json").write_text(json.dumps(failed, indent=2))
    return failed


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", choices=list(SCAN_LAYOUTS), required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--head", type=Path, help="a head file other than the shipped one")
    parser.add_argument("--limit", type=int, help="at most so many people")
    args = parser.parse_args(argv)
    people = scanned_people(args.layout, args.data)[: args.limit]
    failed = register_people(people, args.output, ScanFitter(HeadModel.from_pretrained(args.head)))
    print(json.dumps({"people": len(people), "failed": len(failed)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(command(main))
