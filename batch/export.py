"""``export``: heads of an earlier run in other formats, without the photos and the networks."""

from __future__ import annotations

import json
import time
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from batch.options import FAILED, OK, RunOptions, choices, grouped
from batch.session import Reporter, end_dry_run, session, would_do
from facerecon.output_names import video_record
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
    wanted = {name: formats if force else _missing(output, name, formats, file, own) for file, name in heads}
    todo = {name: kinds for name, kinds in wanted.items() if kinds}
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
                    _export_one(file, name, folder, output, todo[name], model)
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


def _missing(output: Path, name: str, formats: tuple[str, ...], parameters: Path, own: Container[str]) -> tuple[str, ...]:
    """The formats in which a head is not there, or of older parameters; the run's own files are of these."""
    files = {ending: f"heads/{name}.{ending}" for ending in formats}
    made = parameters.stat().st_mtime_ns

    def there(file: str) -> bool:
        return (output / file).is_file() and (file in own or (output / file).stat().st_mtime_ns >= made)

    return tuple(ending for ending, file in files.items() if not there(file))


def _files_of_the_run(output: Path) -> frozenset[str]:
    """What runs themselves wrote: a little older than the parameters, and better, as it has the wrinkles, or a video's clip."""
    from batch.manifest import Manifest
    from batch.photo_task import RECONSTRUCTION
    from batch.place import MANIFEST

    records = Manifest(output / MANIFEST, shared=True).of_stage(RECONSTRUCTION)
    files = (*(file for record in records for file in record.files), *_files_of_videos(output))
    return frozenset(file for file in files if file.startswith("heads/"))


def _files_of_videos(output: Path) -> Iterator[str]:
    for record in video_record(output, "_").parent.glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):  # damaged: the video is done again
            yield from map(str, json.loads(record.read_text(encoding="utf-8"))["files"])
