"""``export``: heads of an earlier run in other formats, without the photos and the networks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from batch.options import FAILED, OK, RunOptions, choices, grouped
from batch.session import Reporter, say, session
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
        failed = _export_all(input, output_dir or _folder_of(input), asked, force, options)
        raise typer.Exit(FAILED if failed else OK)


def _export_all(source: Path, output: Path, formats: tuple[str, ...], force: bool, options: RunOptions) -> int:
    from batch.stored_heads import find_parameters

    heads = list(find_parameters(source))
    todo = {name for _, name in heads if force or not _all_there(output, name, formats)}
    if options.dry_run:
        say(options, f"{len(todo)} of {len(heads)} heads would be written as {', '.join(formats)}.")
        return 0
    from facerecon.head.model import HeadModel

    model = HeadModel.from_pretrained()
    with Reporter(options, len(heads), unit="heads") as reporter:
        for file, name in heads:
            started, error = time.perf_counter(), None
            try:
                if name in todo:
                    _export_one(file, name, _folder_of(source), output, formats, model)
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


def _all_there(output: Path, name: str, formats: tuple[str, ...]) -> bool:
    stem = output / "heads" / name
    return all(stem.with_name(f"{stem.name}.{ending}").is_file() for ending in formats)


def _folder_of(source: Path) -> Path:
    """The output folder that holds ``parameters``."""
    for folder in (source, *source.parents):
        if folder.name == "parameters":
            return folder.parent
    return source if source.is_dir() else source.parent
