"""The host under attack, as tests/security/play.yml describes it in the environment, and the counts at the end."""

import json
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import requests

COUNTS: list[str] = []


@dataclass(frozen=True)
class Host:
    """A host that is reached by SSH, and its Airflow's address in the browser."""

    ssh: tuple[str, ...]
    base_url: str
    ca_file: str | None
    users: dict[str, str]  # names and passwords
    inventory: tuple[str, ...]  # options of ansible-playbook that mean this host
    first: bool  # of the inventory

    @property
    def proxied(self) -> bool:
        """Whether nginx (role https) stands in front."""
        return self.base_url.startswith("https:")

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

    def ask(self, method: str, path: str, token: str | None = None, **options) -> requests.Response:
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
                return answer.json()["access_token"]
            time.sleep(3)


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
    assert urlsplit(base_url).hostname
    it = Host(tuple(ssh), base_url, target["ca_file"] or None, users, tuple(target["inventory"]), target["first"])
    if not users[target["admin"]]:
        users[target["admin"]] = it.root(f"cat /etc/airflow/credentials/password-{target['admin']}")
    yield it
    if tunnel:
        tunnel.terminate()


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
def count():
    """Notes a figure for the end: count("forged tokens refused", 8)."""
    return lambda what, number: COUNTS.append(f"{what}: {number}")


def pytest_terminal_summary(terminalreporter) -> None:
    terminalreporter.section("counts")
    for line in COUNTS:
        terminalreporter.write_line(line)


def _restarts(host: Host) -> str:
    return host.root("systemctl show --property Id,NRestarts,MainPID 'airflow-*.service' nginx.service")
