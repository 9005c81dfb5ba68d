"""Ten daily runs while somebody looks at the UI: what the memory benchmark asks of each stack."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import requests

from .machine import Host, Memory, Totals
from .stacks import Client

DAG = "twitter_etl_daily"
RUN_TIMEOUT_SECONDS = 900
SOON_SECONDS = 60  # a killed task is tried again after five minutes: that run counts as failed
EVERY_SECONDS = 2.0
SAMPLE_SECONDS = 3.0

# What the UI of Airflow 3.3 asks for when a browser opens the page, as recorded from one; the shell comes with it.
PAGES = {
    "home": (
        "/",
        "/ui/config",
        "/ui/auth/menus",
        "/api/v2/monitor/health",
        "/ui/dashboard/dag_stats",
        "/ui/dashboard/historical_metrics_data?start_date={since}",
    ),
    "DAGs": ("/dags", "/ui/config", "/ui/dags?dag_runs_limit=14&limit=50&exclude_stale=true", "/api/v2/dagTags"),
    "grid": (
        "/dags/" + DAG,
        "/api/v2/dags/" + DAG + "/details",
        "/ui/grid/structure/" + DAG + "?limit=10&order_by=-run_after",
        "/ui/grid/runs/" + DAG + "?limit=10&order_by=-run_after",
        "/ui/dags/" + DAG + "/latest_run",
    ),
    "runs": ("/dags/" + DAG + "/runs", "/api/v2/dags/" + DAG + "/dagRuns?limit=50&order_by=-run_after"),
}
POLL = "/api/v2/dags/" + DAG + "/dagRuns?limit=5&order_by=-run_after"


@dataclass
class Looks:
    """What the visitor met: seconds a page and a poll, and answers other than 200."""

    pages: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """One run of the DAG."""

    state: str
    seconds: float  # trigger to end, as the visitor sees it
    task_seconds: float  # the task alone, as Airflow notes it


@dataclass(frozen=True)
class Loaded:
    """All of one stack."""

    runs: list[Run]
    looks: Looks
    idle: Memory
    samples: list[Memory]
    before: Totals
    after: Totals
    started_at_seconds: float
    restarts: int

    @property
    def green(self) -> int:
        return sum(run.state == "success" for run in self.runs)

    @property
    def peak(self) -> Memory:
        return max(self.samples, key=lambda sample: sample.total_mib + sample.swap_mib)

    @property
    def most_swapped_mib(self) -> float:
        return max(sample.swap_mib for sample in self.samples)


class Background(threading.Thread):
    """Calls a function every so many seconds until told to stop; its error, if any, is raised by `finish`."""

    def __init__(self, what: object, every_seconds: float) -> None:
        super().__init__(daemon=True)
        self._what, self._every_seconds = what, every_seconds
        self._end = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._end.wait(self._every_seconds):
                self._what()  # type: ignore[operator]
        except BaseException as error:
            self._error = error

    def finish(self) -> None:
        self._end.set()
        self.join()
        if self._error:
            raise self._error


def visit(client: Client, looks: Looks) -> None:
    """One page after the other, then one poll."""
    since = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    page = list(PAGES)[len(looks.pages) % len(PAGES)]
    looks.pages.append(sum(timed(client, path.format(since=since), looks) for path in PAGES[page]))
    looks.polls.append(timed(client, POLL, looks))


def timed(client: Client, path: str, looks: Looks) -> float:
    """Seconds until the answer is there."""
    began = time.monotonic()
    try:
        answer = client.get(path)
        if answer.status_code != 200:
            looks.errors.append(f"{path}: {answer.status_code}")
    except requests.RequestException as error:
        looks.errors.append(f"{path}: {type(error).__name__}")
    return time.monotonic() - began


def unpause(client: Client) -> None:
    """The DAG is known and may run; the run that is due then is over."""
    deadline = time.monotonic() + RUN_TIMEOUT_SECONDS
    while client.get(f"/api/v2/dags/{DAG}").status_code != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Airflow does not know {DAG}")
        time.sleep(1)
    client.send("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False})
    while True:
        runs = client.get(POLL).json()["dag_runs"]
        if runs and all(run["state"] in ("success", "failed") for run in runs):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"The run of {DAG} that is due does not end: {runs}")
        time.sleep(1)


def land_a_day(client: Client, timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> Run:
    """Yesterday, once more: 1,000 posts from X into the bucket."""
    day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
    began = time.monotonic()
    body: dict[str, object] = {"logical_date": None, "conf": {"date": day}}
    try:
        started = client.send("POST", f"/api/v2/dags/{DAG}/dagRuns", body)
        path = f"/api/v2/dags/{DAG}/dagRuns/{started['dag_run_id']}"
        state = "timeout"
        while time.monotonic() - began < timeout_seconds:
            answer = client.get(path)
            if answer.status_code == 200 and answer.json()["state"] in ("success", "failed"):
                state = answer.json()["state"]
                break
            time.sleep(0.5)
        seconds = time.monotonic() - began
        tasks = client.get(f"{path}/taskInstances").json()["task_instances"]
        return Run(state, seconds, sum(task["duration"] or 0 for task in tasks))
    except (requests.RequestException, KeyError, ValueError) as error:
        return Run(type(error).__name__, time.monotonic() - began, 0.0)


def put_under_load(
    host: Host, client: Client, runs: int, to_the_first_failure: bool
) -> tuple[list[Run], Looks, list[Memory]]:
    """So many runs back to back, a visitor every 2 s, a look at the memory every 3 s."""
    looks, samples = Looks(), [host.memory()]
    threads = [
        Background(lambda: visit(client, looks), EVERY_SECONDS),
        Background(lambda: samples.append(host.memory()), SAMPLE_SECONDS),
    ]
    for thread in threads:
        thread.start()
    done: list[Run] = []
    while len(done) < runs and not (to_the_first_failure and any(run.state != "success" for run in done)):
        done.append(land_a_day(client, SOON_SECONDS if to_the_first_failure else RUN_TIMEOUT_SECONDS))
    for thread in threads:
        thread.finish()
    return done, looks, samples


def percentile(values: list[float], percent: int) -> float:
    """The value that so many percent are below of."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
