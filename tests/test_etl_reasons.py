"""X's own words, and what stood in the way, reach the user."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.etl import Run, run_etl
from tests.helpers.x_api import XApi

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def land(env: dict[str, str], tmp_path: Path, *options: str) -> Run:
    return run_etl(*options, "--date", str(YESTERDAY), "--to", str(tmp_path / "lake"), env=env)


@pytest.fixture
def dead_address() -> str:
    """Of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def strict_proxy() -> Iterator[str]:
    """An HTTP proxy that wants a password before it opens a way."""

    class Strict(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.send_error(407)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strict) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def refusal(message: str, **parameters: str) -> dict[str, Any]:
    errors = [{"parameters": {name: [value] for name, value in parameters.items()}, "message": message}]
    detail = "One or more parameters to your request was invalid."
    return {"status": 400, "body": {"errors": errors, "title": "Invalid Request", "detail": detail}}


@pytest.mark.parametrize(
    ("message", "parameter", "hint"),
    [
        ("There were errors processing your request: missing ')' at '<EOF>'", "query", "--query"),
        ("Rules must contain a non-negated term", "query", "--query"),
        ("'start_time' must be on or after 2026-11-18T03:00Z", "start_time", "dates"),
    ],
)
def test_the_words_of_a_refusal_and_its_parameter_are_said(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, message: str, parameter: str, hint: str
) -> None:
    x_api.replay([refusal(message, **{parameter: "?"})])
    run = land(x_env, tmp_path, "--query", '"unclosed (foo')
    assert run.code == 2 and f"{parameter}: {message}" in run.summary["error"], run.log
    assert hint in run.summary["hint"] and len(x_api.requests) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
def test_a_dead_proxy_is_named(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, dead_address: str, variable: str
) -> None:
    """In http_proxy alone: programs started by a web server take the other for a header."""
    run = land(x_env | {variable: f"http://user:pass-word@{dead_address}"}, tmp_path, "--account", "nasa")
    assert run.code == 6 and f"the proxy http://{dead_address} ({variable}): connection refused" in run.log, run.log
    assert "NO_PROXY" in run.summary["hint"] and "pass-word" not in run.log and not x_api.requests


def test_what_a_proxy_answers_is_said(x_env: dict[str, str], tmp_path: Path, strict_proxy: str) -> None:
    env = x_env | {"X_API_BASE_URL": "https://x.invalid", "HTTPS_PROXY": f"http://{strict_proxy}"}
    run = land(env, tmp_path, "--account", "nasa")
    assert run.code == 6 and f"http://{strict_proxy} (HTTPS_PROXY): it answered 407" in run.log, run.log


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "htp://127.0.0.1:1"])
def test_an_unknown_scheme_of_a_proxy_is_not_tried(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, proxy: str
) -> None:
    run = land(x_env | {"HTTP_PROXY": proxy}, tmp_path, "--account", "nasa")
    assert run.code == 2 and f"HTTP_PROXY names {proxy}" in run.summary["error"], run.log
    assert "trying again" not in run.log and not x_api.requests


@pytest.mark.parametrize("mixed", ["X_API_BASE_URL", "HTTPS_PROXY"])
def test_tls_asked_of_plain_http_is_not_tried_again(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, mixed: str
) -> None:
    wrong = x_api.base_url.replace("http://", "https://")
    run = land(x_env | {"X_API_BASE_URL": "https://x.invalid", mixed: wrong}, tmp_path, "--account", "nasa")
    assert run.code == 2 and "plain HTTP" in run.summary["error"] and mixed in run.summary["hint"], run.log
    assert "trying again" not in run.log
