"""What people type into the DAG's form: it reaches the script as one argument, or nobody."""

import base64
import json
import subprocess
import time

RUNS = "/api/v2/dags/twitter_etl_daily/dagRuns"
# Passes the form, and would run in a shell, in Jinja or in Python, if it were pasted into any of them.
BREAK_OUT = "touch /var/lib/airflow/broke-out"
HOSTILE = (
    f"moon\" ' ; {BREAK_OUT}; $({BREAK_OUT}) `{BREAK_OUT}` | {BREAK_OUT} & --to=/tmp ${{IFS}} \\"
    f" {{{{ macros.uuid.os.system('{BREAK_OUT}') }}}}"
)
REFUSED = {
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
# Waits for the script's process and prints what it was given; runs as root, who alone may look.
WATCH = """
import base64, json, os, time
deadline = time.monotonic() + 150
while time.monotonic() < deadline:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
            if b"/opt/twitter-etl/twitter_etl.py" in line and b"--query=" in b" ".join(line):
                environment = open(f"/proc/{pid}/environ", "rb").read()
                if b"bash" not in line[0] and environment:
                    seen = [base64.b64encode(x).decode() for x in (b"\\0".join(line), environment)]
                    print(json.dumps(seen))
                    raise SystemExit
        except OSError:
            pass
    time.sleep(0.02)
"""


def start(host, admin, conf):
    return host.ask("POST", RUNS, admin, json={"logical_date": None, "conf": conf})


def test_the_form_refuses(host, admin, count):
    for what, conf in REFUSED.items():
        answer = start(host, admin, conf)
        assert answer.status_code in (400, 413, 422), (what, answer.status_code, answer.text[:200])
    count("DAG parameters refused", len(REFUSED))


def test_what_the_form_takes_runs_nothing(host, admin, count):
    watch = subprocess.Popen(
        [*host.ssh, "sudo", "python3", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    watch.stdin.write(WATCH)
    watch.stdin.close()
    answer = start(host, admin, {"query": HOSTILE, "latest": 10})
    assert answer.status_code == 200, answer.text
    run = answer.json()["dag_run_id"]
    seen = watch.stdout.read()
    assert watch.wait(timeout=180) == 0
    assert seen, "the script was not seen running"
    line, environment = (base64.b64decode(part).decode().split("\0") for part in json.loads(seen))

    assert f"--query={HOSTILE}" in line  # one argument, as it was typed
    names = {entry.partition("=")[0] for entry in environment if entry}
    assert "ENV_FILE" in names
    assert not {name for name in names if name.startswith(("AIRFLOW__", "X_", "AWS_"))}, names
    assert "CREDENTIALS_DIRECTORY" not in names
    keys = [host.root(f"cat /etc/airflow/credentials/{key}") for key in ("fernet_key", "jwt_secret", "api_secret_key")]
    for text in ("postgresql", *keys):
        assert text not in "\0".join(environment)

    deadline = time.monotonic() + 150
    state = "running"
    while state in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(1)
        state = host.ask("GET", f"{RUNS}/{run}", admin).json()["state"]
    assert state in ("success", "failed"), state
    assert host.root("ls /var/lib/airflow /tmp /var/tmp | grep -c broke-out || true").strip() == "0"
    count("DAG parameters that reached the script as one argument", 1)
    count("names in the environment of the ETL, none of Airflow's or a credential's", len(names))
