"""What the reports of the benchmarks say, from made-up figures."""

from benchmarks import report
from benchmarks.etl import Measured
from benchmarks.measure import Cost


def measured(posts: int, peak_rss_mib: float) -> Measured:
    """A run of one CPU second per 10,000 posts."""
    return Measured(posts, Cost(cpu_seconds=posts / 10_000, wall_seconds=1, peak_rss_mib=peak_rss_mib, output=""))


def test_the_highest_peak_is_of_all_runs() -> None:
    runs = [measured(100_000, 200), measured(3_000_000, 280)]
    assert "| 300 | 290 | yes |" in report.millions(runs, measured(3_000_000, 290))
    assert "| 300 | 350 | **no** |" in report.millions(runs, measured(3_000_000, 350))
    assert "| 300 | 280 | yes |" in report.millions(runs, measured(3_000_000, 250))
