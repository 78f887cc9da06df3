"""``export``: heads of an earlier run in other formats, without the photos and the networks."""

from __future__ import annotations

import time
from collections.abc import Container
from pathlib import Path
from typing import Annotated

import typer

from batch.options import FAILED, OK, RunOptions, choices, grouped
from batch.session import Reporter, end_dry_run, session, would_do
from facerecon.types import FaceReconError

Source = Annotated[
    Path, typer.Argument(metavar="INPUT", help="An output folder of run or reconstruct, or one parameters/NAME_00.json.")
]
Formats = Annotated[str, typer.Option(help="Files of each head, with commas between: glb, obj, ply, gltf.")]
Output = Annotated[
    Path | None, typer.Option("--output-dir", "--output", "-o", help="Folder for heads/; by default that of INPUT.")
]
Force = Annotated[bool, typer.Option("--force", help="Write files again that are there.")]


def register(app: typer.Typer) -> None:
    """Adds ``export``."""
    app.command()(grouped(export))


def export(
    input: Source, options: RunOptions, output_dir: Output = None, formats: Formats = "obj,ply", force: Force = False
) -> None:
    """Writes heads of an earlier run in other formats, from their parameters.

    The texture is taken from heads/NAME_00.png or .glb where one of them is there.

    Example: python -m batch export out --formats gltf,ply
    """
    from facerecon.export import FORMATS

    asked = choices(formats, FORMATS, "--formats")
    if not asked:
        raise typer.BadParameter(f"Say which: {', '.join(FORMATS)}.", param_hint="--formats")
    with session(options):
        failed = _export_all(input, output_dir, asked, force, options)
        raise typer.Exit(FAILED if failed else OK)


def _export_all(source: Path, target: Path | None, formats: tuple[str, ...], force: bool, options: RunOptions) -> int:
    from batch.stored_heads import find_parameters, output_folder

    folder = output_folder(source)
    output, heads = target or folder, list(find_parameters(source))
    own = _files_of_the_run(folder) if output.absolute() == folder else frozenset()
    todo = {name for file, name in heads if force or not _all_there(output, name, formats, file, own)}
    if options.dry_run:
        sentence = f"{len(todo)} of {len(heads)} heads would be written as {', '.join(formats)}."
        for name in sorted(todo):
            would_do(options, name)
        end_dry_run(options, sentence, len(todo), len(heads) - len(todo))
        return 0
    from facerecon.head.model import HeadModel

    model = HeadModel.from_pretrained()
    with Reporter(options, len(heads), unit="heads") as reporter:
        for file, name in heads:
            started, error = time.perf_counter(), None
            try:
                if name in todo:
                    _export_one(file, name, folder, output, formats, model)
            except FaceReconError as problem:
                error = str(problem)
            reporter.item(name, error, name not in todo, round(time.perf_counter() - started, 3))
    reporter.finish(str(output / "heads"))
    return reporter.failed


def _export_one(
    file: Path, name: str, source: Path, output: Path, formats: tuple[str, ...], model: object
) -> list[Path]:
    from batch.stored_heads import find_texture, read_head
    from facerecon.export import export_head

    texture = find_texture(source / "heads" / name)
    target = output / "heads" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return export_head(target, read_head(file, model, texture), model, formats)


def _all_there(output: Path, name: str, formats: tuple[str, ...], parameters: Path, own: Container[str]) -> bool:
    """Whether all files of a head are there and of these parameters: the run's own, or written after them."""
    for file in (f"heads/{name}.{ending}" for ending in formats):
        there = output / file
        if not there.is_file() or (file not in own and there.stat().st_mtime_ns < parameters.stat().st_mtime_ns):
            return False
    return True


def _files_of_the_run(output: Path) -> frozenset[str]:
    """What the run itself wrote: a little older than the parameters, and better, as it has the wrinkles."""
    from batch.manifest import Manifest
    from batch.photo_task import RECONSTRUCTION
    from batch.place import MANIFEST

    records = Manifest(output / MANIFEST, shared=True).of_stage(RECONSTRUCTION)
    return frozenset(file for record in records for file in record.files if file.startswith("heads/"))
