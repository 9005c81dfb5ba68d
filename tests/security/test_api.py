"""Requests of people who may not: without a token, with a forged one, for another host, with too much of all."""

import base64
import hashlib
import hmac
import http.client
import json
import re
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from tests.security.conftest import Count, Host

# What answers without a token, and why it may: neither says anything of a DAG, a run or a user.
PUBLIC = {
    ("get", "/api/v2/monitor/health"): "healthy or not, for monitors",
    ("get", "/api/v2/version"): "the version, which the login page shows too",
    ("get", "/api/v2/auth/login"): "leads to the login page",
    ("get", "/api/v2/auth/logout"): "leads to the login page",
    ("post", "/auth/token"): "takes a password",
    ("post", "/auth/token/cli"): "takes a password",
    ("get", "/auth/logout"): "clears the cookie",
}
DESCRIPTIONS = "api_fastapi/core_api/openapi/*.yaml providers/fab/auth_manager/api_fastapi/openapi/*.yaml"
# The tasks' own API has no description; these are of its routes (airflow/api_fastapi/execution_api/routes).
TASKS = """
    GET /variables/{key}  PUT /variables/{key}  GET /connections/{connection_id}
    GET /xcoms/{dag_id}/{run_id}/{task_id}/{key}
    PATCH /task-instances/{task_instance_id}/run  PATCH /task-instances/{task_instance_id}/state
    PUT /task-instances/{task_instance_id}/heartbeat  PUT /task-instances/{task_instance_id}/rtif
    GET /task-instances/count  POST /dag-runs/{dag_id}/{run_id}  GET /dag-runs/{dag_id}/{run_id}/state
    GET /dag-runs/count
    GET /dags/{dag_id}  GET /assets/by-name  POST /hitlDetails/{task_instance_id}  GET /asset-events/by-asset
"""
SECRETS = re.compile(r"root:.:0:0|\[core\]|\[database\]|fernet|twitter_etl_daily|X_BEARER", re.IGNORECASE)


@pytest.fixture(scope="session")
def operations(host: Host) -> list[tuple[str, str]]:
    """Method and path of everything Airflow's own descriptions name: REST API, UI, users, and the tasks' API."""
    text = host.root(
        f"cd /opt/airflow/venv/lib/python3*/site-packages/airflow; for f in {DESCRIPTIONS}; do echo ---; cat $f; done"
    )
    paths = [(path, what) for document in yaml.safe_load_all(text) for path, what in document["paths"].items()]
    methods = ("get", "post", "put", "patch", "delete", "head")
    found = [(method, path) for path, what in paths for method in methods if method in what]
    tasks = re.findall(r"([A-Z]+) (/\S+)", TASKS)
    return found + [(method.lower(), "/execution" + path) for method, path in tasks]


def test_no_path_answers_without_a_token(host: Host, operations: list[tuple[str, str]], count: Count) -> None:
    answers = {}
    with requests.Session() as session:
        for method, path in operations:
            filled = re.sub(r"\{\w*id\}", "1a2b3c4d-0000-4000-8000-000000000000", path)
            filled = re.sub(r"\{.*?\}", "1", filled)
            body: dict[str, str] | None = {} if method in ("post", "put", "patch") else None
            answer = session.request(
                method,
                host.base_url + filled,
                json=body,
                timeout=60,
                allow_redirects=False,
                stream=True,
                verify=host.ca_file or True,
            )
            answers[method, path] = answer.status_code
            answer.close()
    assert len(answers) > 170
    # The proxy says of the tasks' API that there is none.
    refused = {
        (method, path)
        for (method, path), status in answers.items()
        if status in (401, 403) or (status == 404 and host.proxied and path.startswith("/execution/"))
    }
    left = {operation: status for operation, status in answers.items() if operation not in refused}
    unexpected = {operation: status for operation, status in left.items() if operation not in PUBLIC}
    assert not unexpected
    figure = f"{len(answers)}: {len(refused)} refused, {len(left)} public (health, version, sign in, sign out)"
    count("API operations tried without a token", figure, attacks=len(answers))


