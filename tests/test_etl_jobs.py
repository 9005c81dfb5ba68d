"""Several processes, one lake: the same bytes for any --jobs, and no process is left behind."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from tweetlake.errors import EtlError
from tweetlake.raw import RawCounts
from tweetlake.reading import lines
from tweetlake.reading.documents import Documents, Unreadable
from tweetlake.reading.lines import LineCutter, Lines
from tweetlake.reading.pages import pages_in, read_page, read_pieces
from tweetlake.transform import jobs, portions
from tweetlake.transform.portions import Pieces, Portion

from benchmarks.pages import base_pages
from tests.fuzz.pages import good_post, line_of
from tests.helpers.etl import SCRIPT, run_etl, run_here

EVERYTHING = ("--include-replies", "--include-retweets", "--max-reject-percent", "50")
V1: dict[str, Any] = {
    "id_str": "2028000000000009999",
    "created_at": "Sun Mar 01 10:00:00 +0000 2026",
    "full_text": "of v1.1",
    "user": {"id_str": "1", "screen_name": "one"},
}


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many portions from few posts."""
    monkeypatch.setattr(lines, "LINES_BYTES", 6_000)
    monkeypatch.setattr(portions, "PORTION_BYTES", 4_500)
    monkeypatch.setattr(portions, "PIECE_ROWS", 7)


@pytest.fixture(scope="module")
def benchmark_pages() -> list[bytes]:
    return list(islice(base_pages(), 30))


