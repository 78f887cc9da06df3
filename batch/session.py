"""What every command does around its work: errors become one sentence and an exit code; progress is shown."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.table import Table

from batch.options import BUSY, FAILED, STOPPED, RunOptions
from facerecon.types import FaceReconError

out, log = Console(), Console(stderr=True)
Thing = TypeVar("Thing")


class BusyError(FaceReconError):
    """Another run holds the output folder."""


@contextmanager
def session(options: RunOptions) -> Iterator[None]:
    """Ends the process with 130 on Ctrl-C, 3 on a busy folder and 1 on any other error that has a sentence."""
    _log_to_console()
    try:
        yield
    except KeyboardInterrupt:
        _last_word(options, "stopped", "Stopped. What is done is kept; run the same command again to go on.")
        raise typer.Exit(STOPPED) from None
    except FaceReconError as error:
        _last_word(options, "error", str(error))
        raise typer.Exit(BUSY if isinstance(error, BusyError) else FAILED) from None


def emit(event: str, **values: Any) -> None:
    """One line of JSON on standard output: ``{"event": ..., ...}``."""
    sys.stdout.write(json.dumps({"event": event, **values}, default=str) + "\n")
    sys.stdout.flush()


class Reporter:
    """Shows how far a command is: a bar, lines of JSON, or failures alone.

    Use it as a context manager; call :meth:`item` once for each photo and :meth:`finish` at the end.

    Args:
        options: ``quiet`` and ``json`` are read.
        total: how many items there are, or None while that is unknown.
        unit: what is counted.
    """

    def __init__(self, options: RunOptions, total: int | None, unit: str = "photos") -> None:
        self.options, self.total, self.unit = options, total, unit
        self.done = self.skipped = self.failed = self._fresh = 0
        self._started = time.perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(), console=log, disable=options.quiet or options.json,
        )  # fmt: skip
        self._task = self._bar.add_task(unit, total=total, rate="")

    def __enter__(self) -> Reporter:
        self._bar.start()
        if self.total is not None:
            self.expect(self.total)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def expect(self, total: int) -> None:
        """How many items there are, once that is known."""
        self.total = total
        self._bar.update(self._task, total=total)
        if self.options.json:
            emit("start", total=total, unit=self.unit)

    @property
    def per_second(self) -> float:
        """Items done or failed in this run (not those of an earlier one) a second."""
        return self._fresh / max(time.perf_counter() - self._started, 1e-9)

    def item(self, name: str, error: str | None = None, earlier: bool = False, seconds: float | None = None) -> None:
        """Takes note of an item: done, failed with a sentence, or ``earlier`` when a run before this one did it."""
        self.failed += error is not None
        self.skipped += earlier and error is None
        self.done += not earlier and error is None
        self._fresh += not earlier
        rate = f"{self.failed} failed, {self.per_second:.2f}/s"
        self._bar.update(self._task, advance=1, rate=rate)
        if self.options.json:
            status = "failed" if error else "skipped" if earlier else "done"
            emit("item", input=name, status=status, error=error, seconds=seconds, **self._counts())
        elif error is not None:
            when = " (before; --retry-failed tries again)" if earlier else ""
            log.print(f"[red]failed[/red] {escape(printable(name))}: {escape(error)}{when}", soft_wrap=True)

    def finish(self, where: str, rows: dict[str, Any] | None = None) -> None:
        """The last word: a table of what was done, and where it is.

        Args:
            where: the output folder.
            rows: further lines of the table.
        """
        seconds = time.perf_counter() - self._started
        if self.options.json:
            emit("end", output=where, elapsed=round(seconds, 2), **self._counts(), **(rows or {}))
        if self.options.quiet or self.options.json:
            return
        before = f", {self.skipped} done before" if self.skipped else ""
        table = Table(show_header=False, box=None)
        table.add_row(self.unit, f"{self.done} done{before}, {self.failed} failed")
        table.add_row("time", f"{seconds:.1f} s, {self.per_second:.2f} {self.unit} a second")
        for key, value in (rows or {}).items():
            table.add_row(key, escape(str(value)))
        table.add_row("results", escape(printable(where)))
        out.print(table)

    def _counts(self) -> dict[str, Any]:
        rate = self.per_second
        seen = self.done + self.skipped + self.failed
        left = None if self.total is None or rate == 0 else round((self.total - seen) / rate, 1)
        return {
            "done": self.done, "skipped": self.skipped, "failed": self.failed, "total": self.total,
            "per_second": round(rate, 3), "seconds_left": left,
        }  # fmt: skip


def follow(options: RunOptions, things: Sequence[Thing], what: str) -> Iterator[Thing]:
    """The things one by one, with a bar that says how far that is; silent with ``--quiet`` or ``--json``."""
    return track(things, description=what, console=log, disable=options.quiet or options.json, transient=True)


def printable(name: str) -> str:
    """A name on one line, whatever characters it holds."""
    return "".join(c if c.isprintable() else "?" for c in name)


def say(options: RunOptions, sentence: str) -> None:
    """A sentence for a person; silent with ``--quiet`` or ``--json``."""
    if not (options.quiet or options.json):
        out.print(escape(sentence), soft_wrap=True)


def would_do(options: RunOptions, item: str, sentence: str | None = None, **more: Any) -> None:
    """What a dry run says of an item that is still to do."""
    if options.json:
        emit("item", input=item, status="todo", **more)
    elif sentence is not None:
        say(options, sentence)


def end_dry_run(options: RunOptions, sentence: str, todo: int, skipped: int = 0, failed: int = 0) -> None:
    """The last word of a dry run."""
    if options.json:
        emit("end", todo=todo, skipped=skipped, failed=failed, dry_run=True)
    say(options, sentence)


def _last_word(options: RunOptions, event: str, sentence: str) -> None:
    if options.json:
        emit(event, sentence=sentence)
    colour = "yellow" if event == "stopped" else "red"
    log.print(f"[{colour}]{escape(sentence)}[/{colour}]", soft_wrap=True)


def _log_to_console() -> None:
    logger = logging.getLogger("facerecon")
    logger.propagate = False
    if not any(isinstance(handler, _ConsoleHandler) for handler in logger.handlers):
        logger.addHandler(_ConsoleHandler(logging.WARNING))


class _ConsoleHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.print(f"[yellow]note[/yellow] {escape(printable(record.getMessage()))}", soft_wrap=True)