def forge(claims: dict[str, Any], key: str, algorithm: str = "HS512") -> str:
    """A JSON Web Token, signed with the key (RFC 7519); the algorithm `none` isn't signed."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    parts = [encode(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    digest = {"HS512": "sha512", "HS256": "sha256"}.get(algorithm)
    signature = hmac.new(key.encode(), ".".join(parts).encode(), getattr(hashlib, digest)).digest() if digest else b""
    return ".".join([*parts, encode(signature)])


def test_no_forged_token_is_taken(host: Host, admin: str, count: Count) -> None:
    """The claims are the admin's own; what differs is the signature, or one claim signed with the right key."""
    head, middle, signature = admin.split(".")
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    key = host.root("cat /etc/airflow/credentials/jwt_secret")
    now = int(time.time())
    assert host.ask("GET", "/api/v2/dags", forge(claims, key)).status_code == 200  # so the forger knows its trade
    forged = {
        "no signature": forge(claims, "", "none"),
        "signature cut off": f"{head}.{middle}.",
        "signature of another token": f"{head}.{forge(claims | {'sub': '2'}, key).split('.')[1]}.{signature}",
        "empty key": forge(claims, ""),
        "guessed key": forge(claims, "airflow"),
        "another secret of the host": forge(claims, host.root("cat /etc/airflow/credentials/api_secret_key")),
        "weaker algorithm": forge(claims, key, "HS256"),
        "expired": forge(claims | {"exp": now - 3600, "iat": now - 7200, "nbf": now - 7200}, key),
        "not yet": forge(claims | {"nbf": now + 3600}, key),
        "another installation's": forge(claims | {"aud": "tweetlake/another"}, key),
        "another issuer": forge(claims | {"iss": "another"}, key),
        "nobody's": forge(claims | {"sub": "4711"}, key),
        "no subject": forge({name: value for name, value in claims.items() if name != "sub"}, key),
        "no token at all": "null",
    }
    answers = {what: host.ask("GET", "/api/v2/dags", token).status_code for what, token in forged.items()}
    in_the_cookie = host.ask("GET", "/api/v2/dags", headers={"Cookie": f"_token={forged['guessed key']}"})
    answers["in the cookie"] = in_the_cookie.status_code
    assert not {what: status for what, status in answers.items() if status not in (401, 403)}
    count("forged tokens refused", len(answers), attacks=len(answers))


