"""What every command of ``train`` does around its work: errors that a user can mend become one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from facerecon.types import FaceReconError

_SAFETENSORS = "No such file or directory: "  # begins its errors, which have no file name
STOPPED = 130  # exit code of Ctrl-C


def command(main: Callable[[], Any]) -> Any:
    """Calls ``main``; a missing file, or whatever else has a sentence, ends the process with that and code 1."""
    try:
        return main()
    except FaceReconError as error:
        sys.exit(str(error))
    except FileNotFoundError as error:
        sys.exit(missing(error))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(STOPPED)


def missing(error: FileNotFoundError) -> str:
    """A sentence about a file that is not there; those who raise the error themselves have one already."""
    said = str(error)
    file = said.removeprefix(_SAFETENSORS) if said.startswith(_SAFETENSORS) else error.filename
    return said if file is None else f"There is no {file}: look at what the options should be given, and what is to be run before."
