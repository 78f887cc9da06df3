"""``evaluate``: one command a table of docs/BENCHMARKS.md."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from batch.options import Device, RunOptions, grouped
from batch.session import emit, out, say, session
from facerecon.types import FaceReconError

# Name of the table: module with its function, what --data is (None: needs none), one sentence.
TABLES = {
    "restoration": ("batch.measurements", "the folder with degradations.csv", "Restored photos against clean ones."),
    "identity": ("batch.measurements", "the folder with LFW/pairs.csv", "Verification of pairs of faces."),
    "clusters": ("batch.measurements", "the folder with LFW", "Photos grouped by person."),
    "demographics": ("batch.measurements", "UTKFace or FairFace", "Age, gender and ancestry, by group."),
    "head": ("batch.measurements", None, "Size and speed of the head model."),
    "way": ("batch.measurements", None, "Seconds and memory for one photo."),
    "throughput": ("batch.throughput", "a folder of photos", "Photos a second against a plain loop."),
}
# Those of train.reconstruction.evaluate, by name.
RECONSTRUCTION = {
    "landmarks": ("the folder with YTF/landmarks68.csv", "Landmarks of reconstructed heads."),
    "shape": ("a folder of train.reconstruction.prerender", "Vertex errors on rendered heads."),
    "now": ("NoW in its official layout", "Scans of the NoW challenge."),
    "scut": ("SCUT-FBP5500 in its official layout", "Landmarks by gender and ancestry."),
    "aflw2000": ("AFLW2000-3D in its official layout", "Landmarks by yaw."),
    "people": ("the folder with LFW", "Shapes of the same and of other people."),
}

Data = Annotated[Path, typer.Option("--data", exists=True, file_okay=False, help="What is measured on.")]
Output = Annotated[Path, typer.Option("--output-dir", "--output", "-o", help="Folder for NAME.json, NAME.md, NAME.png.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Measure on about so many photos only.")]


def register(app: typer.Typer) -> None:
    """Adds ``evaluate`` and its tables."""
    tables = typer.Typer(help="Measures one table of docs/BENCHMARKS.md.", no_args_is_help=True)
    for name, (module, data, sentence) in TABLES.items():
        tables.command(name)(grouped(_command(name, module, data, sentence)))
    for name, (data, sentence) in RECONSTRUCTION.items():
        tables.command(name)(grouped(_command(name, "", data, sentence)))
    app.add_typer(tables, name="evaluate")


def _command(name: str, module: str, data_is: str | None, sentence: str):  # noqa: ANN202
    """The command of one table."""

    def measured(data: Data, output_dir: Output, options: RunOptions, limit: Limit = None, device: Device = "auto") -> None:
        _measure(name, module, data, output_dir, options, limit, device)

    def unfed(output_dir: Output, options: RunOptions, device: Device = "auto") -> None:
        _measure(name, module, None, output_dir, options, None, device)

    command = unfed if data_is is None else measured
    where = f"\n\n--data is {data_is}." if data_is else ""
    example = f"\n\nExample: python -m batch evaluate {name} {'--data DATA ' if data_is else ''}-o results"
    command.__doc__ = sentence + where + example
    return command


def _measure(
    name: str, module: str, data: Path | None, output: Path, options: RunOptions, limit: int | None, device: str
) -> None:
    with session(options):
        if options.dry_run:
            say(options, f"{name} would be measured{'' if data is None else f' on {data}'}; results go to {output}.")
            return
        from batch.measurements import reconstruction
        from batch.tables import markdown, write_table

        try:
            if name in RECONSTRUCTION:
                table = reconstruction(name, data, device)
            else:
                table = getattr(import_module(module), name)(data, output, limit, device)
        except ImportError as error:
            raise FaceReconError(f"This table needs more packages ({error}): see requirements-train.txt.") from error
        output.mkdir(parents=True, exist_ok=True)
        files = write_table(table, output)
        if options.json:
            emit("table", name=name, files=[str(file) for file in files], values=table.values)
        elif not options.quiet:
            out.print(markdown(table), markup=False, soft_wrap=True)
            say(options, f"Written: {', '.join(map(str, files))}")
