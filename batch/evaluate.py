"""``evaluate``: one command a table of docs/BENCHMARKS.md."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from batch.benchmarks import BENCHMARKS, Asked, Benchmark
from batch.options import Device, RunOptions, grouped
from batch.session import emit, end_dry_run, out, say, session, would_do
from facerecon.types import FaceReconError

Data = Annotated[Path, typer.Option("--data", exists=True, help="What is measured on: a folder, or a tar of it where it is a dataset.")]
Output = Annotated[Path, typer.Option("--output-dir", "--output", "-o", help="Folder for NAME.json, NAME.md, NAME.png.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Measure on about so many only: quick, and rough.")]
Peers = Annotated[
    Path | None,
    typer.Option("--peers", exists=True, dir_okay=False, help="A Python with the judges and the rival (train/restoration/README.md)."),
]


def register(app: typer.Typer) -> None:
    """Adds ``evaluate`` and its tables."""
    tables = typer.Typer(
        help="Measures one table of docs/BENCHMARKS.md: results as JSON, Markdown and a plot.\n\n"
        "Example: python -m batch evaluate identity --data DATA/eval -o results --limit 100",
        no_args_is_help=True,
    )
    for name, benchmark in BENCHMARKS.items():
        tables.command(name)(grouped(_command(name, benchmark)))
    app.add_typer(tables, name="evaluate")


def _command(name: str, benchmark: Benchmark):  # noqa: ANN202
    """The command of one table, with the options that it can follow."""

    def command(output_dir: Path, options: RunOptions, device: str = "auto", **more: Any) -> None:
        _measure(benchmark, Asked(name, output_dir, device, **more), options)

    kinds = {"output_dir": Output, "options": RunOptions, "device": Device}
    kinds |= {"data": Data} if benchmark.data else {}
    kinds |= {"limit": Limit} if benchmark.limit else {}
    kinds |= {"peers": Peers} if benchmark.peers else {}
    defaults = {"device": "auto", "limit": None, "peers": None}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(key, inspect.Parameter.empty), annotation=kind)
            for key, kind in kinds.items()
        ]
    )
    command.__annotations__ = dict(kinds)
    where = f"\n\n--data is {benchmark.data}." if benchmark.data else ""
    example = f"python -m batch evaluate {name} {'--data DATA ' if benchmark.data else ''}-o results"
    command.__doc__ = f"{benchmark.sentence}{where}\n\nExample: {example}"
    return command


def _measure(benchmark: Benchmark, asked: Asked, options: RunOptions) -> None:
    with session(options):
        if options.dry_run:
            on = "" if asked.data is None else f" on {asked.data}"
            would_do(options, asked.name)
            end_dry_run(options, f"{asked.name} would be measured{on}; results go to {asked.output}.", 1)
            return
        from batch.tables import markdown, write_table
        from train.command_line import missing

        asked.output.mkdir(parents=True, exist_ok=True)
        try:
            table = benchmark.function()(asked)
        except ImportError as error:
            raise FaceReconError(f"This table needs more packages ({error}): see requirements-train.txt.") from error
        except FileNotFoundError as error:
            raise FaceReconError(missing(error)) from error
        if not table.rows:
            raise FaceReconError(f"There is nothing in {asked.data} that this table is measured on.")
        files = write_table(table, asked.output)
        if options.json:
            emit("table", name=asked.name, files=[str(file) for file in files], values=table.values)
        elif not options.quiet:
            out.print(markdown(table), markup=False, soft_wrap=True)
            say(options, f"Written: {', '.join(map(str, files))}")
