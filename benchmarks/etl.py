"""The script and its peers on the same pages, each in a process of its own; and what came out, compared."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.csv
import pyarrow.parquet

from .daily import SCRIPT
from .measure import CACHE, Cost, cost_of
from .pages import BASE_POSTS, copies

TWARC = Path(".cache/twarc-venv/bin/twarc2").absolute()
# Without these twarc-csv drops every batch in which one of them occurs; its message names them.
TWARC_EXTRA_COLUMNS = (
    "note_tweet.text,note_tweet.entities.urls,note_tweet.entities.hashtags,note_tweet.entities.mentions,"
    "note_tweet.entities.cashtags,note_tweet.entities.annotations,author.public_metrics.like_count,article.title"
)
LAKE = CACHE / "lake"
PEER_CSV = CACHE / "peer.csv"
PEER_PARQUET = CACHE / "peer.parquet"
EVERYTHING = ("--include-replies", "--include-retweets")


@dataclass(frozen=True)
class Measured:
    """One process on so many posts."""

    posts: int
    cost: Cost

    @property
    def posts_per_cpu_second(self) -> float:
        return self.posts / self.cost.cpu_seconds


def script(pages: Path, posts: int, *, jobs: int = 1) -> Measured:
    """From raw pages to CSV, Parquet and manifest; with more `jobs` its memory is that of the largest process.
    Raises RuntimeError unless all posts became rows."""
    shutil.rmtree(LAKE, ignore_errors=True)
    options = [*EVERYTHING, "--jobs", str(jobs)]
    cost = cost_of([sys.executable, str(SCRIPT), "--from-raw", str(pages), "--to", str(LAKE), *options])
    summary = json.loads(cost.output.splitlines()[-1])
    landed = sum(day["rows"] for day in summary["days"])
    if landed != posts:
        raise RuntimeError(f"the script landed {landed} of {posts} posts: {summary}")
    return Measured(posts, cost)


def script_on_a_pipe(base: Path, posts: int, *, one_window: bool = False) -> Measured:
    """The same with pages that are made as they are read: millions need no disk."""
    with pipe(base, posts, one_window=one_window) as pages:
        return script(pages, posts)


@contextmanager
def pipe(base: Path, posts: int, *, one_window: bool) -> Iterator[Path]:
    """A named pipe that another process fills with pages."""
    path = CACHE / "pipe.jsonl"
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    arguments = [str(base), str(posts), "--to", str(path), *["--one-window"] * one_window]
    with subprocess.Popen([sys.executable, "-m", "benchmarks.pages", *arguments]) as feeder:
        try:
            yield path
        finally:
            feeder.kill()  # it waits for a reader, should the script have failed early
            path.unlink()


def twarc_csv(pages: Path, posts: int) -> Measured:
    """twarc-csv on the same file. Raises RuntimeError unless it has the same ids as the script."""
    options = ["--log", str(CACHE / "twarc.log"), "--bearer-token", "unused"]
    options += ["csv", "--extra-input-columns", TWARC_EXTRA_COLUMNS]
    cost = cost_of([str(TWARC), *options, str(pages), str(PEER_CSV)])
    compare_ids(posts)
    return Measured(posts, cost)


def tutorial(pages: Path, posts: int) -> Measured:
    """pandas.json_normalize on the same file."""
    cost = cost_of([sys.executable, "-m", "benchmarks.tutorial", str(pages), str(PEER_CSV)])
    compare_ids(posts)
    return Measured(posts, cost)


def duck(pages: Path, posts: int) -> Measured:
    """DuckDB on the same file. Raises RuntimeError unless it has the same rows as the script's last lake."""
    cost = cost_of([sys.executable, "-m", "benchmarks.duck", str(pages), str(PEER_CSV), str(PEER_PARQUET)])
    compare_ids(posts)
    compare_rows()
    return Measured(posts, cost)


def compare_rows() -> None:
    """Row by row and column by column: the peer's Parquet has what the script's has. Of a list in which a value stands
    twice (the peer's hashtags), the later ones don't count."""
    ours = [str(file) for file in sorted(LAKE.glob("twitter_parquet/*/*.parquet"))]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, rows in (("ours", ours), ("theirs", [str(PEER_PARQUET)])):
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({rows!r}, hive_partitioning = false)")
    differing = [
        f"count(*) FILTER (ours.{name} IS DISTINCT FROM {without_repeats(name, kind)}) AS {name}"
        for name, kind, *_ in connection.execute("DESCRIBE theirs").fetchall()
    ]
    found = connection.execute(f"SELECT {', '.join(differing)} FROM ours FULL JOIN theirs USING (id)").fetchone()  # noqa: S608 (our own names)
    names = [column[0] for column in connection.description or ()]
    PEER_PARQUET.unlink()
    if faults := {name: rows for name, rows in zip(names, found or (), strict=True) if rows}:
        raise RuntimeError(f"the peer's rows differ in {faults}")


def without_repeats(name: str, kind: str) -> str:
    """The peer's column, in SQL."""
    column = f"theirs.{name}"
    return f"list_filter({column}, lambda v, i: list_position({column}, v) = i)" if kind.endswith("[]") else column


def compare_ids(posts: int) -> None:
    """The peer's CSV and the script's last lake have the same ids, each once."""
    as_text = pyarrow.csv.ConvertOptions(include_columns=["id"], column_types={"id": "string"})
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    peer = pyarrow.csv.read_csv(PEER_CSV, parse_options=lines, convert_options=as_text).column("id").to_pylist()
    PEER_CSV.unlink()
    ours: list[str] = []
    for file in sorted(LAKE.glob("twitter_parquet/*/*.parquet")):
        ours += pyarrow.parquet.read_table(file, columns=["id"], partitioning=None).column("id").to_pylist()
    if len(peer) != posts or set(peer) != set(ours):
        raise RuntimeError(f"the peer has {len(peer)} rows, the script {len(ours)}, of {posts} posts")


def parsing_alone(pages: Path, parser: str) -> float:
    """CPU seconds."""
    return float(cost_of([sys.executable, "-m", "benchmarks.parse", parser, str(pages)]).output)


def shares(pages: Path) -> dict[str, float]:
    """CPU seconds of each step of the script on these pages."""
    shutil.rmtree(LAKE, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.shares", "--from-raw", str(pages), "--to", str(LAKE)]
    command += [*EVERYTHING, "--jobs", "1"]
    found: dict[str, float] = json.loads(cost_of(command).output.splitlines()[-1])
    return found


def write_five_fold(base: Path, path: Path) -> int:
    """The larger file: 500,000 posts."""
    posts = 5 * BASE_POSTS
    with path.open("wb") as out:
        out.writelines(copies(base, posts))
    return posts
