"""The host under attack, as tests/security/play.yml describes it in the environment, and the counts at the end."""

import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

PROJECT = Path(__file__).resolve().parents[2]
STRANGER = Path(__file__).parent / "stranger.py"
ATTACKS = "attacks in all"
COUNTS: dict[str, Any] = {ATTACKS: 0}  # in the order of the table
VERSIONS: list[str] = []
Count = Callable[..., None]
Stranger = Callable[..., Any]
Talk = tuple[subprocess.Popen[bytes], Path, str]
# One a line, for root's shell: Airflow's own, passwords, the credentials of X and AWS, and of private keys the first
# line, which holds the secret of an elliptic one; the public key follows.
LIST_SECRETS = """
for file in /etc/airflow/credentials/*; do cat "$file"; echo; done
sed -nE 's/^(X_[A-Z_]*(TOKEN|SECRET|KEY)|AWS_SECRET_ACCESS_KEY)=//p' /etc/twitter-etl/twitter.env
awk '/BEGIN.*PRIVATE KEY/ {getline; print}' /etc/https/tls.pem /var/lib/https/ca/ca.key 2>/dev/null || true
"""


@dataclass(frozen=True)
class Host:
    """A host that is reached by SSH, and its Airflow's address in the browser."""

    ssh: tuple[str, ...]
    base_url: str
    ca_file: str | None
    users: dict[str, str]  # names and passwords
    inventory: tuple[str, ...]  # options of ansible-playbook that mean this host
    first: bool  # of the inventory
    address: str
    ports: frozenset[int]  # that anybody may see at most: SSH and the web
    elsewhere: tuple[str, ...]  # runs Python on another machine of the host's network; empty where there is none

    @property
    def proxied(self) -> bool:
        """Whether nginx (role https) stands in front."""
        return self.base_url.startswith("https:")

    @property
    def name(self) -> str:
        """Of the host, as a browser has it, without the port."""
        return urlsplit(self.base_url).hostname or ""

    def root(self, script: str, timeout_seconds: float = 60) -> str:
        """What a shell script prints, run by root on the host. Raises CalledProcessError when it fails."""
        done = subprocess.run(
            [*self.ssh, "sudo", "bash", "-euo", "pipefail", "-s"],
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        """Answer to a request; redirects are not followed."""
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        options = {"verify": self.ca_file or True, "allow_redirects": False} | options
        return requests.request(method, self.base_url + path, headers=headers, timeout=60, **options)

    def token(self, username: str) -> str:
        """A token for the API; waits while the proxy says that there were too many logins."""
        deadline = time.monotonic() + 90
        while True:
            answer = self.ask("POST", "/auth/token", json={"username": username, "password": self.users[username]})
            if answer.status_code != 429 or time.monotonic() > deadline:
                assert answer.status_code == 201, answer.text
                return str(answer.json()["access_token"])
            time.sleep(3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What Ansible says comes last: it is saying it while the other tests run (`talk`)."""
    items.sort(key=lambda item: item.path.name == "test_output.py")


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    if "SECURITY_TARGET" not in os.environ:
        pytest.exit("These tests need a host: make test-security", returncode=2)
    target = json.loads(os.environ["SECURITY_TARGET"])
    ssh = ["ssh", "-o", "BatchMode=yes", "-i", target["key"], *shlex.split(target["ssh_args"])]
    ssh += [f"{target['user']}@{target['address']}"]
    users = {target["admin"]: target["admin_password"]}
    base_url, tunnel = target["base_url"], None
    if not base_url:  # Airflow listens on the host's loopback: an SSH tunnel leads there
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        forward = ["-N", "-S", "none", "-L", f"127.0.0.1:{port}:127.0.0.1:{target['api_port']}"]
        tunnel = subprocess.Popen([*ssh[:-1], *forward, ssh[-1]])
        base_url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
    it = Host(
        tuple(ssh),
        base_url,
        target["ca_file"] or None,
        users,
        tuple(target["inventory"]),
        target["first"],
        target["address"],
        frozenset(target["ports"]),
        tuple(target["elsewhere"]),
    )
    assert it.name, base_url
    VERSIONS[:] = it.root("""
        . /etc/os-release; echo "Debian $VERSION_ID"
        echo "Airflow $(/opt/airflow/venv/bin/python -c \
            'import importlib.metadata; print(importlib.metadata.version("apache-airflow"))' )"
        systemctl --version | awk 'NR == 1 {print $1, $2}'
        nginx -v 2>&1 | sed 's|.*nginx/|nginx |'
        openssl version | cut -d ' ' -f 1,2
    """).splitlines()
    if not users[target["admin"]]:
        users[target["admin"]] = it.root(f"cat /etc/airflow/credentials/password-{target['admin']}")
    yield it
    if tunnel:
        tunnel.terminate()


@pytest.fixture(scope="session", autouse=True)
def talk(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk | None]:
    """A run with -vvv and --diff that adds a user with a password: its process, its output, the password.

    It takes a minute, most of which it waits: the other tests have theirs meanwhile.
    """
    if not host.first:  # once is enough
        yield None
        return
    folder = tmp_path_factory.mktemp("talk")
    word = secrets.token_urlsafe(18)
    users = [
        {"username": name, "role": "Admin", "email": f"{name}@localhost", "password": "{{ airflow_admin_password }}"}
        for name in host.users
    ] + [{"username": "guest", "role": "Viewer", "email": "guest@localhost", "password": word}]
    variables = folder / "users.json"
    variables.write_text(json.dumps({"airflow_users": users}))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "--diff", *host.inventory]
    command += ["--tags", "airflow,https,twitter_etl", "-e", f"@{variables}", "playbooks/site.yml"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | {"ANSIBLE_ROLES_PATH": str(PROJECT / "roles")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        yield process, folder / "output", word
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def admin(host: Host) -> str:
    """A token of the admin."""
    return host.token(next(iter(host.users)))


@pytest.fixture(scope="session")
def restarts(host: Host) -> str:
    return _restarts(host)


@pytest.fixture(autouse=True)
def still_up(host: Host, admin: str, restarts: str) -> Iterator[None]:
    """After each test the service answers, and nothing of it has been restarted."""
    yield
    assert host.ask("GET", "/api/v2/version").status_code == 200
    assert host.ask("GET", "/api/v2/dags", admin).status_code == 200
    assert _restarts(host) == restarts


@pytest.fixture
def stranger(host: Host) -> Stranger:
    """Runs stranger.py on another machine: stranger("ports", address). Gives what it prints."""
    if not host.elsewhere:
        pytest.skip("there is no other machine: test hosts have one")

    def run(*arguments: str) -> Any:
        with STRANGER.open() as program:
            done = subprocess.run(
                [*host.elsewhere, "-", *arguments], stdin=program, capture_output=True, text=True, timeout=120
            )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def count() -> Count:
    """Notes a figure for the end, and how many attacks it was: count("forged tokens refused", 15, attacks=15)."""

    def note(what: str, figure: object, attacks: int = 0) -> None:
        COUNTS[what] = figure
        COUNTS[ATTACKS] += attacks

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Say the counts; write them into the document that SECURITY_REPORT names, when nothing got through."""
    if not VERSIONS:
        return
    terminalreporter.section("counts")
    figures = {
        what: f"{figure:,}" if isinstance(figure, int) else str(figure)
        for what, figure in sorted(COUNTS.items(), key=lambda item: item[0] != ATTACKS)
    }
    versions = f"{datetime.now(UTC).date().isoformat()}, {', '.join(VERSIONS)}"
    for line in (versions, *(f"{what}: {figure}" for what, figure in figures.items())):
        terminalreporter.write_line(line)
    report = os.environ.get("SECURITY_REPORT")
    if report and exitstatus == 0:
        table = "".join(f"| {what} | {figure} |\n" for what, figure in figures.items())
        section = (
            f"## Counts\n\nPrinted and written here by `make test-security`: {versions}.\n\n"
            f"| what | count |\n|---|---|\n{table}\n"
        )
        document = Path(report)
        whole, found = re.subn(r"(?ms)^## Counts\n.*?(?=^## )", lambda _: section, document.read_text())
        assert found == 1, f"{report} has no section Counts, followed by another"
        document.write_text(whole)
        terminalreporter.write_line(f"(also in {report})")


def _restarts(host: Host) -> str:
    units = "airflow-api-server airflow-scheduler airflow-dag-processor nginx"
    return host.root(f"systemctl show --property Id,NRestarts,MainPID {units}")
