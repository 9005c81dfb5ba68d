"""What people type into the DAG's form: it reaches the script as one argument, or nobody."""

import base64
import json
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import requests

from tests.security.conftest import Count, Host

RUNS = "/api/v2/dags/twitter_etl_daily/dagRuns"
# Passes the form, and would run in a shell, in Jinja or in Python, if it were pasted into any of them.
BREAK_OUT = "touch /var/lib/airflow/broke-out"
HOSTILE = (
    f"moon\" ' ; {BREAK_OUT}; $({BREAK_OUT}) `{BREAK_OUT}` | {BREAK_OUT} & --to=/tmp ${{IFS}} \\"
    f" {{{{ macros.uuid.os.system('{BREAK_OUT}') }}}}"
)
REFUSED: dict[str, dict[str, Any]] = {
    "a line break": {"query": "moon\n" + BREAK_OUT},
    "a line break at the end": {"account": "nasa\n"},
    "a quote": {"account": "nasa'"},
    "an option": {"account": "--to=/tmp"},
    "a command": {"account": "$(id)"},
    "a path": {"name": "../../etc"},
    "a template": {"name": "{{ 7 * 7 }}"},
    "a date and more": {"date": "2026-01-01; id"},
    "no date": {"date": "2026-99-99' --archive"},
    "a word for a number": {"latest": "1; id"},
    "a sum that is none": {"max_cost": "0.1$(id)"},
    "a list": {"query": ["a", "b"]},
    "an object": {"account": {"$ne": ""}},
    "1 MB": {"query": "x" * 1_000_000},
    "a NUL": {"query": "moon\x00mars"},
}
# Waits for the script's process, the one with the argument, and prints what it was given and how it is confined; runs
# as root, who alone may look.
WATCH = """
import base64, json, os, sys, time
deadline = time.monotonic() + 150
while time.monotonic() < deadline:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
            if b"/opt/twitter-etl/twitter_etl.py" in line and sys.argv[1].encode() in b" ".join(line):
                environment = open(f"/proc/{pid}/environ", "rb").read()
                if b"bash" not in line[0] and environment:
                    seen = [base64.b64encode(x).decode() for x in (b"\\0".join(line), environment)]
                    status = dict(line.split(":\\t", 1) for line in open(f"/proc/{pid}/status") if ":\\t" in line)
                    root = [line.split()[5] for line in open(f"/proc/{pid}/mountinfo") if line.split()[4] == "/"]
                    group = open(f"/proc/{pid}/cgroup").read()
                    print(json.dumps([*seen, status, root[-1], group]))
                    raise SystemExit
        except OSError:
            pass
    time.sleep(0.02)
"""


@dataclass(frozen=True)
class Run:
    """A finished run of the DAG, and what its script's process was seen to be.

    Attributes:
        line, environment: its arguments, and NAME=value entries.
        status: the lines of /proc/PID/status.
        root: how the file system / is mounted for it.
        group: its control groups.
        state: `success` or `failed`.
    """

    line: list[str]
    environment: list[str]
    status: dict[str, str]
    root: str
    group: str
    state: str


def start(host: Host, admin: str, conf: dict[str, Any]) -> requests.Response:
    return host.ask("POST", RUNS, admin, json={"logical_date": None, "conf": conf})


def run(host: Host, admin: str, conf: dict[str, Any], argument: str) -> Run:
    """Trigger the DAG, look at the script's process, which has the argument, and wait for the end."""
    watch = subprocess.Popen(
        [*host.ssh, "sudo", "python3", "-", shlex.quote(argument)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdin and watch.stdout
    watch.stdin.write(WATCH)
    watch.stdin.close()
    answer = start(host, admin, conf)
    assert answer.status_code == 200, answer.text
    run_id = answer.json()["dag_run_id"]
    seen = watch.stdout.read()
    assert watch.wait(timeout=180) == 0
    assert seen, "the script was not seen running"
    line, environment, status, root, group = json.loads(seen)
    deadline = time.monotonic() + 150
    state = "running"
    while state in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.5)
        state = host.ask("GET", f"{RUNS}/{run_id}", admin).json()["state"]
    line, environment = (base64.b64decode(part).decode().split("\0") for part in (line, environment))
    return Run(line, [entry for entry in environment if entry], status, root, group, state)


def test_the_form_refuses(host: Host, admin: str, count: Count) -> None:
    for what, conf in REFUSED.items():
        answer = start(host, admin, conf)
        assert answer.status_code in (400, 413, 422), (what, answer.status_code, answer.text[:200])
    count("parameters of the DAG refused", len(REFUSED), attacks=len(REFUSED))


def test_what_the_form_takes_runs_nothing(host: Host, admin: str, count: Count) -> None:
    hostile = run(host, admin, {"query": HOSTILE, "latest": 10}, "--query=moon")
    assert f"--query={HOSTILE}" in hostile.line  # one argument, as it was typed
    names = {entry.partition("=")[0] for entry in hostile.environment}
    assert "ENV_FILE" in names
    assert not {name for name in names if name.startswith(("AIRFLOW__", "X_", "AWS_"))}, names
    assert "CREDENTIALS_DIRECTORY" not in names
    keys = [host.root(f"cat /etc/airflow/credentials/{key}") for key in ("fernet_key", "jwt_secret", "api_secret_key")]
    for text in ("postgresql", *keys):
        assert text not in "\0".join(hostile.environment)
    assert hostile.state in ("success", "failed"), hostile.state  # X may refuse such a search
    assert host.root("ls /var/lib/airflow /tmp /var/tmp | grep -c broke-out || true").strip() == "0"
    count("parameters that reached the script as one argument, and ran nothing", 1, attacks=1)
    count("names in the environment of the ETL", f"{len(names)}, none of Airflow's or a credential's")


def test_the_dag_is_green_under_the_sandbox(host: Host, admin: str, count: Count) -> None:
    """Of the scheduler's unit as it is loaded, which its tasks inherit; and the script's process really lives in it."""
    # Under a name of its own: the search of the test before lies in today's partition of searches without one.
    green = run(host, admin, {"query": "sun", "latest": 10, "name": "sun"}, "--query=sun")
    assert green.state == "success"
    assert "/airflow-scheduler.service" in green.group
    assert {name: green.status[name].strip() for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff")} == {
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "CapBnd": "0000000000000000",
        "CapEff": "0000000000000000",
    }
    assert green.root.split(",")[0] == "ro"
    wanted = {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "PrivateUsers": "yes",
        "RestrictSUIDSGID": "yes",
        "MemoryDenyWriteExecute": "yes",
        "CapabilityBoundingSet": "",
    }
    shown = host.root(f"systemctl show airflow-scheduler --property {','.join(wanted)}").splitlines()
    assert dict(line.split("=", 1) for line in shown) == wanted
    count("the DAG, run under the sandbox", f"green, with {', '.join(name for name in wanted)}")
