"""What a process costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    while_running: Callable[[int], None] | None = None,
) -> Cost:
    """Run a command to its end. Raises CalledProcessError with its messages when it fails.

    `while_running` is called once, with the process id of the launcher, whose only child the command is.
    """
    result = CACHE / "cost.json"
    launcher = [sys.executable, "-S", str(Path(__file__).with_name("launch.py")), str(result)]
    with (CACHE / "stdout").open("w+") as out, (CACHE / "stderr").open("w+") as messages:
        process = subprocess.Popen(
            [*launcher, *command], env=environment() | (env or {}), stdout=out, stderr=messages, text=True
        )
        if while_running:
            while_running(process.pid)
        code = process.wait()
        out.seek(0)
        messages.seek(0)
        if code:
            raise subprocess.CalledProcessError(code, command, out.read(), messages.read()[-2000:])
        return Cost(**json.loads(result.read_text()), output=out.read())


def environment() -> dict[str, str]:
    """This process's, but modules may be loaded compiled, as they are installed on a host."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
