"""docs/benchmarks.md: the figures of one run as tables and a plot. Only the part between the two marks is written."""

from __future__ import annotations

import itertools
import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import matplotlib

from .daily import Daily
from .etl import Measured
from .measure import Cost

DOCS = Path(__file__).resolve().parent.parent / "docs"
REPORT = DOCS / "benchmarks.md"
PLOT = DOCS / "benchmarks-memory.svg"
VERSIONS = ("pandas", "pyarrow", "pandera", "msgspec", "orjson")


def write(text: str, command: str = "make bench") -> None:
    """Put the text between the marks of the command; what stands around them is somebody else's."""
    begin, end = (f"<!-- {command}: {edge} -->\n" for edge in ("begin", "end"))
    report = REPORT.read_text(encoding="utf-8") if REPORT.exists() else "# Benchmarks\n"
    if begin not in report:
        report += f"\n{begin}{end}"
    before, _, rest = report.partition(begin)
    _, _, after = rest.partition(end)
    REPORT.write_text(before + begin + text + end + after, encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def machine() -> str:
    """When and on what, for the script."""
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return (
        f"Measured by `make bench` on {where()}, Python {platform.python_version()}, {packages}; the peer with "
        "twarc-csv 0.7.2, pandas 2.3.3. CPU seconds are user and system time of the whole process.\n"
    )


def where() -> str:
    """Date, processor, memory and kernel."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} x {cpu}, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}"
    )


def cost_row(name: str, measured: Measured) -> list[str]:
    cost = measured.cost
    return [
        name,
        f"{measured.posts:,}",
        f"{cost.cpu_seconds:.1f}",
        f"{cost.wall_seconds:.1f}",
        f"{cost.peak_rss_mib:.0f}",
        f"{measured.posts_per_cpu_second:,.0f}",
    ]


def marginal(small: Measured, large: Measured) -> float:
    """Posts per CPU second from the smaller to the larger run: start and imports fall out."""
    return (large.posts - small.posts) / (large.cost.cpu_seconds - small.cost.cpu_seconds)


def goal(name: str, target: str, measured: str, reached: bool) -> list[str]:
    return [name, target, measured, "yes" if reached else "**no**"]


@dataclass(frozen=True)
class Peers:
    """What others took on the same posts, and the script with two processes; the smaller and the larger run each, but
    of the last."""

    both_cores: list[Measured]
    twarc: list[Measured]
    duck: list[Measured]
    plain: Measured


def peers(ours: list[Measured], others: Peers, parsing: dict[str, float], mib: float) -> str:
    """The script against its peers."""
    twarc, duck = others.twarc, others.duck
    rows = [cost_row("tweetlake: CSV + Parquet, validated", measured) for measured in ours]
    rows += [cost_row("the same, `--jobs 2` (memory: the largest process)", measured) for measured in others.both_cores]
    rows += [cost_row("twarc-csv: CSV", measured) for measured in twarc]
    rows += [cost_row("DuckDB, one SQL query: CSV + Parquet, unchecked", measured) for measured in duck]
    rows.append(cost_row("pandas.json_normalize: CSV", others.plain))
    whole = twarc[0].cost.cpu_seconds / ours[0].cost.cpu_seconds
    ratio = marginal(*ours) / marginal(*twarc)
    peaks = [m.cost.peak_rss_mib for m in (ours[0], twarc[0], ours[1], twarc[1])]
    alone = parsing["json"]
    per_100k = 100_000 / marginal(*ours)
    goals = [
        goal("CPU from 100,000 to 500,000 posts, twarc-csv / tweetlake", "10", f"{ratio:.1f}", ratio >= 10),
        goal("CPU of the whole process, 100,000 posts", "6", f"{whole:.1f}", whole >= 6),
        goal(
            "peak memory below twarc-csv's, at 100,000 and at 500,000 posts (MiB)",
            f"{peaks[1]:.0f}, {peaks[3]:.0f}",
            f"{peaks[0]:.0f}, {peaks[2]:.0f}",
            peaks[0] < peaks[1] and peaks[2] < peaks[3],
        ),
        *beside_duck(ours[1].cost, others.both_cores[1].cost, duck[1].cost),
    ]
    return (
        f"\n## Against its peers\nOne file of {mib:.0f} MiB for 100,000 posts, made by the X API simulator as large as "
        "recorded full-expansion pages; 500,000 posts are copies with other ids on other days. Each output was "
        "compared: all ids are there, each once; DuckDB's rows are the script's, value for value. "
        "twarc-csv needs `--extra-input-columns` for long posts, else it drops "
        "whole batches.\n\n"
        + table(["process", "posts", "CPU s", "wall s", "peak MiB", "posts per CPU s"], rows)
        + "\n"
        + table(["goal", "target", "measured", "reached"], goals)
        + f"\nThe floor: parsing this file takes `json.loads` {alone:.1f} CPU s, `orjson.loads` "
        f"{parsing['orjson']:.1f}, and msgspec, when it makes objects only of what rows need, {parsing['plain']:.1f}. "
        f"100,000 more posts cost the script {per_100k:.1f} CPU s, {per_100k / alone:.1f} times `json.loads` alone.\n"
    )


def beside_duck(ours: Cost, both_cores: Cost, duck: Cost) -> list[list[str]]:
    """The goals at 500,000 posts: of CPU and memory for one process, of wall time for as many as DuckDB's threads."""
    return [
        goal(
            "500,000 posts: CPU s at most DuckDB's",
            f"{duck.cpu_seconds:.1f}",
            f"{ours.cpu_seconds:.1f}",
            ours.cpu_seconds <= duck.cpu_seconds,
        ),
        goal(
            "500,000 posts: wall s of two processes at most DuckDB's on two threads",
            f"{duck.wall_seconds:.1f}",
            f"{both_cores.wall_seconds:.1f}",
            both_cores.wall_seconds <= duck.wall_seconds,
        ),
        goal(
            "500,000 posts: memory at most a third of DuckDB's (MiB)",
            f"{duck.peak_rss_mib / 3:.0f}",
            f"{ours.peak_rss_mib:.0f}",
            ours.peak_rss_mib <= duck.peak_rss_mib / 3,
        ),
    ]


def steps(shares: dict[str, float]) -> str:
    """Where the time goes."""
    total = sum(shares.values())
    rows = [
        [name, f"{seconds:.2f}", f"{100 * seconds / total:.0f} %"]
        for name, seconds in sorted(shares.items(), key=lambda item: -item[1])
    ]
    return "\n## Where the time goes\n100,000 posts, one process.\n\n" + table(["step", "CPU s", "share"], rows)


def millions(runs: list[Measured], one_window: Measured) -> str:
    """Memory and time over the number of posts."""
    peak = max(run.cost.peak_rss_mib for run in (*runs, one_window))
    speeds = [marginal(small, large) for small, large in itertools.pairwise(runs)]
    spread = max(speeds) / min(speeds)
    goals = [
        goal("highest peak, 100,000 to 3,000,000 posts (MiB)", "300", f"{peak:.0f}", peak < 300),
        goal("time linear: fastest / slowest posts per CPU s between runs", "1.25", f"{spread:.2f}", spread <= 1.25),
    ]
    rows = [cost_row("--from-raw, two days per 100,000 posts", run) for run in runs]
    rows.append(cost_row("--from-raw, all on the same two days", one_window))
    return (
        "\n## Millions\n3,000,000 posts are the API's monthly cap. The pages come through a pipe. In memory "
        "stay 16 bytes a post (id and time); the rows wait on the disk.\n\n"
        + table(["run", "posts", "CPU s", "wall s", "peak MiB", "posts per CPU s"], rows)
        + "\n"
        + table(["goal", "target", "measured", "reached"], goals)
        + f"\n![Peak memory and CPU time from 100,000 to 3,000,000 posts]({PLOT.name})\n"
    )


def daily(found: Daily) -> str:
    """The run that happens every day."""
    cost = found.cost
    goals = [
        goal(
            "memory while the script waits on the API (MiB)",
            "70",
            f"{found.waiting_rss_mib:.0f}",
            found.waiting_rss_mib < 70,
        ),
        goal("peak (MiB)", "215", f"{cost.peak_rss_mib:.0f}", cost.peak_rss_mib < 215),
    ]
    return (
        "\n## A daily run\n1,000 posts in 10 pages from the X API simulator into S3 (moto), both on this machine: "
        f"{cost.wall_seconds:.1f} s, of which {cost.cpu_seconds:.1f} CPU s.\n\n"
        + table(["goal", "target", "measured", "reached"], goals)
    )


def plot(runs: list[Measured], one_window: Measured, twarc: list[Measured]) -> None:
    """The same bytes for the same figures."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tweetlake", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    figure, (memory, time) = pyplot.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    for axes, value, title in (
        (memory, "peak_rss_mib", "peak memory, MiB"),
        (time, "cpu_seconds", "CPU seconds"),
    ):
        for label, series, style in (
            ("tweetlake", runs, "o-"),
            ("all on two days", [one_window], "s"),
            ("twarc-csv", twarc, "x--"),
        ):
            axes.plot(
                [run.posts / 1e6 for run in series], [getattr(run.cost, value) for run in series], style, label=label
            )
        axes.set(title=title, xlabel="million posts", ylim=(0, None))
        axes.grid(alpha=0.3)
    memory.axhline(300, color="grey", linewidth=1, linestyle=":")
    memory.legend(fontsize=8)
    figure.savefig(PLOT, metadata={"Date": None})


def progress(text: str, cost: Cost | None = None) -> None:
    """One line while it runs."""
    figures = f": {cost.cpu_seconds:.1f} CPU s, {cost.wall_seconds:.1f} s, {cost.peak_rss_mib:.0f} MiB" if cost else ""
    print(f"{datetime.now():%H:%M:%S} {text}{figures}", file=sys.stderr, flush=True)
