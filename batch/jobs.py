"""Does a task photo by photo, leaves out what is done, and goes on where one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import typer

from batch.batching import make_batches
from batch.engines import start
from batch.inputs import Listing, Photo
from batch.lock import locked
from batch.manifest import Manifest, Record
from batch.options import FAILED, OK, EngineOptions, JobOptions, ResumeOptions, RunOptions
from batch.place import MANIFEST, Place, Saver, need_one_machine
from batch.ranks import Ranks
from batch.resume import Progress, Report, Summary
from batch.session import Reporter, end_dry_run, printable, say, would_do
from batch.task import Task
from batch.worker import Worker


def run_task(
    task: Task,
    listing: Listing,
    output: str,
    job: JobOptions,
    hint: str | None = None,
    tars: bool = False,
    results: str | None = None,
) -> None:
    """A whole command: does a task with progress and ends with its exit code.

    Args:
        hint: a last sentence for people, when all went through.
        tars: results are packed into tars, see :mod:`batch.tars`.
        results: where people find what they asked for, if not at ``output``.

    Raises:
        typer.Exit: always; 0 when all is well, 1 when a photo failed.
        FaceReconError: see :func:`run_photos`.
    """
    place, ranks = Place(output, tars), Ranks.of_this_process()
    options = RunOptions(quiet=True) if ranks.rank else job.run  # the first process speaks for all
    if job.run.dry_run:
        _say_what_would_be_done(task, listing, place, options, job.resume)
        raise typer.Exit(OK)
    with Reporter(options, None) as reporter:

        def report(record: Record, earlier: bool) -> None:
            reporter.item(record.input, record.error, earlier, record.seconds)

        summary = run_photos(task, listing, place, report, job.resume, job.engine, ranks, reporter.expect)
    ranks.wait()
    reporter.finish(results or output)
    if hint and not summary.failed:
        say(options, hint)
    raise typer.Exit(FAILED if summary.failed else OK)


def run_photos(
    task: Task,
    listing: Iterable[Photo],
    place: Place,
    report: Report,
    resume: ResumeOptions = ResumeOptions(),
    engine: EngineOptions = EngineOptions(num_workers=0),
    ranks: Ranks = Ranks(),
    expect: Callable[[int], None] = lambda total: None,
) -> Summary:
    """Does every photo that has no valid record, and writes the statistics.

    A record is valid while the photo's bytes, the settings, the model versions and the
    files it names are unchanged. The failure of one photo is recorded; the others go on.

    Args:
        task: what is done.
        listing: the photos; gone through twice.
        place: where results go.
        report: told of each photo, in the order they end.
        resume: what to do again.
        engine: what does the work.
        ranks: which share of the photos is this process's.
        expect: told how many photos there are.

    Raises:
        BusyError: another run writes to the place.
        DiskFullError: nothing more can be written.
        FaceReconError: a network cannot be loaded.
    """
    need_one_machine(place, ranks)
    settings = _settings(task, place)
    with locked(place.home, ranks.member):
        if ranks.rank == 0:
            place.fetch_manifest()
        if place.remote:
            ranks.wait()  # the manifest is one file for all: who came late would take away what the others wrote
        manifest = Manifest(place.home / MANIFEST, shared=ranks.member is not None)
        run = Progress(task, place, manifest, settings, resume, report, shared=ranks.member is not None)
        total = run.survey(listing, ranks)
        expect(total)
        batches = make_batches(run.missing(ranks.share(listing)), engine.batch_size)
        saver = Saver(place)
        with closing(start(engine, Worker(task, place, run.key), batches, total)) as work:
            for records in work:
                run.take(records)
                saver.tick()
        run.finish()
    return run.summary


def _settings(task: Task, place: Place) -> dict[str, Any]:
    """All that changes the files of a photo."""
    return {**task.settings(), "versions": task.versions(), **({"tars": True} if place.tars else {})}


def _say_what_would_be_done(
    task: Task, listing: Listing, place: Place, options: RunOptions, resume: ResumeOptions
) -> None:
    todo = 0
    with place.manifest_to_read() as manifest:
        run = Progress(task, place, Manifest(manifest, shared=True), _settings(task, place), resume, lambda *_: None)
        for photo in run.missing(listing):
            todo += 1
            would_do(options, photo.relative, f"would do {printable(photo.relative)} as {photo.name}", name=photo.name)
    done, failed = run.summary.skipped, run.summary.failed
    sentence = f"{todo} would be done, {done} are done, {failed} failed before. Nothing was written."
    end_dry_run(options, sentence, todo, done, failed)
