"""``python -m batch``."""

from batch.main import app

app(prog_name="python -m batch")
