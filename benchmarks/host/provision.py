"""python -m benchmarks.host.provision: from a bare host to a green run, again, a changed DAG, and what Airflow adds.

Writes the part of docs/benchmarks.md between its marks. About 10 minutes, as root (podman).
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import matplotlib

from benchmarks import report
from benchmarks.host import load, machine, stacks
from benchmarks.host.machine import Playbook, on_host
from benchmarks.measure import CACHE
from benchmarks.report import DOCS, goal, table

TRIGGERS = int(os.environ.get("BENCH_TRIGGERS", "20"))
PLOT = DOCS / "benchmarks-provision.svg"
PARSE_TIMEOUT_SECONDS = 120
WHY_AGAIN = (
    " What keeps `site.yml` from doing nothing in less than 20 s: some 130 tasks, most of 0.1 s, of which Ansible on "
    "this side takes more than half; 3 s in which Airflow compares its users; 2 s for the first connection."
)
LANDING = {"twitter_etl_paused": False}


@dataclass(frozen=True)
class Provision:
    """Seconds of each, and the run of Ansible where its tasks are wanted."""

    first: Playbook
    second: Playbook
    deploy: Playbook
    parsed_seconds: float
    script_seconds: list[float]
    trigger_seconds: list[float]
    pip_seconds: float
    uv_seconds: float
    versions: str


def main() -> int:
    if os.geteuid():
        print("This needs root: it boots a container. sudo make bench-provision", file=sys.stderr)
        return 2
    machine.boot(memory_mib=0, swap_mib=0)
    first = machine.play("site.yml", "playbooks/run.yml", **LANDING)
    report.progress(f"from a bare host to a green run: {first.seconds:.0f} s")
    second = machine.play("site.yml", **LANDING)
    report.progress(f"again: {second.seconds:.0f} s, changed={second.changed}")
    client = stacks.start(stacks.OURS)
    deploy, parsed_seconds = deploy_a_changed_dag(client)
    report.progress(f"a changed DAG: {deploy.seconds:.1f} s, parsed after {parsed_seconds:.1f} s")
    script_seconds = [script_alone() for _ in range(5)]
    trigger_seconds = [green(load.land_a_day(client)) for _ in range(TRIGGERS)]
    report.progress(f"script {statistics.median(script_seconds):.1f} s, run {statistics.median(trigger_seconds):.1f} s")
    pip_seconds, uv_seconds = installing_alone()
    versions = machine.versions()
    machine.remove()
    write(
        Provision(
            first,
            second,
            deploy,
            parsed_seconds,
            script_seconds,
            trigger_seconds,
            pip_seconds,
            uv_seconds,
            versions,
        )
    )
    report.progress(f"written: {report.REPORT}")
    return 0


def green(run: load.Run) -> float:
    """Its seconds. Raises RuntimeError where it isn't."""
    if run.state != "success":
        raise RuntimeError(f"a run ended as {run.state}")
    return run.seconds


def deploy_a_changed_dag(client: stacks.Client) -> tuple[Playbook, float]:
    """Deploy the project with another description in its DAG; seconds from the start until Airflow shows that."""
    changed = CACHE / "project"
    shutil.rmtree(changed, ignore_errors=True)
    for folder in ("dags", "scripts"):
        shutil.copytree(machine.PROJECT / folder, changed / folder)
    dag = changed / "dags" / "twitter_etl_daily.py"
    new = f"Changed at {datetime.now(UTC):%H:%M:%S}"
    dag.write_text(dag.read_text().replace("One UTC day of posts into the bucket", new))
    began = time.monotonic()
    deploy = machine.play("playbooks/deploy.yml", twitter_etl_project_dir=str(changed), **LANDING)
    while client.get(f"/api/v2/dags/{load.DAG}").json()["description"] != new:
        if time.monotonic() - began > PARSE_TIMEOUT_SECONDS:
            raise TimeoutError(f"Airflow has not parsed the changed DAG after {PARSE_TIMEOUT_SECONDS} s")
        time.sleep(0.1)
    return deploy, time.monotonic() - began


def script_alone() -> float:
    """Seconds of the same day without Airflow, as its user, on the host."""
    day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
    began = time.monotonic()
    on_host(
        "cd / && runuser -u airflow -- env -i PATH=/usr/bin:/bin HOME=/var/lib/airflow/twitter-etl"
        " /opt/twitter-etl/venv/bin/python /opt/twitter-etl/twitter_etl.py --env-file=/etc/twitter-etl/twitter.env"
        f" --to=s3://tweetlake-bench --account=thousand --name=thousand --date={day}"
        " --include-replies --include-retweets"
    )
    return time.monotonic() - began


