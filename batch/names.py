"""What the results of a photo are called: readable, distinct, and never outside the output folder."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

LONGEST_NAME = 180  # bytes of a part of a name; file systems take 255 with our endings


def name_files(files: list[str]) -> Iterator[tuple[str, str]]:
    """Gives each file of a folder a name of its own.

    ``a.jpg`` is called ``a``. Where two would share a name, capitals aside, each takes
    its suffix in: ``a.jpg`` and ``a.png`` become ``a_jpg`` and ``a_png``; should that be
    taken as well, eight digits of its path's hash. Characters that cannot be printed or
    are no valid text become ``_``, steps up (``..``) vanish, and very long names are cut.

    Yields:
        (file, name), sorted by name.
    """
    files = sorted(files)
    files.sort(key=_key)
    if all(a != b for a, b in pairwise(map(_key, files))):
        yield from ((file, plain_stem(file)) for file in files)
        return
    forms: tuple[Callable[[str], str], ...] = (plain_stem, _stem_and_suffix, _stem_and_hash)
    level = dict.fromkeys(files, 0)
    while True:
        names = {file: forms[level[file]](file) for file in files}
        count = Counter(name.casefold() for name in names.values())
        crowded = [f for f in files if count[names[f].casefold()] > 1 and level[f] < len(forms) - 1]
        if not crowded:
            yield from names.items()
            return
        for file in crowded:
            level[file] += 1


def named(prefix: str, stem: str, relative: str, shared: bool) -> str:
    """A photo's name with its folders; with its path's hash where another folder is called the same."""
    name = "/".join(clean(part) for part in (prefix + stem).split("/") if part)
    return f"{name}_{_hash(relative)}" if shared else name


def plain_stem(file: str) -> str:
    """A path without its suffix, clean, and without steps up."""
    stem = os.path.splitext(file)[0]
    if "/" not in stem:
        return clean(stem)
    return "/".join(clean(part) for part in stem.split("/") if part not in ("", "..", ".")) or "_"


def clean(part: str) -> str:
    """A part of a path that any disk and any terminal takes."""
    if part.isalnum() and len(part) <= LONGEST_NAME // 4:
        return part
    kept = "".join(c if c.isprintable() and c not in '\\"' else "_" for c in part)
    raw = kept.encode()
    if len(raw) <= LONGEST_NAME:
        return kept if kept not in (".", "..") else "_"
    return f"{raw[: LONGEST_NAME - 10].decode(errors='ignore')}_{_hash(part)}"


def _key(file: str) -> str:
    return plain_stem(file).casefold()


def _stem_and_suffix(file: str) -> str:
    return f"{plain_stem(file)}_{os.path.splitext(file)[1][1:]}"


def _stem_and_hash(file: str) -> str:
    return f"{_stem_and_suffix(file)}_{_hash(file)}"


def _hash(text: str) -> str:
    return hashlib.sha256(name_bytes(text)).hexdigest()[:8]


def name_bytes(text: str) -> bytes:
    """A name's bytes, to be hashed; halves of surrogate pairs, which archives and other systems may hold, too."""
    return text.encode("utf-8", "surrogatepass")
