"""The bench host: a systemd container with the memory of a t3.micro, and what the kernel says of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[2]
INVENTORY = PROJECT / "benchmarks" / "inventory"
NAME = os.environ.get("BENCH_HOST", "bench")
ADDRESS = {"bench": "10.89.71.20", "growth": "10.89.71.21"}[NAME]
CONTAINER = f"tweetlake-{NAME}"
MEMORY_MIB, SWAP_MIB = 900, 1024
MIB = 1024 * 1024
SWAP_FILE = Path("/var/tmp/tweetlake-bench-swap")  # noqa: S108  (a disk, which /tmp may not be)


@dataclass(frozen=True)
class Playbook:
    """One run of ansible-playbook: its wall time and the end of its output."""

    seconds: float
    output: str

    @property
    def changed(self) -> int:
        """Tasks that changed something, of all hosts."""
        return sum(map(int, re.findall(r"changed=(\d+)", self.output)))

    @property
    def tasks(self) -> list[tuple[str, float]]:
        """The slowest tasks and their seconds, as profile_tasks prints them after the last playbook, of all."""
        recap = self.output.rpartition("TASKS RECAP")[2]
        found = re.findall(r"^(\S.*?) -+ ([0-9.]+)s$", recap, re.MULTILINE)
        return [(name, float(seconds)) for name, seconds in found]


def play(*playbooks: str, **variables: object) -> Playbook:
    """Run playbooks against the bench host. Raises RuntimeError with the last lines when one fails."""
    command = [
        str(PROJECT / ".venv/bin/ansible-playbook"),
        "-i",
        str(INVENTORY),
        "--limit",
        f"{NAME},localhost",
        *playbooks,
    ]
    command += ["-e", json.dumps(variables)] if variables else []
    environment = os.environ | {
        "ANSIBLE_CALLBACKS_ENABLED": "profile_tasks",
        "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "200",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
    }
    began = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{playbooks} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return Playbook(time.monotonic() - began, done.stdout)


def boot(memory_mib: int = MEMORY_MIB, swap_mib: int = SWAP_MIB) -> None:
    """A bare host in place of the one before; 0 MiB of memory: no limit."""
    remove()
    play("stand_ins/demo/create.yml", test_host_memory_mib=memory_mib, test_host_swap_mib=swap_mib)


def remove() -> None:
    """The host is gone, and so are the stand-ins for X and AWS."""
    play("stand_ins/demo/destroy.yml")
    # Podman's monitor leaves this where the host was made from, when something in it ran out of memory.
    (PROJECT / "stand_ins" / "demo" / "oom").unlink(missing_ok=True)


def on_host(script: str, timeout_seconds: float = 120) -> str:
    """What a shell script prints that runs on the host as root. Raises CalledProcessError."""
    done = subprocess.run(
        ["podman", "exec", "-i", CONTAINER, "bash", "-euo", "pipefail", "-s"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
        env=podman_environment(),
    )
    if done.returncode:
        raise RuntimeError(f"On the host failed: {script}\n{done.stdout}{done.stderr}")
    return done.stdout


def versions() -> str:
    """Of what runs on the host."""
    printed = on_host("""
        . /etc/os-release && echo "Debian $VERSION_ID"
        echo "Airflow $(basename /opt/airflow/venv/lib/python3*/site-packages/apache_airflow-*.dist-info .dist-info |
            cut --delimiter=- --fields=2)"
        /opt/airflow/venv/bin/python --version
        echo "PostgreSQL $(psql --version | cut --delimiter=' ' --fields=3)"
        echo "nginx $(nginx -v 2>&1 | cut --delimiter=/ --fields=2)"
        echo "systemd $(systemctl --version | awk 'NR == 1 {print $2}')"
    """)
    return ", ".join(printed.splitlines())


def podman_environment() -> dict[str, str]:
    """Says which runtime to take, where `make setup-hosts` found that podman must be told."""
    settings = PROJECT / ".cache" / "containers.conf"
    return os.environ | ({"CONTAINERS_CONF": str(settings)} if settings.exists() else {})


@contextlib.contextmanager
def machine_swap() -> Iterator[None]:
    """This machine has a GiB of swap for its containers; what was added is taken away again."""
    if psutil.swap_memory().free >= SWAP_MIB * MIB:
        yield
        return
    subprocess.run(["fallocate", "--length", f"{SWAP_MIB}MiB", SWAP_FILE], check=True)
    SWAP_FILE.chmod(0o600)
    subprocess.run(["mkswap", "--quiet", SWAP_FILE], check=True)
    subprocess.run(["swapon", SWAP_FILE], check=True)
    try:
        yield
    finally:
        subprocess.run(["swapoff", SWAP_FILE], check=True)
        SWAP_FILE.unlink()


@dataclass(frozen=True)
class Memory:
    """One look at the host, MiB."""

    at_seconds: float  # time.monotonic()
    pss: dict[str, float]  # by systemd unit: proportional set size
    swap_mib: float  # of the whole host

    @property
    def total_mib(self) -> float:
        return sum(self.pss.values())


@dataclass(frozen=True)
class Totals:
    """Since the host's boot, from its control group."""

    cpu_seconds: float
    major_faults: int
    oom_kills: int


