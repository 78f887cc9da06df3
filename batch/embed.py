"""``embed``: an embedding of every face, for looking people up."""

from __future__ import annotations

from pathlib import Path

import typer

from batch.options import FolderOutput, Input, JobOptions, grouped

TABLE = "embeddings.parquet"
_ROWS = 1024  # faces of a row group


def register(app: typer.Typer) -> None:
    """Adds ``embed``."""
    app.command()(grouped(embed))


def embed(
    input: Input,
    output_dir: FolderOutput,
    job: JobOptions,
) -> None:
    """Writes an embedding of every face into one Parquet table: faces of one person have a high dot product.

    Example: python -m batch embed photos -o out
    """
    from batch.embed_task import EmbedTask
    from batch.inputs import find_photos
    from batch.jobs import run_task
    from batch.place import need_a_folder
    from batch.ranks import Ranks
    from batch.session import session

    ranks, photos = Ranks.of_this_process(), job.photos
    task = EmbedTask(photos.chosen_faces(), photos.detector(), photos.max_side, device=ranks.device(job.engine.device))
    with session(job.run):
        _need_pyarrow()
        need_a_folder(output_dir, "embed")
        try:
            run_task(task, find_photos(input, output_dir, photos.recursive), output_dir, job)
        except typer.Exit:
            if not job.run.dry_run and ranks.rank == 0:
                write_table(Path(output_dir))
            raise


def write_table(output: Path) -> int:
    """Writes ``embeddings.parquet`` from the vectors of an output folder, a thousand faces at a time; gives their number."""
    import pyarrow as pa
    from pyarrow import parquet

    from batch.embed_task import StoredFace, stored_faces
    from facerecon.images import atomic_write

    def rows(faces: list[StoredFace]) -> dict[str, list]:
        columns: dict[str, list] = {"photo": [_text(f.photo) for f in faces], "name": [f.name for f in faces], "face": [f.index for f in faces]}
        columns["score"] = [f.score for f in faces]
        columns["box"] = [f.box.tolist() for f in faces]
        columns["points"] = [f.points.reshape(-1).tolist() for f in faces]
        columns["embedding"] = [f.embedding for f in faces]
        return columns

    def schema(length: int) -> pa.Schema:
        vector = {"box": 4, "points": 10, "embedding": length}
        plain = [("photo", pa.string()), ("name", pa.string()), ("face", pa.int32()), ("score", pa.float32())]
        return pa.schema(plain + [(key, pa.list_(pa.float32(), n)) for key, n in vector.items()])

    total, waiting = 0, []
    with atomic_write(output / TABLE) as part:
        writer = None
        for face in stored_faces(output):
            waiting.append(face)
            writer = writer or parquet.ParquetWriter(part, schema(len(face.embedding)))
            if len(waiting) == _ROWS:
                writer.write_table(pa.table(rows(waiting), writer.schema))
                total, waiting = total + len(waiting), []
        writer = writer or parquet.ParquetWriter(part, schema(0))
        writer.write_table(pa.table(rows(waiting), writer.schema))
        writer.close()
    return total + len(waiting)


def _text(name: str) -> str:
    """A file's name as valid text; bytes that are none are written out."""
    return name.encode("utf-8", "backslashreplace").decode()


def _need_pyarrow() -> None:
    from facerecon.types import FaceReconError

    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise FaceReconError("Parquet tables need pyarrow: run pip install pyarrow.") from None
