"""Runs a command and watches what it and all its processes take."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from facerecon.types import FaceReconError

ROOT = Path(__file__).resolve().parents[1]
_EVERY_S = 0.25


@dataclass
class Seen:
    """What a command took.

    Attributes:
        lines: its standard output.
        times: when each line came, seconds after the start.
        seconds: wall time.
        cpu_seconds: of all its processes together.
        peak_bytes: most memory at one time, shared pages counted once.
    """

    lines: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def watched(command: Sequence[str]) -> Seen:
    """Runs a command to its end.

    Raises:
        FaceReconError: it failed; photos that failed (exit code 1 after output) are no failure.
    """
    seen, started = Seen(), time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    watcher = threading.Thread(target=_watch, args=(process.pid, seen), daemon=True)
    watcher.start()
    for line in process.stdout or ():
        seen.lines.append(line)
        seen.times.append(time.perf_counter() - started)
    code = process.wait()
    seen.seconds = time.perf_counter() - started
    watcher.join()
    if code not in (0, 1) or not seen.lines:
        raise FaceReconError(f"The command {' '.join(command[:4])} ... ended with {code}.")
    return seen


def _watch(pid: int, seen: Seen) -> None:
    """Samples until the process is gone; CPU time of processes that end between samples is lost."""
    cpu: dict[int, float] = {}
    try:
        root = psutil.Process(pid)
        while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    times = process.cpu_times()
                    cpu[process.pid] = times.user + times.system
                    total += _memory(process)
                except psutil.Error:
                    continue
            seen.peak_bytes = max(seen.peak_bytes, total)
            seen.cpu_seconds = sum(cpu.values())
            time.sleep(_EVERY_S)
    except psutil.Error:
        return


def _memory(process: psutil.Process) -> int:
    """Proportional set size where the system tells it, else resident."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", 0) or full.rss)
