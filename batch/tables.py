"""The tables of docs/BENCHMARKS.md: what measures each, and how it is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facerecon.images import atomic_write

Row = list[Any]


@dataclass
class Table:
    """Results of one measurement.

    Attributes:
        name: file name without an ending.
        title: above the table.
        columns: headings, the first for the rows' names.
        rows: cells.
        values: all numbers, for JSON.
        note: a sentence on what was measured on.
        chart: columns to draw, of those with numbers; all of them by default.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[Row]
    values: dict[str, Any]
    note: str = ""
    chart: list[str] = field(default_factory=list)


def table_of(name: str, title: str, values: dict[str, Any], note: str = "") -> Table:
    """A table of nested results: a row for each group of numbers, called by its path; a column for each key."""
    groups = list(_groups(values, ()))
    keys = list(dict.fromkeys(key for _, group in groups for key in group))
    rows = [[" / ".join(path) or "all", *(group.get(key, "") for key in keys)] for path, group in groups]
    return Table(name, title, ["what", *(key.replace("_", " ") for key in keys)], rows, values, note)


def write_table(table: Table, folder: Path) -> list[Path]:
    """Writes ``NAME.json``, ``NAME.md`` and ``NAME.png``; the picture where matplotlib is installed."""
    files = [folder / f"{table.name}.json", folder / f"{table.name}.md"]
    for file, text in zip(files, (json.dumps(table.values, indent=1) + "\n", markdown(table))):
        with atomic_write(file) as part:
            part.write_text(text, encoding="utf-8")
    picture = folder / f"{table.name}.png"
    return files + [picture] if plot(table, picture) else files


def markdown(table: Table) -> str:
    """The table as docs/BENCHMARKS.md has it."""
    lines = [f"## {table.title}", ""] + ([table.note, ""] if table.note else [])
    lines += [f"| {' | '.join(table.columns)} |", f"|{'---|' * len(table.columns)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in table.rows]
    return "\n".join(lines) + "\n"


def plot(table: Table, file: Path) -> bool:
    """A bar chart a column, as their units differ; False where matplotlib is missing or nothing is to be drawn."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return False
    numeric = [
        i for i, name in enumerate(table.columns)
        if i and (not table.chart or name in table.chart) and any(isinstance(row[i], (int, float)) for row in table.rows)
    ]  # fmt: skip
    if not numeric:
        return False
    figure, axes = pyplot.subplots(
        1, len(numeric), figsize=(min(2.6 * len(numeric) + 1, 16), 0.3 * len(table.rows) + 1.6), squeeze=False
    )
    for axis, column in zip(axes[0], numeric):
        rows = [(str(row[0]), row[column]) for row in table.rows if isinstance(row[column], (int, float))]
        bars = axis.barh([name for name, _ in rows], [value for _, value in rows], color="#4878a8")
        axis.bar_label(bars, fmt="%.3g", padding=2, fontsize=7)
        axis.invert_yaxis()
        axis.margins(x=0.18)
        axis.set_title(table.columns[column], fontsize=9)
        axis.tick_params(labelsize=7)
        if column != numeric[0]:
            axis.set_yticklabels([])
    figure.suptitle(table.title, fontsize=10)
    figure.tight_layout()
    with atomic_write(file) as part:
        figure.savefig(part, dpi=120, format="png")
    pyplot.close(figure)
    return True


def _groups(values: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    own = {key: value for key, value in values.items() if not isinstance(value, dict)}
    if own:
        yield path, own
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _groups(value, (*path, str(key)))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
    return str(value).replace("|", "\\|")
