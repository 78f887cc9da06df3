"""The tables of docs/BENCHMARKS.md: what measures each, and how it is written down."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
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
    for file, text in zip(files, (json.dumps(_for_json(table.values), indent=1) + "\n", markdown(table))):
        with atomic_write(file) as part:
            part.write_text(text, encoding="utf-8")
    picture = folder / f"{table.name}.png"
    return files + [picture] if plot(table, picture) else files


def sections(table: Table) -> Iterator[tuple[list[str], list[Row]]]:
    """Columns and rows of each part of a table whose rows tell of the same things, without columns that are empty there."""
    parts: list[tuple[set[int], list[Row]]] = []
    for _, group in groupby(table.rows, key=lambda row: str(row[0]).partition(" / ")[0]):
        rows = list(group)
        filled = {i for row in rows for i, cell in enumerate(row) if i == 0 or cell != ""}
        if parts and parts[-1][0] == filled:
            parts[-1][1].extend(rows)
        else:
            parts.append((filled, rows))
    for filled, rows in parts:
        columns = sorted(filled)
        yield [table.columns[i] for i in columns], [[row[i] for i in columns] for row in rows]


def markdown(table: Table) -> str:
    """The table as docs/BENCHMARKS.md has it."""
    lines = [f"## {table.title}", ""] + ([table.note, ""] if table.note else [])
    for columns, rows in sections(table):
        lines += [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        lines += [*(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows), ""]
    return "\n".join(lines)


def plot(table: Table, file: Path) -> bool:
    """A bar chart a column, as their units differ; False where matplotlib is missing or nothing is to be drawn."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return False
    parts = [(columns, rows, _numeric(table, columns, rows)) for columns, rows in sections(table)]
    parts = [part for part in parts if part[2]]
    if not parts:
        return False
    heights = [0.3 * len(rows) + 1.0 for _, rows, _ in parts]
    width = min(2.6 * max(len(numeric) for _, _, numeric in parts) + 2, 20)
    figure = pyplot.figure(figsize=(width, sum(heights) + 0.4), layout="constrained")
    figure.suptitle(table.title, fontsize=10)
    for (columns, rows, numeric), part in zip(parts, figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]):
        axes = part.subplots(1, len(numeric), sharey=True, squeeze=False)[0]
        axes[0].set_yticks(range(len(rows)), [str(row[0]) for row in rows])
        axes[0].set_ylim(len(rows) - 0.4, -0.6)
        for axis, column in zip(axes, numeric):
            places = [i for i, row in enumerate(rows) if _is_number(row[column])]
            bars = axis.barh(places, [rows[i][column] for i in places], color="#4878a8")
            axis.bar_label(bars, [f"{rows[i][column]:.4g}" for i in places], padding=2, fontsize=7)
            axis.margins(x=0.3)
            axis.set_title(columns[column], fontsize=9)
            axis.tick_params(labelsize=7)
    with atomic_write(file) as part_file:
        figure.savefig(part_file, dpi=110, format="png")
    pyplot.close(figure)
    return True


def _numeric(table: Table, columns: list[str], rows: list[Row]) -> list[int]:
    """Columns to draw."""
    wanted = [i for i, name in enumerate(columns) if i and (not table.chart or name in table.chart)]
    return [i for i in wanted if any(_is_number(row[i]) for row in rows)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _groups(values: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    own = {key: value for key, value in values.items() if not isinstance(value, dict)}
    if own:
        yield path, own
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _groups(value, (*path, str(key)))


def _for_json(value: Any) -> Any:
    """The same with null for what was not there to be measured: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _for_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
    return str(value).replace("|", "\\|")
