"""Run scripts/twitter_etl.py as users do: a process of its own, its exit code, its last line. Or only its transform."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import signal
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


def run_here(*arguments: str, stdin: bytes = b"") -> Run:
    """The same in this process, which takes a fraction of the time. What a run changes in a process is put back."""
    import twitter_etl

    out, err = io.StringIO(), io.StringIO()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    on_sigterm, real_stdin = signal.getsignal(signal.SIGTERM), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = twitter_etl.main(list(arguments))
    finally:
        sys.stdin = real_stdin
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        signal.signal(signal.SIGTERM, on_sigterm)
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Run(code, json.loads(out.getvalue().splitlines()[-1]), err.getvalue())


def rows_in(lake: Path) -> list[dict[str, str]]:
    """The cells of all days by column, as Python's csv reads them."""
    rows: list[dict[str, str]] = []
    for file in sorted(lake.glob("twitter/dt=*/refined_tweets.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            rows += list(csv.DictReader(stream, strict=True))
    return rows


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
