"""What a process costs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """Of one process with all its threads."""

    cpu_seconds: float  # user and system
    wall_seconds: float
    peak_rss_mib: float
    output: str  # standard output


def cost_of(
    command: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    while_running: Callable[[subprocess.Popen[str]], None] | None = None,
) -> Cost:
    """Run a command to its end. Raises CalledProcessError with its messages when it fails.

    `while_running` is called once with the process; it should return when the process ends.
    """
    began = time.monotonic()
    with (CACHE / "stdout").open("w+") as out, (CACHE / "stderr").open("w+") as messages:
        process = subprocess.Popen(command, env=environment() | (env or {}), stdout=out, stderr=messages, text=True)
        if while_running:
            while_running(process)
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        messages.seek(0)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, out.read(), messages.read()[-2000:])
        return Cost(usage.ru_utime + usage.ru_stime, wall_seconds, usage.ru_maxrss * 1024 / MIB, out.read())


def environment() -> dict[str, str]:
    """This process's, but modules may be loaded compiled, as they are installed on a host."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
