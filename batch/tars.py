"""Results as WebDataset tars: one tar a batch, in which the files of a photo stand together under its key.

A store of a billion small objects is slow and dear; tars of a hundred megabytes are neither. A tar is written
aside and named when it is whole, and only then do the records of its photos, which name it, reach the manifest.
So a kill costs the batch in hand and nothing else. When photos are done again they get a new tar; the manifest
says which one counts, and a tar that no record names is removed when a run ends.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

from batch.manifest import Record
from facerecon.images import atomic_write

FOLDER = "shards"


def pack(folder: Path, records: Sequence[Record]) -> tuple[Path | None, list[Record]]:
    """Packs the files that records name, relative to ``folder``, into ``shards/DIGEST.tar`` there.

    Members are called ``KEY.FOLDER_REST``, such as ``album/a.heads_00.glb``, and ``KEY.json`` holds the record.

    Returns:
        The tar (None where no photo was done), and the records, which name it instead of the files.
    """
    done = [record for record in records if record.status == "done"]
    if not done:
        return None, list(records)
    label = json.dumps([[record.name, record.content, record.settings] for record in done])
    tar = folder / FOLDER / f"{hashlib.sha256(label.encode()).hexdigest()[:16]}.tar"
    with atomic_write(tar) as part, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        for record in done:
            for file in sorted(record.files):
                _add(archive, member_name(record.name, file), (folder / file).read_bytes())
            text = json.dumps({**asdict(record), "files": [member_name(record.name, file) for file in record.files]})
            _add(archive, f"{key(record.name)}.json", text.encode())
    held = (tar.relative_to(folder).as_posix(),)
    return tar, [replace(record, files=held) if record.status == "done" else record for record in records]


def key(name: str) -> str:
    """A photo's name as WebDataset takes it: the last part without dots, and distinct where that changed it."""
    path = PurePosixPath(name)
    if "." not in path.name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return path.with_name(f"{path.name.replace('.', '_')}_{digest}").as_posix()


def member_name(name: str, file: str) -> str:
    """What a photo's file is called in a tar: ``heads/album/a_00.glb`` of ``album/a`` is ``album/a.heads_00.glb``."""
    folder, _, rest = file.partition("/")
    return f"{key(name)}.{folder}{rest.removeprefix(name)}"


def unnamed(tars: Iterable[str], records: Iterable[Record]) -> list[str]:
    """Those of ``tars`` (paths below the place) that no record names."""
    left = set(tars)
    for record in records:
        left.difference_update(record.files)
    return sorted(left)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
