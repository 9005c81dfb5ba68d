"""python -m benchmarks.host.memory: a whole host in 900 MiB, beside Airflow as it comes, under the same load.

`--without-swap`: only this project's, without any. Each writes the part of docs/benchmarks.md between its marks. About
30 and 5 minutes, as root (podman, swap).
"""

from __future__ import annotations

import logging
import os
import sys
import time

from benchmarks import report
from benchmarks.host import load, machine, memory_report, stacks
from benchmarks.host.load import Loaded
from benchmarks.host.machine import Host, Idle

RUNS = int(os.environ.get("BENCH_RUNS", "10"))
SETTLE_SECONDS = 50
IDLE_CPU_SECONDS = int(os.environ.get("BENCH_IDLE_SECONDS", "600"))


def main() -> int:
    if os.geteuid():
        print("This needs root: it limits a container's memory and adds swap. sudo make bench-memory", file=sys.stderr)
        return 2
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    if "--without-swap" in sys.argv[1:]:
        without_swap()
    else:
        beside_its_peers()
    report.progress(f"written: {report.REPORT}")
    return 0


def beside_its_peers() -> None:
    """With a GiB of swap: this project's, then Airflow as it comes, on the same host."""
    with machine.machine_swap():
        machine.boot()
        set_up = machine.play("site.yml").seconds
        report.progress(f"site.yml inside {machine.MEMORY_MIB} MiB took {set_up:.0f} s")
        idle = idle_cpu(Host())
        measured = {
            stack.name: told(stack.name, under_load(stack)) for stack in (stacks.OURS, stacks.STOCK, stacks.STANDALONE)
        }
        versions = machine.versions()
        machine.remove()
    memory_report.write(measured, idle, set_up, versions)


def without_swap() -> None:
    """The same host without any swap, up to the first run that isn't green."""
    machine.boot(swap_mib=0)
    machine.play("site.yml")
    loaded = told("no swap", under_load(stacks.OURS, to_the_first_failure=True))
    scores, versions = stacks.oom_scores(stacks.OURS), machine.versions()
    machine.remove()
    memory_report.write_without_swap(loaded, scores, versions)


def idle_cpu(host: Host) -> Idle:
    """The processor time of a host that was left alone for a while."""
    time.sleep(SETTLE_SECONDS)
    before, units, began = host.totals(), host.cpu_by_unit(), time.monotonic()
    time.sleep(IDLE_CPU_SECONDS)
    seconds = time.monotonic() - began
    after = host.cpu_by_unit()
    shares = {unit: 100 * (after[unit] - units.get(unit, 0.0)) / seconds for unit in after}
    percent = 100 * (host.totals().cpu_seconds - before.cpu_seconds) / seconds
    report.progress(f"idle: {percent:.1f} % of one processor, {shares}")
    return Idle(percent, shares, seconds)


def under_load(stack: stacks.Stack, *, to_the_first_failure: bool = False) -> Loaded:
    """Start it, let it settle, put it under load."""
    host = Host()
    client = stacks.start(stack)
    load.unpause(client)
    time.sleep(SETTLE_SECONDS)
    before, restarts, began = host.totals(), stacks.restarts(stack), time.monotonic()
    idle = host.memory()
    runs, looks, samples = load.put_under_load(host, client, RUNS, to_the_first_failure)
    return Loaded(runs, looks, idle, samples, before, host.totals(), began, stacks.restarts(stack) - restarts)


def told(name: str, loaded: Loaded) -> Loaded:
    """The same, after one line about it."""
    report.progress(
        f"{name}: {loaded.green} of {len(loaded.runs)} green, {loaded.after.oom_kills - loaded.before.oom_kills} OOM "
        f"kills, {loaded.restarts} restarts, idle {loaded.idle.total_mib:.0f} MiB, "
        f"most swapped {loaded.most_swapped_mib:.0f} MiB, page p95 {load.percentile(loaded.looks.pages, 95):.2f} s, "
        f"errors {loaded.looks.errors[:3]}"
    )
    return loaded


if __name__ == "__main__":
    sys.exit(main())
