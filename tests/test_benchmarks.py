"""What the reports of the benchmarks say, from made-up figures."""

from benchmarks import report
from benchmarks.etl import Measured
from benchmarks.measure import Cost


def measured(posts: int, peak_rss_mib: float) -> Measured:
    """A run of one CPU second per 10,000 posts."""
    return Measured(posts, Cost(cpu_seconds=posts / 10_000, wall_seconds=1, peak_rss_mib=peak_rss_mib, output=""))


def test_the_goals_beside_duckdb_are_those_at_500_000_posts() -> None:
    runs = [measured(100_000, 300), measured(500_000, 600)]
    peers = report.Peers(runs, runs, runs, measured(100_000, 900))
    parsing = {"json": 1.0, "orjson": 1.0, "plain": 1.0}
    text = report.peers([measured(100_000, 900), measured(500_000, 200)], peers, parsing, 1)
    assert "| 500,000 posts: memory at most a third of DuckDB's (MiB) | 200 | 200 | yes |" in text
    text = report.peers([measured(100_000, 100), measured(500_000, 201)], peers, parsing, 1)
    assert "| 500,000 posts: memory at most a third of DuckDB's (MiB) | 200 | 201 | **no** |" in text


def test_the_highest_peak_is_of_all_runs() -> None:
    runs = [measured(100_000, 200), measured(3_000_000, 280)]
    assert "| 300 | 290 | yes |" in report.millions(runs, measured(3_000_000, 290))
    assert "| 300 | 350 | **no** |" in report.millions(runs, measured(3_000_000, 350))
    assert "| 300 | 280 | yes |" in report.millions(runs, measured(3_000_000, 250))
