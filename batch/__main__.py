"""``python -m batch``, or ``bin/facerecon``."""

import os

from batch.main import app

if __name__ == "__main__":  # workers import this module, too
    app(prog_name=os.environ.get("FACERECON_NAME", "python -m batch"))