def installing_alone() -> tuple[float, float]:
    """The same Airflow from the same lock file: pip into a venv, and uv with an empty cache. Seconds each."""
    trust = "export PIP_CERT=/etc/ssl/certs/ca-certificates.crt UV_SYSTEM_CERTS=1 PIP_DISABLE_PIP_VERSION_CHECK=1"
    lock = "/opt/airflow/requirements.txt"
    commands = (
        f"python3 -m venv /opt/peer-pip && /opt/peer-pip/bin/pip install -q --no-cache-dir --require-hashes -r {lock}",
        "/opt/uv/bin/uv venv -q --python /usr/bin/python3 /opt/peer-uv && /opt/uv/bin/uv pip sync -q --no-cache"
        f" --require-hashes --compile-bytecode --python /opt/peer-uv/bin/python {lock}",
    )
    seconds = []
    for command in commands:
        began = time.monotonic()
        on_host(f"{trust}\n{command}", timeout_seconds=900)
        seconds.append(time.monotonic() - began)
        report.progress(f"{command.split()[0]}: {seconds[-1]:.0f} s")
    return seconds[0], seconds[1]


def by_role(play: Playbook) -> dict[str, float]:
    """Seconds of each role's tasks, in the order of the play."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for name, took in play.tasks:
        seconds[name.split(" : ")[0] if " : " in name else "the rest"] += took
    order = ("python", "host", "postgresql", "airflow", "https", "twitter_etl")
    return {role: seconds.pop(role, 0.0) for role in order} | {"the rest": sum(seconds.values())}


def write(found: Provision) -> None:
    """Between the marks of docs/benchmarks.md."""
    plot(found)
    script, run = statistics.median(found.script_seconds), statistics.median(found.trigger_seconds)
    goals = [
        goal("bare host to a green run (s)", "180", f"{found.first.seconds:.0f}", found.first.seconds < 180),
        goal("`site.yml` again (s)", "20", f"{found.second.seconds:.1f}", found.second.seconds < 20),
        goal("changed by that", "0", f"{found.second.changed}", found.second.changed == 0),
        goal(
            "`deploy.yml` of a changed DAG, until Airflow shows it (s)",
            "10",
            f"{found.parsed_seconds:.1f}",
            found.parsed_seconds < 10,
        ),
        goal("trigger to green beyond the bare script (s)", "5", f"{run - script:.1f}", run - script < 5),
    ]
    slowest = sorted(found.first.tasks, key=lambda task: -task[1])[:10]
    text = (
        f"## Standing up\nMeasured by `make bench-provision` on {report.where()}; {found.versions}. "
        f"A bare Debian 13 container over SSH; "
        "packages come through a mirror. The host shares this machine's processors with Ansible, X's simulator and "
        "moto.\n\n"
        + table(["goal", "target", "measured", "reached"], goals)
        + f"\nThe script alone takes {script:.1f} s for the day of 1,000 posts (median of "
        f"{len(found.script_seconds)}), trigger to green {run:.1f} s (median of {len(found.trigger_seconds)}). Beside "
        f"it, the same Airflow from the same lock file and nothing else: pip into a venv {found.pip_seconds:.0f} s, uv "
        f"with an empty cache {found.uv_seconds:.0f} s (bytecode compiled by both). `deploy.yml` itself took "
        f"{found.deploy.seconds:.1f} s.{WHY_AGAIN if found.second.seconds >= 20 else ''}"
        f"\n\n![Seconds by role]({PLOT.name})\n\nThe slowest tasks of the first run:\n\n"
        + table(["task", "s"], [[name.replace(" | ", ": "), f"{seconds:.1f}"] for name, seconds in slowest])
    )
    report.write(text, "make bench-provision")


def plot(found: Provision) -> None:
    """One bar a run, stacked by role."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tweetlake", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 2.2), layout="constrained")
    for bar, play in (("bare host to a green run", found.first), ("again", found.second)):
        left = 0.0
        for number, (role, seconds) in enumerate(by_role(play).items()):
            label = role if play is found.first else None
            axes.barh(bar, seconds, left=left, color=f"C{number}", label=label)
            left += seconds
    axes.invert_yaxis()
    axes.set(xlabel="seconds")
    axes.legend(fontsize=8, ncols=7, loc="upper center", bbox_to_anchor=(0.5, -0.25))
    figure.savefig(PLOT, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
