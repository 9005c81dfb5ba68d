"""BENCH_HOST=growth python -m benchmarks.host.growth: an hour of one run a minute, and what has grown by then.

Writes the part of docs/benchmarks.md between its marks. As root (podman, swap).
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from benchmarks import report
from benchmarks.host import load, machine, stacks
from benchmarks.host.machine import Host, Memory
from benchmarks.report import table

MINUTES = int(os.environ.get("BENCH_MINUTES", "60"))
WARM_UP_MINUTES = 10
UNITS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "postgresql", "nginx", "system")


def main() -> int:
    if os.geteuid():
        print("This needs root: it limits a container's memory and adds swap. sudo make bench-growth", file=sys.stderr)
        return 2
    with machine.machine_swap():
        machine.boot()
        machine.play("site.yml")
        host, client = Host(), stacks.start(stacks.OURS)
        load.unpause(client)
        before = host.totals()
        looks, samples, green = load.Looks(), [host.memory()], 0
        for minute in range(MINUTES):
            began = time.monotonic()
            green += load.land_a_day(client).state == "success"
            load.visit(client, looks)
            time.sleep(max(0.0, 55 - (time.monotonic() - began)))
            samples.append(host.memory())  # nothing runs at this second of the minute
            time.sleep(max(0.0, 60 - (time.monotonic() - began)))
            report.progress(f"minute {minute + 1}: {samples[-1].total_mib:.0f} + {samples[-1].swap_mib:.0f} MiB")
        kills = host.totals().oom_kills - before.oom_kills
        restarts, versions = stacks.restarts(stacks.OURS), machine.versions()
        machine.remove()
    write(samples, green, kills, restarts, versions)
    report.progress(f"written: {report.REPORT}")
    return 0


def slope_mib(samples: list[Memory], values: list[float]) -> float:
    """MiB an hour, by least squares."""
    hours = [(sample.at_seconds - samples[0].at_seconds) / 3600 for sample in samples]
    return statistics.linear_regression(hours, values).slope


def write(samples: list[Memory], green: int, kills: int, restarts: int, versions: str) -> None:
    """Between the marks of docs/benchmarks.md."""
    warm = samples[WARM_UP_MINUTES:]
    rows = []
    for unit in UNITS:
        values = [sample.pss.get(unit, 0.0) for sample in warm]
        rows.append([unit, f"{values[0]:.0f}", f"{values[-1]:.0f}", f"{slope_mib(warm, values):+.1f}"])
    both = [sample.total_mib + sample.swap_mib for sample in warm]
    swapped = [sample.swap_mib for sample in warm]
    rows.append(["swapped", f"{swapped[0]:.0f}", f"{swapped[-1]:.0f}", f"{slope_mib(warm, swapped):+.1f}"])
    rows.append(["all, with swap", f"{both[0]:.0f}", f"{both[-1]:.0f}", f"{slope_mib(warm, both):+.1f}"])
    report.write(
        f"## Growth\nMeasured by `make bench-growth` on {report.where()}; {versions}: "
        f"the same host of {machine.MEMORY_MIB} MiB, "
        f"one run of 1,000 posts and one page of the UI a minute, for {len(samples) - 1} minutes, as much as "
        f"two months of daily runs: {green} of {len(samples) - 1} green, {kills} OOM kills, {restarts} restarts. PSS "
        f"in MiB between the runs, after {WARM_UP_MINUTES} minutes of warming up.\n\n"
        + table(["unit", "first", "last", "MiB an hour"], rows),
        "make bench-growth",
    )


if __name__ == "__main__":
    sys.exit(main())
