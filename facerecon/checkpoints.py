"""Finds checkpoints: shipped with the repository, in the Hub cache, on the Hub."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from facerecon.types import FaceReconError

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
HUB_REPO_VARIABLE = "FACERECON_HUB_REPO"
HUB_TIMEOUT_S = 5.0
_absent: set[tuple[str, str]] = set()  # Hub repositories and what they were found not to have


class CheckpointError(FaceReconError):
    """A checkpoint that cannot be found or read, and where it was looked for."""


def find_checkpoint(name: str, revision: str | None = None) -> Path:
    """Where a checkpoint lies on this machine, downloaded from the Hub where need be.

    Looked for in this order: ``weights/NAME`` of the repository, the Hugging Face cache,
    the Hugging Face Hub. The Hub repository is named by ``FACERECON_HUB_REPO``; asking for
    a ``revision`` passes the shipped file by.

    Args:
        name: a file (``"head.safetensors"``) or a folder (``"restoration"``) below ``weights``.
        revision: branch, tag or commit of the Hub repository.

    Raises:
        CheckpointError: it is in none of the three places.
    """
    shipped = WEIGHTS / name
    if revision is None and _is_whole(shipped):
        return shipped
    repo = os.environ.get(HUB_REPO_VARIABLE)
    if not repo:
        reason = f"nor on the Hub, where no repository is named: set {HUB_REPO_VARIABLE}"
        raise CheckpointError(_not_found(name, reason))
    cached = _from_hub(repo, name, revision, local_only=True)
    if isinstance(cached, Path):
        return cached
    downloaded = _from_hub(repo, name, revision, local_only=False)
    if isinstance(downloaded, Path):
        return downloaded
    raise CheckpointError(_not_found(name, f"nor on the Hub ({repo}: {_first_line(downloaded)})"))


def find_optional(name: str) -> Path | None:
    """:func:`find_checkpoint` for what one can do without: None where it is not to be had.

    Without a Hub repository no network is asked, and no repository twice in a process for what it did not have.
    """
    repo = os.environ.get(HUB_REPO_VARIABLE, "")
    if not _is_whole(WEIGHTS / name) and (not repo or (repo, name) in _absent):
        return None
    try:
        return find_checkpoint(name)
    except CheckpointError:
        _absent.add((repo, name))
        return None


def checkpoint_version(path: Path) -> str:
    """Twelve digits of the SHA-256 of a checkpoint's file, or of all safetensors files of its folder."""
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.safetensors")) if path.is_dir() else [path]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, on the CPU.

    Raises:
        CheckpointError: the file is missing or is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file  # imports torch, which finding a file does not need

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"The checkpoint {path} cannot be read: {_first_line(error)}.") from error


def load_network(name: str, build: Callable[[dict], Network], path: str | Path | None = None) -> Network:
    """A network in float32 from the file ``NAME.safetensors``, whose metadata holds its config.

    Args:
        name: as for :func:`find_checkpoint`.
        build: from the config's values, lists made tuples, to the network without weights.
        path: a file or folder to take instead of the shipped one.

    Raises:
        CheckpointError: no checkpoint was found, or it does not fit.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    from facerecon.quantization import expand

    file = Path(path) if path else find_checkpoint(name)
    file = file / f"{name}.safetensors" if file.is_dir() else file
    try:
        with safe_open(str(file), "pt") as handle:
            network = build({k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(handle.metadata()["config"]).items()})
        network.load_state_dict(expand(load_file(file)))
    except Exception as error:
        raise CheckpointError(f"The {name} checkpoint {file.name} cannot be used: {error}") from error
    return network


def _is_whole(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.glob("*.safetensors")))


def _from_hub(repo: str, name: str, revision: str | None, local_only: bool) -> Path | Exception:
    """The file or folder of a Hub repository, or why it could not be had."""
    from huggingface_hub import snapshot_download  # not needed, and slow to import, where weights are shipped

    # Unlike hf_hub_download, which retries for 20 seconds, this gives up at once when offline.
    options = {"revision": revision, "local_files_only": local_only, "etag_timeout": HUB_TIMEOUT_S}
    try:
        found = Path(snapshot_download(repo, allow_patterns=[name, f"{name}/*"], **options)) / name
    except Exception as error:  # the Hub client raises many types when offline, refused or misnamed
        return error
    return found if _is_whole(found) else FileNotFoundError(f"it has no {name}")


def _not_found(name: str, hub: str) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    return f"The checkpoint {name} is neither in {WEIGHTS}, nor in the Hub cache ({HF_HUB_CACHE}), {hub}."


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
