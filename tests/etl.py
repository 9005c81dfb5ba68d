"""Run scripts/twitter_etl.py as users do: a process of its own, its exit code, its last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "twitter_etl.py"


@dataclass(frozen=True)
class Run:
    code: int
    summary: dict[str, Any]
    log: str

    @property
    def rows(self) -> int:
        return sum(day["rows"] for day in self.summary["days"])


def run_etl(*arguments: str, env: dict[str, str] | None = None, timeout_seconds: float = 60) -> Run:
    """One run with a bare environment plus `env`. The summary is the last line of standard output."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=bare | (env or {}),
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    return Run(done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr)
