"""python -m benchmarks: measure everything in one run and write docs/benchmarks.md. About ten minutes."""

from __future__ import annotations

import shutil
import sys

from . import etl, report
from .daily import measure_daily
from .etl import LAKE, Measured
from .measure import CACHE, MIB
from .pages import BASE_POSTS, write_base
from .report import Peers

MILLION = 1_000_000


def main() -> int:
    CACHE.mkdir(parents=True, exist_ok=True)
    base, large = CACHE / "base.jsonl", CACHE / "large.jsonl"
    report.progress(f"{BASE_POSTS:,} posts as pages")
    write_base(base)
    daily = measure_daily()
    report.progress("a daily run of 1,000 posts", daily.cost)

    parsing = {parser: etl.parsing_alone(base, parser) for parser in ("json", "orjson", "plain")}
    report.progress(f"parsing alone: {parsing}")
    shares = etl.shares(base)
    ours, twarc = [], []
    both_cores = [told("tweetlake, two processes", etl.script(base, BASE_POSTS, jobs=2))]
    ours.append(told("tweetlake", etl.script(base, BASE_POSTS)))
    ducks = [told("DuckDB", etl.duck(base, BASE_POSTS))]
    plain = told("json_normalize", etl.tutorial(base, BASE_POSTS))
    twarc.append(told("twarc-csv", etl.twarc_csv(base, BASE_POSTS)))
    posts = etl.write_five_fold(base, large)
    both_cores.append(told("tweetlake, two processes", etl.script(large, posts, jobs=2)))
    ours.append(told("tweetlake", etl.script(large, posts)))
    ducks.append(told("DuckDB", etl.duck(large, posts)))
    twarc.append(told("twarc-csv", etl.twarc_csv(large, posts)))
    large.unlink()

    runs = [told("millions", etl.script_on_a_pipe(base, n)) for n in (BASE_POSTS, posts, MILLION, 3 * MILLION)]
    one_window = told("all on two days", etl.script_on_a_pipe(base, 3 * MILLION, one_window=True))
    shutil.rmtree(LAKE)

    report.plot(runs, one_window, twarc)
    report.write(
        report.machine()
        + report.peers(ours, Peers(both_cores, twarc, ducks, plain), parsing, base.stat().st_size / MIB)
        + report.steps(shares)
        + report.millions(runs, one_window)
        + report.daily(daily)
    )
    report.progress(f"written: {report.REPORT}")
    return 0


def told(what: str, measured: Measured) -> Measured:
    """The same, after one line about it."""
    report.progress(f"{what}, {measured.posts:,} posts", measured.cost)
    return measured


if __name__ == "__main__":
    sys.exit(main())
