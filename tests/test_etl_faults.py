"""Fault x phase: whatever breaks wherever, a later run repairs it. No post lost, none landed twice, none paid twice."""

from __future__ import annotations

import csv
import http.client
import json
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.etl import SCRIPT, Run, run_etl
from tests.s3_server import S3

DAY = str((datetime.now(UTC) - timedelta(days=1)).date())
DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


class Gate(ThreadingHTTPServer):
    """Stands before the S3 server and hands requests on, unless `shut` has a status for the end of their path."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.upstream = urlsplit(endpoint_url).netloc
        self.shut: dict[str, int] = {}
        self.puts: Counter[str] = Counter()
        self.on_put: dict[str, Any] = {}  # end of a path -> called once that object is stored


class Passage(BaseHTTPRequestHandler):
    server: Gate
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        status = next((s for end, s in self.server.shut.items() if self.command == "PUT" and path.endswith(end)), 0)
        if status:
            self.answer(status, {}, DENIED if status == 403 else b"")
            return
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=20)
        upstream.request(self.command, self.path, body, dict(self.headers))
        response = upstream.getresponse()
        content, headers = response.read(), dict(response.getheaders())
        upstream.close()
        for end, call in list(self.server.on_put.items()):
            if self.command == "PUT" and path.endswith(end):
                del self.server.on_put[end]
                call()
        self.answer(response.status, headers, content)

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", str(len(content))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def gate(s3: S3) -> Iterator[Gate]:
    with Gate(s3.endpoint_url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def env(x_api: Any, s3: S3, gate: Gate, tmp_path: Path) -> dict[str, str]:
    return s3.env | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{gate.server_port}",
        "AWS_MAX_ATTEMPTS": "1",
        "X_BEARER_TOKEN": x_api.bearer_token,
        "X_API_BASE_URL": x_api.base_url,
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_RETRY_SECONDS": "0.01",
        "TWITTER_ETL_TIMEOUT_SECONDS": "2",
        "TWITTER_ETL_DEADLINE_SECONDS": "20",
    }


def arguments(s3: S3, account: str = "nasa", day: str = DAY) -> list[str]:
    wanted = ["--include-replies", "--include-retweets"]
    return ["--account", account, "--date", day, *wanted, "--to", f"s3://{s3.bucket}"]


def start(s3: S3, env: dict[str, str], account: str = "nasa") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SCRIPT), *arguments(s3, account)], env=env, stdout=subprocess.DEVNULL)


def page_requests(x_api: Any) -> list[str]:
    """The pagination token of every page of posts that was answered."""
    asked = [r for r in x_api.requests if r.path.endswith("/tweets") and r.status == 200]
    return [request.query.get("pagination_token", "") for request in asked]


def check_landed(run: Run, x_api: Any, s3: S3, day: str = DAY) -> None:
    """Whole, each post once, and exactly what was billed."""
    assert run.code == 0, run.log
    rows = list(csv.DictReader(s3.read(f"twitter/dt={day}/refined_tweets.csv").decode().splitlines(keepends=True)))
    ids = [row["id"] for row in rows]
    manifest = json.loads(s3.read(f"twitter/dt={day}/_manifest.json"))
    assert len(ids) == len(set(ids)) == manifest["rows"] == x_api.billed_posts > 0
    assert manifest["complete"] is True


X_FAULTS = [  # each fault in one phase: a run costs a second or two
    ("unauthorized", 3, "first page"),
    ("credits_depleted", 4, "later page"),
    ("usage_capped", 4, "first page"),
    ("rate_limit_24h", 5, "later page"),
    ("server_error", 6, "look-up"),
    ("reset", 6, "later page"),
    ("cut_body", 6, "first page"),
    ("errors_only", 8, "later page"),
]


@pytest.mark.parametrize(("fault", "code", "phase"), X_FAULTS)
def test_a_fault_of_x_is_repaired_by_the_next_run(
    fault: str, code: int, phase: str, x_api: Any, s3: S3, env: dict[str, str]
) -> None:
    path = "/by/username/" if phase == "look-up" else "/tweets"
    later = phase == "later page"
    if later:  # one page comes, then the fault
        x_api.fault("empty_page", count=1, path="/tweets")
    x_api.fault(fault, count=50, path=path)
    run = run_etl(*arguments(s3), env=env)
    assert (run.code, run.summary["exit_code"]) == (code, code), run.log
    assert s3.all_keys() == []
    assert ("kept in" in run.summary["kept"]) == later
    clear_faults(x_api)
    check_landed(run_etl(*arguments(s3), env=env), x_api, s3)
    tokens = page_requests(x_api)
    if fault not in ("cut_body", "errors_only"):
        assert len(tokens) == len(set(tokens)), "a page was answered twice"


def clear_faults(x_api: Any) -> None:
    x_api._simulator.faults.clear()


S3_PHASES = ["refined_tweets.csv", "refined_tweets.parquet", "pages.jsonl.gz", "_manifest.json"]


@pytest.mark.parametrize(("status", "object_name"), list(zip([403, 404, 503, 403], S3_PHASES, strict=True)))
def test_a_fault_of_s3_is_repaired_without_asking_x(
    status: int, object_name: str, x_api: Any, s3: S3, gate: Gate, env: dict[str, str]
) -> None:
    gate.shut[object_name] = status
    run = run_etl(*arguments(s3), env=env)
    assert run.code == 7 and run.summary["hint"] and "kept in" in run.summary["kept"], run.log
    if status == 403:
        assert "s3:PutObject" in run.summary["hint"]
    assert f"twitter/dt={DAY}/_manifest.json" not in s3.all_keys()
    gate.shut.clear()
    asked = len(x_api.requests)
    check_landed(run_etl(*arguments(s3), env=env), x_api, s3)
    assert len(x_api.requests) == asked, "the pages were paid for already"


@pytest.mark.parametrize("object_name", ["refined_tweets.csv", "_manifest.json"])
def test_a_kill_during_the_upload(object_name: str, x_api: Any, s3: S3, gate: Gate, env: dict[str, str]) -> None:
    """_manifest.json: killed between the commit and the removal of the spool."""
    process = start(s3, env)
    gate.on_put[object_name] = process.kill
    assert process.wait(30) == -signal.SIGKILL
    asked = len(x_api.requests)
    check_landed(run_etl(*arguments(s3), env=env), x_api, s3)
    assert len(x_api.requests) == asked


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_while_paging(kind: signal.Signals, x_api: Any, s3: S3, env: dict[str, str]) -> None:
    process = start(s3, env, "prolific")
    while len(x_api.requests) < 6 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(kind)
    assert process.wait(30) == (-kind if kind == signal.SIGKILL else 128 + kind)
    check_landed(run_etl(*arguments(s3, "prolific"), env=env), x_api, s3)
    repeated = sum(Counter(page_requests(x_api)).values()) - len(set(page_requests(x_api)))
    assert repeated <= 1, "only the page that was under way is asked for again (free on the same day)"


def test_two_runs_at_once(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    x_api.fault("hang", count=1, path="/tweets", seconds=1.9)
    first = start(s3, env)
    while not x_api.requests:
        time.sleep(0.005)
    second = run_etl(*arguments(s3), env=env)
    assert second.code == 6 and f"process {first.pid}" in second.summary["error"], second.log
    assert first.wait(30) == 0
    check_landed(run_etl(*arguments(s3), env=env), x_api, s3)


@pytest.mark.parametrize("bytes_free", [100, 30_000])
def test_a_full_disk(bytes_free: int, x_api: Any, s3: S3, env: dict[str, str]) -> None:
    """A limit on the size of files stands for it: writes fail with an OSError alike."""
    limited = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments(s3, "prolific")],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_free, bytes_free)),
    )
    assert limited.returncode == 2 and "Traceback" not in limited.stderr, limited.stderr
    assert "room" in json.loads(limited.stdout.splitlines()[-1])["hint"]
    check_landed(run_etl(*arguments(s3, "prolific"), env=env), x_api, s3)


def test_an_old_day_needs_no_x_for_a_retry(x_api: Any, s3: S3, gate: Gate, env: dict[str, str]) -> None:
    """The proof that the timeline reaches so far back is kept with the pages."""
    day = str((datetime.now(UTC) - timedelta(days=5)).date())
    gate.shut["_manifest.json"] = 403
    assert run_etl(*arguments(s3, day=day), env=env).code == 7
    asked = len(x_api.requests)
    gate.shut.clear()
    assert run_etl(*arguments(s3, day=day), env=env).code == 0
    assert len(x_api.requests) == asked


def test_the_token_is_sent_whatever_netrc_says(x_api: Any, s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("default login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    check_landed(run_etl(*arguments(s3), env=env | {"HOME": str(tmp_path)}), x_api, s3)
