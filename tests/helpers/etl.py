"""Run scripts/twitter_etl.py as users do: a process of its own, its exit code, its last line. Or only its transform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tweetlake.raw import Page
from tweetlake.transform.rows import Rules

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "twitter_etl.py"


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


@dataclass(frozen=True)
class Collected:
    """What becomes of some pages, before it is written."""

    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    posts_in: int
    left_out: Counter[str]


def collect(pages: Iterable[Page], rules: Rules | None = None, day: date | None = None) -> Collected:
    """Transform, check and order these pages; with every kind of post unless `rules` says else."""
    from tweetlake.transform.collect import collected

    with collected(pages, rules or Rules(include_replies=True, include_retweets=True), day) as harvest:
        rows = [row for chunk in harvest.rows.chunks(None) for row in chunk.to_pylist()]
        assert len(rows) == harvest.rows.rows
        _, lines = harvest.rejects.of(None)
        rejects = [json.loads(line) for line in lines]
        return Collected(rows, rejects, harvest.posts_in, harvest.left_out)