def mixed_lines(seed: int) -> list[bytes]:
    """Pages with copies, versions, rejects and broken lines, in any order; other formats between them."""
    rng = random.Random(seed)
    posts = [good_post(n, public_metrics={"like_count": n}) for n in range(600)]
    for number in range(0, 600, 30):
        posts.append(posts[number] | {"public_metrics": {"like_count": -1 if number % 60 else 7}})
        posts[number + 1]["edit_history_tweet_ids"] = [posts[number]["id"], posts[number + 1]["id"]]
    posts += [good_post(1000, id="x"), good_post(1001, created_at="2026-03-02T00:00:00.000Z")]
    rng.shuffle(posts)
    found = [line_of(*posts[first : first + 5]) for first in range(0, len(posts), 5)]
    for number in range(5, len(found), 17):
        found[number] = found[number][: len(found[number]) // 2] + b"}\n"  # looks like a page, and isn't one
    others: list[dict[str, Any]] = [V1, good_post(3000), {"meta": {"result_count": 0}}, {"errors": [{"type": "a/b"}]}]
    for other in others:
        found.insert(rng.randrange(len(found)), json.dumps(other).encode() + b"\n")
    return found


def bytes_of(lake: Path) -> dict[str, bytes]:
    return {str(file.relative_to(lake)): file.read_bytes() for file in lake.rglob("*") if file.is_file()}


def lakes_of(source: Path, *options: str) -> list[dict[str, bytes]]:
    """The lakes that 1, 2 and 3 jobs make; what they say is the same, too."""
    lakes, told = [], []
    for number in ("1", "2", "3"):
        lake = source.parent / f"lake-{number}"
        run = run_here("--from-raw", str(source), "--to", str(lake), "--jobs", number, *EVERYTHING, *options)
        assert run.code == 0, run.log
        lakes.append(bytes_of(lake))
        told.append({name: found for name, found in run.summary.items() if name != "days"})
    assert told[0] == told[1] == told[2]
    return lakes


def test_any_number_of_jobs_makes_the_same_lake_of_benchmark_pages(
    benchmark_pages: list[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lines, "LINES_BYTES", 1_500_000)
    monkeypatch.setattr(portions, "PORTION_BYTES", 1_000_000)
    starts = counted_starts(monkeypatch)
    (tmp_path / "pages.jsonl").write_bytes(b"".join(benchmark_pages))
    one, two, three = lakes_of(tmp_path / "pages.jsonl")
    assert one == two == three and len(one) > 2
    manifests = [json.loads(content) for name, content in one.items() if name.endswith("_manifest.json")]
    assert sum(manifest["rows"] for manifest in manifests) == 3000
    assert starts == [2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_jobs_makes_the_same_lake_of_anything(
    seed: int, small_portions: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Copies, versions and rejects in several portions, broken lines, formats and layouts in several files."""
    starts = counted_starts(monkeypatch)
    found, folder = mixed_lines(seed), tmp_path / "raw"
    folder.mkdir()
    third = len(found) // 3
    (folder / "a.jsonl").write_bytes(b"".join(found[:third]))
    (folder / "b.json").write_text(json.dumps([good_post(n) for n in range(2000, 2060)], indent=1))
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(b"".join(found[third : 2 * third])))
    (folder / "d.jsonl").write_bytes(b"not JSON\n".join([b"".join(found[2 * third : -9]), b"".join(found[-9:])]))
    (folder / "e.jsonl").write_bytes(line_of(good_post(4000)) + line_of(good_post(4001))[:-20])
    one, two, three = lakes_of(folder)
    assert one == two == three
    manifests = [json.loads(content) for name, content in one.items() if name.endswith("_manifest.json")]
    whole = max(manifests, key=lambda manifest: manifest["rows"])
    assert whole["rows"] > 500 and whole["rejected"] > 5 and whole["bad_lines"] > 5
    assert whole["left_out"]["older_versions"] > 5 and set(whole["formats"]) == {"v2 pages", "v2 posts", "v1.1"}
    assert starts == [2, 3]


def test_the_source_that_pages_name_is_the_same(small_portions: None, tmp_path: Path) -> None:
    own = {"__tweetlake": {"account": {"username": "nasa", "id": "11348282"}, "collected_at": "2026-03-02T01:30:00Z"}}
    pages = [json.dumps({"data": [good_post(n)], **own}).encode() + b"\n" for n in range(200)]
    (tmp_path / "pages.jsonl").write_bytes(b"".join(pages))
    one, two, three = lakes_of(tmp_path / "pages.jsonl")
    assert one == two == three
    manifest = json.loads(one["twitter/dt=2026-03-01/_manifest.json"])
    assert (manifest["account"], manifest["account_id"]) == ("nasa", "11348282")


def counted_starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many workers each run starts, when it starts any."""
    starts: list[int] = []
    start = jobs.Team.__enter__

    def counted(team: jobs.Team) -> jobs.Team:
        start(team)
        starts.append(len(psutil.Process().children()))
        return team

    monkeypatch.setattr(jobs.Team, "__enter__", counted)
    return starts


def test_a_daily_run_starts_no_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    starts = counted_starts(monkeypatch)
    (tmp_path / "pages.jsonl").write_bytes(b"".join(line_of(good_post(n)) for n in range(500)))
    run = run_here("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"), "--jobs", "2")
    assert (run.code, run.rows, starts) == (0, 500, [])


# ---- stretches of lines


KINDS = (
    lambda n: line_of(good_post(n)),
    lambda n: line_of(good_post(n)),
    lambda n: line_of(good_post(n)),
    lambda n: json.dumps(good_post(n)).encode() + b" \r\n",
    lambda n: line_of(good_post(n))[:-40] + b"}\n",
    lambda n: line_of(good_post(n))[:-1] + line_of(good_post(n + 1)),
    lambda n: b'{"a": {"b": "}\n',
    lambda n: b'{"a": 1}}\n',
    lambda n: b'{"a": 1} "b": {"c": 2}\n',
    lambda n: b'{"text": "' + b"\xff" + b'"}\n',
    lambda n: b"\n",
    lambda n: b"{}\n",
    lambda n: b"{" * 600 + b"}\n",
)
UNALIKE = (
    lambda n: line_of(good_post(n))[:60] + b"\n",
    lambda n: b"not JSON\n",
    lambda n: json.dumps(good_post(n), indent=1).encode() + b"\n",
    lambda n: json.dumps([good_post(n), good_post(n + 1)], indent=0).encode() + b"\n",
    lambda n: b'{"data": [{"id": "1"}\n,{"id": "2"}]}\n',
    lambda n: b"[\n" + b",\n".join(json.dumps(good_post(n)).encode() for n in (n, n + 1)) + b"\n]\n",
)


def in_stretches(text: bytes, name: str = "pages") -> tuple[list[Any], list[tuple[int, str]], int]:
    """Ids, faults and how many stretches there were."""
    cutter = LineCutter(name, BytesIO(text))
    ids: list[Any] = []
    faults: list[tuple[int, str]] = []
    stretches: list[Lines] = []
    for stretch in cutter:
        stretches.append(stretch)
        read_into(ids, faults, BytesIO(stretch.text), stretch.first_line)
    if cutter.rest:
        read_into(ids, faults, cutter.rest, cutter.line)
    return ids, faults, len(stretches)


def read_into(ids: list[Any], faults: list[tuple[int, str]], stream: Any, first_line: int) -> None:
    for page in Documents(stream, read_page):
        if isinstance(page, Unreadable):
            faults.append((first_line + page.line - 1, page.reason))
        else:
            ids.append([page.whole_post(index).get("id") for index in range(len(page.posts))])


@pytest.mark.parametrize("seed", range(60))
def test_stretches_read_for_themselves_are_the_file(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    kinds = KINDS + UNALIKE * (seed % 2)
    text = b"".join(rng.choice(kinds)(10 * n) for n in range(60))
    if seed % 3 == 0:
        text = text[: rng.randrange(len(text))]
    monkeypatch.setattr(lines, "LINES_BYTES", rng.choice([1_500, 3_000]))
    ids: list[Any] = []
    faults: list[tuple[int, str]] = []
    read_into(ids, faults, BytesIO(text), 1)
    found_ids, found_faults, _ = in_stretches(text)
    assert (found_ids, found_faults) == (ids, faults)


def test_one_long_line_is_no_stretch(small_portions: None) -> None:
    text = line_of(*(good_post(n) for n in range(400)))
    assert len(text) > 2 * lines.LINES_BYTES
    ids, faults, stretches = in_stretches(text + line_of(good_post(400)))
    assert ([len(page) for page in ids], faults, stretches) == ([400, 1], [], 0)


def test_pretty_pages_are_no_stretches(small_portions: None) -> None:
    text = b"".join(json.dumps({"data": [good_post(n)]}, indent=1).encode() + b"\n" for n in range(50))
    ids, faults, stretches = in_stretches(text)
    assert (len(ids), faults, stretches) == (50, [], 0)


def test_lines_are_counted_when_they_are_read(small_portions: None, tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_bytes(b"".join([*mixed_lines(1), line_of(good_post(5000))]))
    counts, found = RawCounts(), RawCounts()
    faults: list[str] = []
    pieces = list(read_pieces(str(tmp_path / "pages.jsonl"), counts))
    assert not counts.documents and all(isinstance(piece, Lines) for piece in pieces)
    for piece in pieces:
        assert isinstance(piece, Lines)
        list(pages_in(piece, found, faults))
    counts.add(found)
    assert counts == found and counts.unreadable == len(faults) > 5
    assert counts.formats["v1.1"] == 1 and counts.partial_errors == Counter(b=1)


# ---- processes that end


def started(pipe: IO[bytes], run: subprocess.Popen[str], workers: int) -> list[psutil.Process]:
    """Write pages until there are so many workers, or, where it is quick, the second one as well."""
    line = line_of(*(good_post(n, text="long " * 2000) for n in range(50)))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pipe.write(line)
        found: list[psutil.Process] = psutil.Process(run.pid).children()
        if workers <= len(found) <= 2:
            return found
    raise AssertionError("no workers")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of two jobs that waits for more pages from a pipe."""
    os.mkfifo(tmp_path / "pages.jsonl")
    options = ["--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"), "--jobs", "2"]
    run = subprocess.Popen(
        [sys.executable, str(SCRIPT), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield run
    finally:
        run.kill()
        run.wait()


@pytest.mark.parametrize("there", [1, 2], ids=["as the first is born", "when both are there"])
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_the_workers(
    signal_number: signal.Signals, there: int, running: subprocess.Popen[str], tmp_path: Path
) -> None:
    with (tmp_path / "pages.jsonl").open("wb", buffering=0) as pipe:
        workers = started(pipe, running, there)
        running.send_signal(signal_number)
        out, err = running.communicate(timeout=30)
    if signal_number != signal.SIGKILL:
        assert running.returncode == json.loads(out.splitlines()[-1])["exit_code"] == 128 + signal_number
    assert "Traceback" not in err
    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert not (tmp_path / "lake/twitter").exists()


def test_a_worker_that_is_killed_is_told(running: subprocess.Popen[str], tmp_path: Path) -> None:
    with (tmp_path / "pages.jsonl").open("wb", buffering=0) as pipe:
        workers = started(pipe, running, 2)
        workers[0].kill()
    out, err = running.communicate(timeout=30)
    summary = json.loads(out.splitlines()[-1])
    assert running.returncode == 1 and "-9" in summary["error"] and "--jobs 1" in summary["hint"], err
    assert "Traceback" not in err and not psutil.wait_procs(workers, timeout=10)[1]
    assert not (tmp_path / "lake/twitter").exists()


def pieces(number: int) -> Iterator[Pieces]:
    return iter([[Lines("pages", 1, line_of(good_post(n)))] for n in range(number)])


def test_a_worker_that_dies_at_work_is_told() -> None:
    def die(_portion: Pieces) -> Portion:
        os._exit(3)

    with pytest.raises(EtlError, match="exit code 3"):
        list(jobs.made(pieces(5), die, 2))
    assert not psutil.Process().children()


def test_what_a_worker_raises_is_raised() -> None:
    def refuse(_portion: Pieces) -> Portion:
        raise EtlError("refused", hint="do else")

    with pytest.raises(EtlError, match="refused do else"):
        list(jobs.made(pieces(5), refuse, 2))
    assert not psutil.Process().children()


def test_processes_that_cant_be_started_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(EtlError, match=r"temporarily unavailable.*--jobs 1"):
        list(jobs.made(pieces(5), lambda _portion: Portion(None), 2))


# ---- how many


@pytest.mark.parametrize(
    ("available_mib", "bound", "number"),
    [(2000, "max", 1), (2100, "max", jobs.MOST_JOBS), (24000, f"{1 << 30}", 1), (24000, f"{4 << 30}", jobs.MOST_JOBS)],
)
def test_one_job_where_memory_is_small(
    available_mib: int, bound: str, number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    monkeypatch.setattr(jobs, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(jobs, "MEMORY_OF_GROUP", tmp_path / "memory.max")
    (tmp_path / "meminfo").write_text(f"MemTotal:       99999999 kB\nMemAvailable:   {available_mib << 10} kB\n")
    (tmp_path / "memory.max").write_text(f"{bound}\n")
    assert jobs.jobs_for_this_machine() == number


def test_jobs_must_be_a_number_above_0(tmp_path: Path) -> None:
    run = run_etl("--from-raw", str(tmp_path), "--to", str(tmp_path / "lake"), "--jobs", "0")
    assert run.code == 2 and "--jobs" in run.summary["error"]
