"""The tables and the plot of `make bench-memory`."""

from __future__ import annotations

import statistics

import matplotlib

from benchmarks.host.load import Loaded, percentile
from benchmarks.host.machine import MEMORY_MIB, SWAP_MIB, Idle
from benchmarks.report import DOCS, goal, table, where
from benchmarks.report import write as write_part

PLOT = DOCS / "benchmarks-host-memory.svg"
BASELINE_PERCENT = 20  # t3.micro: 10 % of each of its two vCPUs (docs.aws.amazon.com, burstable performance)
WHY_SWAPPED = (
    "\nAbove 200 MiB of swap stand two things: the sign-in of FAB, whose first use takes the API server from 170 to "
    "260 MiB, and the DAG processor, most of which lies in swap because nothing there changes. The parts that are used "
    "stay in memory: no page of the UI waits for them.\n"
)
UNITS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "postgresql", "nginx", "system", "ETL")


def write(measured: dict[str, Loaded], idle: Idle, set_up_seconds: float, versions: str) -> None:
    """Between the marks of docs/benchmarks.md."""
    plot(measured)
    ours = next(iter(measured.values()))
    text = (
        f"## A whole host in {MEMORY_MIB} MiB\n"
        f"Measured by `make bench-memory` on {where()}; {versions}. "
        f"A container with systemd, limited to {MEMORY_MIB} MiB of "
        f"memory and {SWAP_MIB} MiB of swap, as a t3.micro's user space with the swapfile of the role `host`; its "
        f"swap is this machine's disk. `site.yml` ran inside that limit ({set_up_seconds:.0f} s). Then "
        f"{len(ours.runs)} runs of the DAG back to back, 1,000 posts each from the X API simulator into S3 (moto), "
        "while a client loads a page of the UI (the page and what it asks for) and polls the API every 2 s. Beside "
        "it, on the same host and under the same load, Airflow from the same environment as it comes (but without "
        "its examples).\n\n"
        + stacks_table(measured)
        + "\n"
        + table(["goal", "target", "measured", "reached"], goals(ours, idle))
        + (WHY_SWAPPED if ours.most_swapped_mib >= 200 else "")
        + "\nPSS by unit in MiB: each shared page is counted once. The ETL runs inside the scheduler's unit, and is "
        "counted by itself.\n\n"
        + units_table(ours)
        + f"\n![Memory and swap over the runs]({PLOT.name})\n"
        + idle_text(idle)
    )
    write_part(text, "make bench-memory")


def write_without_swap(one: Loaded, scores: dict[str, tuple[int, int]], versions: str) -> None:
    """Between other marks: how far the same host gets without swap."""
    held = all(asked == has for asked, has in scores.values())
    refused = (
        "" if held else " This machine refuses containers negative scores, so the order of the services did not hold."
    )
    write_part(
        f"## The same without swap\nMeasured by `make bench-memory` on {where()}; {versions}: "
        f"{MEMORY_MIB} MiB, no swap, the same "
        f"load, up to the first run that isn't green.{refused}\n\n" + stacks_table({"tweetlake, no swap": one}),
        "make bench-memory, without swap",
    )


def stacks_table(measured: dict[str, Loaded]) -> str:
    """One row a stack."""
    head = [
        "stack",
        "green runs",
        "OOM kills",
        "restarts",
        "idle MiB",
        "most PSS + swap MiB",
        "most swapped MiB",
        "major faults",
        "page p50 s",
        "page p95 s",
        "poll p95 s",
        "UI errors",
        "run s (median)",
    ]
    rows = [
        [
            name,
            f"{one.green} of {len(one.runs)}",
            str(one.after.oom_kills - one.before.oom_kills),
            str(one.restarts),
            f"{one.idle.total_mib + one.idle.swap_mib:.0f}",
            f"{one.peak.total_mib + one.peak.swap_mib:.0f}",
            f"{one.most_swapped_mib:.0f}",
            f"{one.after.major_faults - one.before.major_faults:,}",
            f"{percentile(one.looks.pages, 50):.2f}",
            f"{percentile(one.looks.pages, 95):.2f}",
            f"{percentile(one.looks.polls, 95):.2f}",
            str(len(one.looks.errors)),
            f"{statistics.median(run.seconds for run in one.runs):.1f}",
        ]
        for name, one in measured.items()
    ]
    return table(head, rows)


def goals(ours: Loaded, idle: Idle) -> list[list[str]]:
    """What the small profile was made for."""
    kills = ours.after.oom_kills - ours.before.oom_kills
    page_p95 = percentile(ours.looks.pages, 95)
    return [
        goal("green runs", f"{len(ours.runs)}", f"{ours.green}", ours.green == len(ours.runs)),
        goal("OOM kills", "0", f"{kills}", kills == 0),
        goal("services that restarted", "0", f"{ours.restarts}", ours.restarts == 0),
        goal("a page of the UI, p95 (s)", "2", f"{page_p95:.2f}", page_p95 < 2),
        goal("most swapped (MiB)", "200", f"{ours.most_swapped_mib:.0f}", ours.most_swapped_mib < 200),
        goal(
            "idle: % of one processor (a t3.micro's baseline)",
            f"{BASELINE_PERCENT}",
            f"{idle.host_percent:.1f}",
            idle.host_percent < BASELINE_PERCENT,
        ),
    ]


def units_table(ours: Loaded) -> str:
    """Idle, at the peak of the whole host, and the unit's own highest."""
    rows = [
        [
            unit,
            f"{ours.idle.pss.get(unit, 0):.0f}",
            f"{ours.peak.pss.get(unit, 0):.0f}",
            f"{max(sample.pss.get(unit, 0) for sample in ours.samples):.0f}",
        ]
        for unit in UNITS
    ]
    rows.append(["swapped", f"{ours.idle.swap_mib:.0f}", f"{ours.peak.swap_mib:.0f}", f"{ours.most_swapped_mib:.0f}"])
    return table(["unit", "idle", "at the host's peak", "its own highest"], rows)


def idle_text(idle: Idle) -> str:
    """Where the processor's time goes while nothing happens."""
    shares = sorted(idle.by_unit.items(), key=lambda item: -item[1])
    return (
        f"\nLeft alone for {idle.seconds / 60:.0f} minutes the whole host takes {idle.host_percent:.1f} % of one "
        "processor: " + ", ".join(f"{unit} {percent:.1f}" for unit, percent in shares if percent >= 0.05) + ".\n"
    )


def plot(measured: dict[str, Loaded]) -> None:
    """Memory and swap of each stack over the time of its runs."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tweetlake", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    figure, (memory, swap) = pyplot.subplots(1, 2, figsize=(9, 3), layout="constrained", sharex=True)
    for name, one in measured.items():
        minutes = [(sample.at_seconds - one.started_at_seconds) / 60 for sample in one.samples]
        memory.plot(minutes, [sample.total_mib for sample in one.samples], label=name, linewidth=1)
        swap.plot(minutes, [sample.swap_mib for sample in one.samples], label=name, linewidth=1)
    memory.axhline(MEMORY_MIB, color="grey", linewidth=1, linestyle=":")
    memory.set(title="in memory (PSS), MiB", xlabel="minutes", ylim=(0, None))
    swap.set(title="swapped, MiB", xlabel="minutes", ylim=(0, None))
    swap.legend(fontsize=8)
    for axes in (memory, swap):
        axes.grid(alpha=0.3)
    figure.savefig(PLOT, metadata={"Date": None})