@dataclass(frozen=True)
class Idle:
    """What nothing to do costs: percent of one processor."""

    host_percent: float
    by_unit: dict[str, float]
    seconds: float


class Host:
    """The running host's control groups, of version 1 or 2."""

    def __init__(self) -> None:
        self.id = podman("inspect", "--format", "{{.Id}}")
        lines = Path(f"/proc/{podman('inspect', '--format', '{{.State.Pid}}')}/cgroup").read_text().splitlines()
        self._groups = {names: path for _, names, path in (line.split(":", 2) for line in lines)}

    def _file(self, controller: str, name: str) -> Path:
        path = self._groups.get(controller, self._groups[""])
        root = Path("/sys/fs/cgroup") / (controller if controller in self._groups else "")
        return root / path[: path.index(self.id) + len(self.id)].lstrip("/") / name

    def _fields(self, controller: str, name: str) -> dict[str, int]:
        lines = self._file(controller, name).read_text().splitlines()
        return {key: int(value) for key, value in (line.split() for line in lines)}

    @property
    def version_1(self) -> bool:
        return "memory" in self._groups

    def totals(self) -> Totals:
        """CPU seconds, major faults and OOM kills so far."""
        if self.version_1:
            return Totals(
                int(self._file("cpuacct", "cpuacct.usage").read_text()) / 1e9,
                self._fields("memory", "memory.stat")["total_pgmajfault"],
                self._fields("memory", "memory.oom_control").get("oom_kill", 0),
            )
        return Totals(
            self._fields("cpu", "cpu.stat")["usage_usec"] / 1e6,
            self._fields("memory", "memory.stat")["pgmajfault"],
            self._fields("memory", "memory.events")["oom_kill"],
        )

    def swap_mib(self) -> float:
        """Swapped now."""
        if self.version_1:
            return self._fields("memory", "memory.stat")["total_swap"] / MIB
        return int(self._file("memory", "memory.swap.current").read_text()) / MIB

    def memory(self) -> Memory:
        """PSS by unit: shared pages count once, each sharer its part."""
        pss: Counter[str] = Counter()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                groups = Path(f"/proc/{process.pid}/cgroup").read_text()
                if self.id in groups:
                    pss[unit_of(groups, process)] += process.memory_full_info().pss / MIB
        return Memory(time.monotonic(), dict(pss), self.swap_mib())

    def cpu_by_unit(self) -> dict[str, float]:
        """CPU seconds of the processes that live now, with those of their ended children."""
        seconds: Counter[str] = Counter()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                groups = Path(f"/proc/{process.pid}/cgroup").read_text()
                if self.id in groups:
                    times = process.cpu_times()
                    seconds[unit_of(groups, process)] += sum(times[:4])
        return dict(seconds)


def unit_of(groups: str, process: psutil.Process) -> str:
    """The unit a process belongs to, shortened; the ETL runs in the scheduler's, and counts by itself."""
    path = next(line for line in groups.splitlines() if ":name=systemd:" in line or line.startswith("0::"))
    if "twitter_etl.py" in " ".join(process.cmdline()):
        return "ETL"
    unit = path.rsplit("/", 1)[-1]
    for name in ("postgresql", "nginx", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"):
        if name in path:
            return name
    return unit.removesuffix(".service") if unit.startswith(("airflow", "peer")) else "system"


def podman(*arguments: str) -> str:
    """What `podman ARGUMENTS CONTAINER` prints."""
    command = ["podman", *arguments, CONTAINER]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=podman_environment()).stdout.strip()
