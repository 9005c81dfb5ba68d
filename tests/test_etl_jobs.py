"""Several processes, one lake: the same bytes for any --jobs, checks of one verdict, and no process left behind."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tweetlake.columns import COLUMNS, arrow_schema, arrow_type
from tweetlake.raw import Page, RawCounts, read_pages
from tweetlake.transform import jobs, portions, schema
from tweetlake.transform.collect import collected
from tweetlake.transform.rows import Rules

from tests.fuzz.pages import PROFILE, good_post, line_of
from tests.helpers.etl import SCRIPT, run_etl

DAY = date(2026, 3, 1)
BOTH = Rules(include_replies=True, include_retweets=True)


def lines_of_all_kinds(seed: int) -> list[bytes]:
    """Pages with copies, versions, rejects, broken lines, other layouts and posts of other days, in any order."""
    rng = random.Random(seed)
    posts = [good_post(n, public_metrics={"like_count": n}) for n in range(900)]
    for number in range(0, 900, 30):
        posts.append(posts[number] | {"public_metrics": {"like_count": -1 if number % 60 else 7}})
        posts[number + 1]["edit_history_tweet_ids"] = [posts[number]["id"], posts[number + 1]["id"]]
    posts += [good_post(1000, id="x"), good_post(1001, created_at="2026-03-02T00:00:00.000Z")]
    rng.shuffle(posts)
    lines = [
        json.dumps({"data": posts[n : n + 5]}, separators=(",", ":")).encode() + b"\n" for n in range(0, len(posts), 5)
    ]
    for number in range(5, len(lines), 17):
        lines[number] = lines[number][: len(lines[number]) // 2] + b"}\n"  # looks like a page, and isn't one
    lines.insert(3, line_of(good_post(2000)).replace(b'"data"', b'"meta": {}, "data"'))  # doesn't look like one
    return [*lines, b"not JSON\n"]


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "PORTION_BYTES", 5_000)
    monkeypatch.setattr(portions, "PIECE_ROWS", 7)


def landed(path: Path, jobs: int) -> tuple[Any, ...]:
    """All that comes of the pages."""
    counts = RawCounts()
    with collected(read_pages(str(path), counts), BOTH, DAY, counts=counts, jobs=jobs) as harvest:
        rows = [row for chunk in harvest.rows.chunks(None) for row in chunk.to_pylist()]
        reasons, lines = harvest.rejects.of(None)
        return rows, reasons, list(lines), harvest.posts_in, harvest.left_out, counts


@pytest.mark.parametrize("seed", range(2))
def test_any_number_of_jobs_gives_the_same(seed: int, small_portions: None, tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b"".join(lines_of_all_kinds(seed)))
    one = landed(path, 1)
    rows, reasons, _, posts_in, left_out, counts = one
    assert len(rows) > 500 and left_out["older_versions"] > 5 and counts.bad_lines > 5
    assert set(reasons) == {"likes: a metric is below 0", "id isn't a number of 1 to 19 digits"} | {
        "created_at: created_at is outside the day"
    }
    assert posts_in == len(rows) + reasons.total() + left_out.total()
    for number in (2, 3):
        assert landed(path, number) == one
    assert not psutil.Process().children(), "all workers have ended"


def test_the_lakes_are_the_same_bytes(tmp_path: Path) -> None:
    """As users run it: more than one portion, so that there is work for others."""
    text = "long " * 2000
    with (tmp_path / "pages.jsonl").open("wb") as pages:
        for first in range(0, 4000, 50):
            posts = [good_post(n, text=text) for n in range(first, first + 50)]
            pages.write(json.dumps({"data": posts}, separators=(",", ":")).encode() + b"\n")
    hashes = []
    for number in ("1", "3"):
        lake = tmp_path / number
        run = run_etl("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(lake), "--jobs", number)
        assert (run.code, run.rows) == (0, 4000), run.log
        files = sorted(file for file in lake.rglob("*") if file.is_file())
        hashes.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert hashes[0] == hashes[1]


def test_a_signal_ends_the_workers(tmp_path: Path) -> None:
    pipe = tmp_path / "pages.jsonl"
    os.mkfifo(pipe)
    options = ["--from-raw", str(pipe), "--to", str(tmp_path / "lake"), "--jobs", "2"]
    with subprocess.Popen([sys.executable, str(SCRIPT), *options], stdout=subprocess.PIPE, text=True) as run:
        text = "long " * 2000
        line = (
            json.dumps({"data": [good_post(n, text=text) for n in range(50)]}, separators=(",", ":")).encode() + b"\n"
        )
        with pipe.open("wb") as pages:
            workers: list[psutil.Process] = []
            until = time.monotonic() + 60
            while len(workers) < 2 and time.monotonic() < until:
                pages.write(line)
                workers = psutil.Process(run.pid).children()
            assert len(workers) == 2
            run.send_signal(signal.SIGTERM)
            out, _ = run.communicate(timeout=30)
    assert run.returncode == 143 and json.loads(out.splitlines()[-1])["exit_code"] == 143
    assert not [worker for worker in workers if worker.is_running()]
    assert not (tmp_path / "lake/twitter").exists()


def test_a_worker_that_dies_is_said(small_portions: None, tmp_path: Path) -> None:
    def die(pages: list[Page]) -> portions.Portion:
        if os.getpid() != parent:
            os._exit(9)
        return portions.make_portion(pages, BOTH, None)

    parent = os.getpid()
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b"".join(lines_of_all_kinds(1)))
    with pytest.raises(RuntimeError, match="--jobs 1"):
        list(jobs.portions(portions.cut(read_pages(str(path), RawCounts())), die, 2))
    assert not psutil.Process().children()


def test_small_machines_have_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    for memory_mib, number in ((900, 1), (1500, 1), (1600, 2), (4096, 7), (1 << 20, jobs.MOST_JOBS)):
        monkeypatch.setattr(jobs, "memory_mib", lambda mib=memory_mib: mib)
        assert jobs.jobs_for_this_machine() == number, memory_mib


def test_jobs_must_be_a_number_above_0(tmp_path: Path) -> None:
    run = run_etl("--from-raw", str(tmp_path), "--to", str(tmp_path / "lake"), "--jobs", "0")
    assert run.code == 2 and "--jobs" in run.summary["error"]


SCHEMAS = {day: schema.row_schema(day) for day in (None, DAY)}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.none() | st.sampled_from(["7", "0" * 19, "1" * 20, "x", "", "7\n", "\u0661", "-1"]),
    "int64": st.none() | st.sampled_from([0, 1, -1, 2**63 - 1]),
    "bool_": st.none() | st.booleans(),
    "list_": st.none() | st.lists(st.sampled_from(["a", ""]), max_size=2),
    "timestamp": st.none() | st.sampled_from([1772323200000, 1772409599999, 1772409600000, 0]),
}


@settings(PROFILE, max_examples=25)
@given(data=st.data(), rows=st.integers(1, 4), day=st.sampled_from([None, DAY]), usual=st.booleans())
def test_arrow_and_pandera_have_one_verdict(data: st.DataObject, rows: int, day: date | None, usual: bool) -> None:
    """Arrow alone decides that nothing is wrong: it never says so where pandera sees a fault."""
    columns = {}
    for column in COLUMNS:
        values: list[Any] = [data.draw(VALUES[column.kind.arrow]) for _ in range(rows)]
        if usual and column.is_checked:
            values = {"timestamp": [1772323200000] * rows, "int64": [1] * rows}.get(
                column.kind.arrow, list(map(str, range(rows)))
            )
        columns[column.name] = pa.array(values, arrow_type(column.kind))
    table = pa.table(columns, schema=arrow_schema())
    passing, failures = schema.validate(table, SCHEMAS[day])
    assert schema.is_flawless(table, day) == (not failures and passing.num_rows == rows)


@pytest.mark.parametrize("name", [column.name for column in COLUMNS if column.is_checked])
def test_arrow_sees_each_fault_alone(name: str) -> None:
    good: dict[str, list[Any]] = {
        "string": ["1", "2"],
        "int64": [1, 2],
        "bool_": [True, None],
        "list_": [["a"], None],
        "timestamp": [1772323200000, 1772323200001],
    }
    columns = {column.name: pa.array(good[column.kind.arrow], arrow_type(column.kind)) for column in COLUMNS}
    assert schema.is_flawless(pa.table(columns, schema=arrow_schema()), DAY)
    (column,) = [column for column in COLUMNS if column.name == name]
    faults: list[list[Any]] = [[good[column.kind.arrow][0], None]] * (not column.nullable)
    faults += [[good[column.kind.arrow][0]] * 2] * column.unique
    wrong: dict[str | None, list[list[Any]]] = {"digits": [["1", "x"], ["1", ""]], "not negative": [[1, -1]]}
    faults += wrong.get(column.kind.check, [])
    assert faults
    for values in faults:
        broken = columns | {name: pa.array(values, arrow_type(column.kind))}
        assert not schema.is_flawless(pa.table(broken, schema=arrow_schema()), DAY), values


def test_a_good_day_needs_no_pandas(tmp_path: Path) -> None:
    """Half a second and 100 MB of every daily run."""
    (tmp_path / "pages.jsonl").write_bytes(line_of(*(good_post(n) for n in range(9))))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import twitter_etl; "
        "code = twitter_etl.main(sys.argv[2:]); assert 'pyarrow' in sys.modules; "
        "sys.exit(code or 100 * bool({'pandas', 'pandera'} & set(sys.modules)))"
    )
    arguments = ["--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake")]
    done = subprocess.run([sys.executable, "-c", code, str(SCRIPT.parent), *arguments], check=False, timeout=60)
    assert done.returncode == 0
