"""``cluster``: groups the faces of many photos by person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batch.options import FAILED, OK, FolderOutput, Input, JobOptions, grouped

_GROUPS = "Groups"
MinSize = Annotated[int, typer.Option("--min-size", min=2, help="Faces of the smallest group.", rich_help_panel=_GROUPS)]
Strictness = Annotated[
    float | None,
    typer.Option(
        min=-1, max=1, rich_help_panel=_GROUPS,
        help="Cosine with its group that a face must reach: higher keeps groups purer and smaller.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Adds ``cluster``."""
    app.command()(grouped(cluster))


def cluster(
    input: Input,
    output_dir: FolderOutput,
    job: JobOptions,
    min_size: MinSize = 2,
    strictness: Strictness = None,
) -> None:
    """Groups faces by person: clusters.csv, and a folder of crops with a contact sheet for each group.

    INPUT may also be the output folder of restore or run: its restored photos are taken.

    Example: python -m batch cluster out/restored -o people --recursive
    """
    from dataclasses import replace

    from batch.cluster_files import write_clusters
    from batch.embed_task import EmbedTask
    from batch.inputs import find_photos
    from batch.jobs import run_photos, run_task
    from batch.manifest import Record
    from batch.place import Place, need_a_folder
    from batch.session import Reporter, session
    from facerecon.identity import ClusterSettings

    settings = ClusterSettings(min_size=min_size)
    if strictness is not None:
        settings = replace(settings, least_similarity=strictness)
    photos = job.photos
    task = EmbedTask(photos.chosen_faces(), photos.detector(), photos.max_side, crops=True, device=job.engine.device)
    with session(job.run):
        need_a_folder(output_dir, "cluster")
        source, recursive = _restored(input, photos.recursive)
        listing = find_photos(source, output_dir, recursive)
        if job.run.dry_run:
            run_task(task, listing, output_dir, job)
        with Reporter(job.run, None) as reporter:

            def report(record: Record, earlier: bool) -> None:
                reporter.item(record.input, record.error, earlier, record.seconds)

            run_photos(task, listing, Place(output_dir), report, job.resume, job.engine, expect=reporter.expect)
        people, alone = write_clusters(Path(output_dir), settings)
        reporter.finish(output_dir, {"people": people, "faces alone": alone})
        raise typer.Exit(FAILED if reporter.failed else OK)


def _restored(source: str, recursive: bool) -> tuple[str, bool]:
    """The restored photos of an earlier run's output folder; anything else as it is."""
    restored = Path(source) / "restored"
    if (Path(source) / "manifest.jsonl").is_file() and restored.is_dir():
        return str(restored), True
    return source, recursive
