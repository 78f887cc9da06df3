"""Many visitors at once: who waits how long, who gets an error, how much memory the server takes.

    python -m tests.ui.many_visitors --visitors 20

Starts ``app.py`` on a free port with the shipped weights, lets every visitor send another
photo of ``examples/`` to ``/run`` at the same moment, and prints a line of JSON. Not a test
of pytest: it needs a quiet machine and a minute. ``--url`` measures a server that runs already
(its memory with ``--pid``). Memory is read from ``/proc``, so on Linux alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import gradio_client

ROOT = Path(__file__).parents[2]
START_SECONDS = 300


def main() -> int:
    """0 where nobody got an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--url", default=None)
    parser.add_argument("--pid", type=int, default=None)
    options = parser.parse_args()
    server, url, pid = None, options.url, options.pid
    with tempfile.TemporaryDirectory() as cache:
        if url is None:
            server, url = start(cache)
            pid = server.pid
        try:
            figures = measure(url, pid, options.visitors)
            print(json.dumps(figures, indent=1))
        finally:
            if server is not None:
                server.terminate()
                server.wait()
    return 1 if figures["errors"] else 0


def start(cache: str) -> tuple[subprocess.Popen, str]:
    """The server and its address, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(Path(cache) / "gradio")}
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=environment)
    url, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5)
            return server, url
        except OSError:
            time.sleep(0.5)
    server.terminate()
    raise TimeoutError(f"the page did not answer within {START_SECONDS} seconds")


def measure(url: str, pid: int | None, visitors: int) -> dict[str, object]:
    """Sends every visitor at once; seconds, errors and megabytes."""
    suffixes = (".jpg", ".png")
    photos = cycle(sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in suffixes))
    guests = [(Visitor(url), next(photos)) for _ in range(visitors)]
    before = memory_mb(pid)
    together = threading.Barrier(visitors)
    started = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        answers = list(pool.map(lambda guest: guest[0].visit(guest[1], together), guests))
    waits = sorted(seconds for seconds, _ in answers)
    errors = [error for _, error in answers if error]
    return {
        "visitors": visitors,
        "cores": os.cpu_count(),
        "errors": errors,
        "seconds": {
            "first": round(waits[0], 1),
            "median": round(statistics.median(waits), 1),
            "last": round(waits[-1], 1),
            "all": round(time.perf_counter() - started, 1),
        },
        "memory_mb": {"before": before, "after": memory_mb(pid), "peak": memory_mb(pid, "VmHWM")},
    }


class Visitor:
    """One visitor with a session of their own."""

    def __init__(self, url: str) -> None:
        self.client = gradio_client.Client(url, verbose=False, download_files=False, httpx_kwargs={"timeout": 600})

    def visit(self, photo: Path, together: threading.Barrier) -> tuple[float, str]:
        """Seconds until the answer, and the error where there was one."""
        together.wait()
        started, error = time.perf_counter(), ""
        try:
            _, files, _ = self.client.predict(gradio_client.handle_file(photo), api_name="/run")
            error = "" if files else "no head came back"
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        return time.perf_counter() - started, error


def memory_mb(pid: int | None, key: str = "VmRSS") -> int | None:
    """Megabytes of a process now (``VmRSS``) or at most so far (``VmHWM``)."""
    if pid is None:
        return None
    found = re.search(rf"{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return round(int(found[1]) / 1024) if found else None


if __name__ == "__main__":
    sys.exit(main())
