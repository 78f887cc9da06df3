"""``--config FILE.yaml``: any option of a command, read from a file.

The file holds one mapping, ``option: value``, with the long names of the options
(dashes or underscores). What is said on the command line stands before the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from batch.sentences import in_short

MAX_BYTES = 1_000_000
Scalar = str | int | float | bool


def apply_config(context: typer.Context, path: Path | None) -> Path | None:
    """Callback of ``--config``: takes the file's values as the defaults of the command's options.

    Raises:
        typer.BadParameter: the file cannot be used, or names an option that the command lacks.
    """
    if path is None or context.resilient_parsing:
        return path
    known = {name: parameter.name for parameter in context.command.params for name in _names(parameter, parameter.opts)}
    opposite = {name: p.name for p in context.command.params for name in _names(p, p.secondary_opts) if p.secondary_opts}
    switches = {parameter.name for parameter in context.command.params if getattr(parameter, "is_flag", False)}
    values: dict[str, Any] = {}
    for key, value in load_config(path).items():
        option = key.replace("_", "-")
        name = known.get(option, opposite.get(option))
        if name is None or name == "config":
            raise typer.BadParameter(f"{path.name} sets {key!r}, which is no option of this command.")
        if option in opposite:
            if not isinstance(value, bool):
                raise typer.BadParameter(f"{path.name}: the value of {key!r} must be yes or no.")
            value = not value
        elif isinstance(value, bool) and name not in switches:
            raise typer.BadParameter(f"{path.name}: the value of {key!r} must not be yes or no.")
        values[name] = value
    context.default_map = {**(context.default_map or {}), **values}
    return path


def load_config(path: Path) -> dict[str, Scalar]:
    """The options of a YAML file; a list of values becomes one text with commas.

    Only plain values are taken: tags that build objects, nested values and anything that
    is no mapping are refused.

    Raises:
        typer.BadParameter: one sentence on what is wrong with the file.
    """
    import yaml

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise typer.BadParameter(f"{path.name} is larger than a megabyte.")
        values = yaml.safe_load(raw.decode("utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, RecursionError) as error:
        raise typer.BadParameter(f"{path.name} is not plain YAML: {in_short(error)}.") from error
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise typer.BadParameter(f"{path.name} must hold lines of the form option: value.")
    return {_key(path, key): _plain(path, key, value) for key, value in values.items() if value is not None}


def _key(path: Path, key: object) -> str:
    if not isinstance(key, str):
        raise typer.BadParameter(f"{path.name} must hold lines of the form option: value; {key!r} is no option.")
    return key


def _plain(path: Path, key: object, value: object) -> Scalar:
    if isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, list) and all(isinstance(each, (str, int, float)) for each in value):
        return ",".join(str(each) for each in value)
    raise typer.BadParameter(f"{path.name}: the value of {key!r} must be a text, a number, yes, no, or a list of these.")


def _names(parameter: Any, options: list[str]) -> list[str]:
    """``output-dir`` for ``--output-dir``; an argument goes by its name."""
    long = [option[2:] for option in options if option.startswith("--")]
    return long or [parameter.name.replace("_", "-")]
