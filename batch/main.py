"""The command line: one module a command, put together here."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec

import typer

COMMANDS = (
    "run", "restore", "reconstruct", "video", "restore_samples", "label", "embed", "cluster",
    "export", "evaluate", "doctor",
)  # fmt: skip

app = typer.Typer(
    help="Restores photos of faces and rebuilds the heads in them. Run the same command again to go on after a stop. "
    "Exit codes: 0 all well, 1 something failed, 2 a wrong option, 3 the output folder is in use, 130 stopped.",
    no_args_is_help=True,
    add_completion="FACERECON_NAME" in os.environ,  # shells complete what has a name of its own: bin/facerecon
    pretty_exceptions_enable=False,
)

for _command in COMMANDS:
    if find_spec(f"batch.{_command}") is not None:
        import_module(f"batch.{_command}").register(app)