def raw(host: Host, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Status, and headers with the first 20 kB of the body; the path goes out as it stands."""
    url = urlsplit(host.base_url)
    connection: http.client.HTTPConnection
    if host.proxied:
        context = ssl.create_default_context(cafile=host.ca_file)
        connection = http.client.HTTPSConnection(host.name, url.port or 443, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection(host.name, url.port or 80, timeout=60)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in ({"Host": url.netloc} | (headers or {})).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    text = f"{answer.headers}\n" + answer.read(20_000).decode(errors="replace")
    connection.close()
    return answer.status, text


def test_another_hosts_name_leads_nowhere(host: Host, count: Count) -> None:
    tried = 0
    for headers in (
        {"Host": "evil.example"},
        {"Host": "evil.example:443"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Forwarded-Prefix": "//evil.example"},
        {"X-Original-Host": "evil.example", "X-Host": "evil.example"},
    ):
        for path in ("/", "/api/v2/auth/login", "/auth/login/", "/auth/logout"):
            status, text = raw(host, path, headers)
            if "Host" in headers and host.proxied:
                assert status == 421, (headers, path, status)
            if host.proxied:  # behind the tunnel the client is trusted: it is on the host
                assert "evil.example" not in text, (headers, path)
            assert status < 500, (headers, path, status)
            tried += 1
    count("requests with another host's name", tried, attacks=tried)


def test_no_trick_with_the_path_gets_past(host: Host, count: Count) -> None:
    up, hidden = "/..", "/%2e%2e"
    tricks = ["//api/v2/dags", "/api//v2/dags", "/./api/v2/dags", "/api/v2/version/../dags", "/%61pi/v2/dags"]
    tricks += ["/api/v2/version/..;/dags", "/api/v2/dags;a=b", "/api/v2/dags%00", "/api/v2/dags%20", "/API/v2/dags"]
    tricks += ["/api/v2/version%2f..%2fdags", "/api/v2/dags?_token=x", "/api/v2/dags#", "/api/v2/monitor/../dags"]
    tricks += ["/execution/../api/v2/dags", "/static/..%2fapi/v2/dags", "/api/v2\\dags", "/auth/..%5capi/v2/dags"]
    for root in ("/static", "/auth/static", "", "/ui", "/assets"):
        tricks += [f"{root}{up * 8}/etc/passwd", f"{root}{hidden * 8}/etc/passwd", f"{root}/%252e%252e/etc/passwd"]
        tricks += [f"{root}{up * 8}/etc/airflow/airflow.cfg", f"{root}//etc/airflow/airflow.cfg"]
    for path in tricks:
        status, text = raw(host, path)
        assert status < 500, (path, status)
        assert not SECRETS.search(text), (path, status)
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-User", "X-Remote-User", "Remote-User"):
        status, text = raw(host, "/api/v2/dags", {name: "/api/v2/version" if "URL" in name else "admin"})
        assert status == 401, (name, status)
        assert not SECRETS.search(text), name
    assert raw(host, "/api/v2/dags", {"X-HTTP-Method-Override": "OPTIONS"})[0] == 401
    count("tricks with paths and headers", len(tricks) + 6, attacks=len(tricks) + 6)


def test_a_hundred_wrong_passwords(host: Host, count: Count) -> None:
    user = next(iter(host.users))
    began = time.monotonic()
    answers = [
        host.ask("POST", "/auth/token", json={"username": user, "password": f"guess {number}"}).status_code
        for number in range(100)
    ]
    seconds = time.monotonic() - began
    assert seconds < 60
    assert set(answers) <= {401, 429}
    if host.proxied:
        assert answers.count(429) >= 80
    assert host.token(user)
    figure = f"{len(answers)} in {seconds:.0f} s: {answers.count(401)} refused, {answers.count(429)} not even looked at"
    count("wrong passwords", figure, attacks=len(answers))


def test_too_much_is_refused(host: Host, admin: str, count: Count) -> None:
    as_json = {"Content-Type": "application/json"}
    tries: dict[str, tuple[str, str, dict[str, Any]]] = {
        "10 MiB to the login": ("POST", "/auth/token", {"data": b"x" * (10 << 20)}),
        "2 MiB of JSON to the login": ("POST", "/auth/token", {"json": {"username": "a" * (2 << 20), "password": "b"}}),
        "100,000 nested lists": ("POST", "/auth/token", {"data": "[" * 100_000, "headers": as_json}),
        "a header of 100 kB": ("GET", "/api/v2/version", {"headers": {"X-Big": "x" * 100_000}}),
        "an address of 100 kB": ("GET", "/api/v2/version?" + "x" * 100_000, {}),
        "a token of 1 MB": ("GET", "/api/v2/dags", {"headers": {"Authorization": "Bearer " + "x" * 1_000_000}}),
    }
    for what, (method, path, options) in tries.items():
        began = time.monotonic()
        try:
            status = host.ask(method, path, **options).status_code
        except requests.ConnectionError:  # hung up on while we still wrote: refused, too
            status = 413
        assert 400 <= status < 500 or (status == 200 and not host.proxied), (what, status)
        assert time.monotonic() - began < 30, what
    count("oversized requests refused", len(tries), attacks=len(tries))


def test_slow_requests_hold_nobody_up(host: Host, count: Count) -> None:
    """60 connections that never finish their request; meanwhile others are served, and the proxy hangs up on them."""
    url = urlsplit(host.base_url)
    context = ssl.create_default_context(cafile=host.ca_file)
    slow = []
    for number in range(60):
        line = socket.create_connection((host.name, url.port or (443 if host.proxied else 80)), timeout=30)
        if host.proxied:
            line = context.wrap_socket(line, server_hostname=host.name)
        whole = f"POST /auth/token HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 1000\r\n"
        line.sendall((whole + ("\r\n{" if number % 2 else "X-")).encode())
        slow.append(line)
    began = time.monotonic()
    assert host.ask("GET", "/api/v2/version").status_code == 200
    waited_seconds = time.monotonic() - began
    assert waited_seconds < 10
    if host.proxied:
        for line in slow:
            line.settimeout(max(0.1, 25 - (time.monotonic() - began)))
            try:
                while line.recv(4096):
                    pass
            except ConnectionError:
                pass
    for line in slow:
        line.close()
    figure = f"{len(slow)}; another request was answered in {waited_seconds:.1f} s"
    count("slow connections at once", figure, attacks=len(slow))
