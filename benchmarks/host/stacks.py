"""Three ways to run the same Airflow on the same host: this project's, Airflow's stock configuration, and
`airflow standalone`. All three run the same DAG, the two peers from the same environment as transient units."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import requests

from .machine import ADDRESS, INVENTORY, NAME, on_host

START_TIMEOUT_SECONDS = 600
CA_FILE = INVENTORY / f"{NAME}-ca.crt"
AIRFLOW = "/opt/airflow/venv/bin/airflow"
PEER_HOME = "/var/lib/airflow/peer"
"""Inside the folder that the DAG's own folders are in, so that the user airflow may write there."""


@dataclass(frozen=True)
class Stack:
    """`units` are what must not restart; `environment` is all that the peer is told."""

    name: str
    units: tuple[str, ...]
    programs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


OURS = Stack("tweetlake, profile small", ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor"))
PROGRAMS = ("api-server", "scheduler", "dag-processor", "triggerer")
PEER = {
    "AIRFLOW_HOME": PEER_HOME,
    "HOME": PEER_HOME,
    "PATH": "/opt/airflow/venv/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "AIRFLOW__CORE__DAGS_FOLDER": "/var/lib/airflow/dags",
    # The one departure from "as it comes", in the peers' favour: no example DAGs.
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}
STOCK = Stack(
    "stock configuration, PostgreSQL",
    tuple(f"peer-{program}" for program in PROGRAMS),
    PROGRAMS,
    PEER | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2:///peer?host=/var/run/postgresql"},
)
STANDALONE = Stack("airflow standalone, SQLite", ("peer-standalone",), ("standalone",), PEER)


class Client:
    """Airflow's API and UI as a browser with a token reaches them: through nginx, over HTTPS."""

    def __init__(self, username: str, password: str) -> None:
        self.session = requests.Session()
        self.session.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
        self.session.verify = str(CA_FILE)
        self.base = f"https://{ADDRESS}"
        answer = self.session.post(
            f"{self.base}/auth/token", json={"username": username, "password": password}, timeout=60
        )
        answer.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> requests.Response:
        """The answer to a GET, whatever its status."""
        return self.session.get(self.base + path, timeout=60)

    def send(self, method: str, path: str, body: dict[str, object]) -> dict[str, object]:
        """The answer's JSON. Raises requests.HTTPError."""
        answer = self.session.request(method, self.base + path, json=body, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())


def start(stack: Stack) -> Client:
    """The stack runs and is healthy. Raises TimeoutError."""
    for other in (OURS, STOCK, STANDALONE):
        if other is not stack:
            stop(other)
    if stack.programs:
        start_peer(stack)
    else:
        on_host(f"systemctl start {' '.join(stack.units)}")
    wait_until_healthy(stack)
    return Client(*credentials(stack))


def stop(stack: Stack) -> None:
    """None of its processes is left."""
    on_host(f"systemctl stop {' '.join(stack.units)} 2>/dev/null || true", timeout_seconds=300)


def start_peer(stack: Stack) -> None:
    """A new home, a new database, and a transient unit a program, restarted as ours are."""
    settings = " ".join(f"--setenv={name}='{value}'" for name, value in stack.environment.items())
    run = f"systemd-run --quiet --uid=airflow --gid=airflow --working-directory={PEER_HOME} {settings}"
    script = f"""
        rm -rf {PEER_HOME}; install -d -o airflow -g airflow {PEER_HOME}
        cd /
        runuser -u postgres -- dropdb --if-exists peer
        runuser -u postgres -- createdb --owner airflow peer
        {run} --wait --pipe {AIRFLOW} db migrate
    """
    for program in stack.programs:
        script += f"{run} --unit=peer-{program} --property=Restart=always --property=RestartSec=5 {AIRFLOW} {program}\n"
    on_host(script, timeout_seconds=300)


def wait_until_healthy(stack: Stack) -> None:
    """The health page says so of the parts that the stack has."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = requests.get(f"https://{ADDRESS}/api/v2/monitor/health", verify=str(CA_FILE), timeout=20)
            health = answer.json()
            if all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor")):
                return
        except (requests.RequestException, KeyError, ValueError):
            pass  # not up yet: nginx answers for it
        time.sleep(2)
    raise TimeoutError(f"{stack.name}: not healthy after {START_TIMEOUT_SECONDS} s")


def credentials(stack: Stack) -> tuple[str, str]:
    """The generated ones."""
    if stack is OURS:
        return "admin", on_host("cat /etc/airflow/credentials/password-admin").strip()
    passwords = on_host(f"cat {PEER_HOME}/simple_auth_manager_passwords.json.generated")
    return "admin", str(json.loads(passwords)["admin"])


def oom_scores(stack: Stack) -> dict[str, tuple[int, int]]:
    """Of each unit, the score it asks for and the one it has: not every kernel grants a container a negative one."""
    scores = {}
    for unit in stack.units:
        asked = on_host(f"systemctl show --property OOMScoreAdjust --value {unit}")
        pid = on_host(f"systemctl show --property MainPID --value {unit}").strip()
        scores[unit] = (int(asked), int(on_host(f"cat /proc/{pid}/oom_score_adj")))
    return scores


def restarts(stack: Stack) -> int:
    """How often systemd had to start one of its units again."""
    counts = on_host(f"systemctl show --property NRestarts --value {' '.join(stack.units)}").split()
    return sum(map(int, counts))
