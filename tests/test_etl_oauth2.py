"""OAuth 2.0 user context: tokens that rotate, stored before they are used, and nobody is ever locked out."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.etl import SCRIPT, Run, run_etl
from tests.helpers.x_api import XApi

YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))


@pytest.fixture
def env(x_api: XApi, tmp_path: Path) -> dict[str, str]:
    return x_api.oauth2_env | {
        "X_API_BASE_URL": x_api.base_url,
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_RETRY_SECONDS": "0.01",
        "TWITTER_ETL_TIMEOUT_SECONDS": "5",
    }


def land(env: dict[str, str], tmp_path: Path, account: str = "nasa") -> Run:
    """`--again`: X is asked, whatever has landed before."""
    return run_etl("--account", account, "--date", YESTERDAY, "--to", str(tmp_path / "lake"), "--again", env=env)


def stored(env: dict[str, str]) -> dict[str, Any]:
    pair: dict[str, Any] = json.loads((Path(env["TWITTER_ETL_STATE_DIR"]) / "oauth2.json").read_text())
    return pair


def test_the_pair_is_stored_for_this_user_alone_and_used_again(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    assert land(env, tmp_path).code == 0
    file = Path(env["TWITTER_ETL_STATE_DIR"]) / "oauth2.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = stored(env)
    assert first["refresh_token"] != env["X_OAUTH2_REFRESH_TOKEN"], "X has replaced it"
    run = land(env, tmp_path)
    assert (run.code, x_api.refreshes) == (0, 1), run.log
    secrets = [*[*env.values()][1:3], first["access_token"], first["refresh_token"]]
    assert not any(secret in run.log + json.dumps(run.summary) for secret in secrets)
    assert sorted(p.name for p in file.parent.iterdir() if p.is_file()) == [
        *("oauth2.json", "oauth2.lock", "spend.json", "spend.lock", "user_ids.json")
    ]


def test_a_public_client_has_no_secret(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    tokens = x_api._simulator.authenticator.tokens
    secret, tokens.secret = tokens.secret, ""
    try:
        run = land(env | {"X_OAUTH2_CLIENT_SECRET": ""}, tmp_path)
    finally:
        tokens.secret = secret
    assert run.code == 0, run.log


@pytest.mark.slow
@pytest.mark.parametrize("how", ["it is over", "X refuses it"])
def test_an_access_token_that_is_over_is_renewed(x_api: Any, env: dict[str, str], tmp_path: Path, how: str) -> None:
    assert land(env, tmp_path).code == 0
    file = Path(env["TWITTER_ETL_STATE_DIR"]) / "oauth2.json"
    if how == "it is over":
        file.write_text(json.dumps(stored(env) | {"expires_at": time.time() + 30}))
    else:
        x_api.expire_access_tokens()
    asked = len(x_api.requests)
    run = land(env, tmp_path)
    assert (run.code, x_api.refreshes) == (0, 2), run.log
    refused = [r for r in x_api.requests[asked:] if r.status == 401]
    assert len(refused) == (0 if how == "it is over" else 1)


def test_a_revoked_token_says_how_to_get_a_new_one(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    assert land(env, tmp_path).code == 0
    x_api.revoke_authorization()
    run = land(env, tmp_path)
    assert run.code == 3, run.log
    assert "revoked" in run.summary["error"] and "offline.access" in run.summary["hint"]
    x_api._simulator.authenticator.tokens._refresh_token = "authorized-once-more"
    run = land(env | {"X_OAUTH2_REFRESH_TOKEN": "authorized-once-more"}, tmp_path)
    assert run.code == 0, "a new initial token replaces the stored pair"
    assert land(env | {"X_OAUTH2_REFRESH_TOKEN": "authorized-once-more"}, tmp_path).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"X_OAUTH2_CLIENT_SECRET": "wrong-secret"}, "X_OAUTH2_CLIENT_SECRET"),
        ({"X_OAUTH2_REFRESH_TOKEN": ""}, ""),
        ({"X_OAUTH2_CLIENT_ID": ""}, ""),
    ],
)
def test_a_wrong_client_is_named(
    x_api: Any, env: dict[str, str], tmp_path: Path, changed: dict[str, str], part: str
) -> None:
    run = land(env | changed, tmp_path)
    assert run.code == 3 and part in run.summary["hint"], run.log
    assert part or next(iter(changed)) in run.summary["error"]


@pytest.mark.slow
def test_runs_at_once_refresh_once(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    """A refresh token works once: the second of two that send it would be locked out."""
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda name: land(env, tmp_path / name, name), ["nasa", "esa", "quiet", "lakekeeper"]))
    assert [run.code for run in runs] == [0, 0, 0, 0], [run.log for run in runs]
    assert x_api.refreshes == 1


@pytest.mark.slow
def test_a_passing_fault_of_the_token_endpoint_is_survived(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    for fault in ("server_error", "reset"):
        x_api.fault(fault, path="/oauth2/token")
    run = land(env, tmp_path)
    assert (run.code, x_api.refreshes) == (0, 1), run.log


@pytest.mark.slow
def test_sigterm_waits_until_the_new_pair_is_stored(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    """Hit while X's answer is under way, the run ends, but with the new pair on the disk."""
    x_api._simulator.authenticator.tokens.delay_seconds = 1.0
    arguments = ["--account", "nasa", "--date", YESTERDAY, "--to", str(tmp_path / "lake")]
    process = subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=env, stdout=subprocess.DEVNULL)
    try:
        while not x_api.refreshes and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    finally:
        x_api._simulator.authenticator.tokens.delay_seconds = 0.0
    assert stored(env)["refresh_token"] == x_api._simulator.authenticator.tokens._refresh_token
    assert land(env, tmp_path).code == 0 and x_api.refreshes == 1


def test_without_room_for_the_pair_the_token_is_not_spent(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    state = Path(env["TWITTER_ETL_STATE_DIR"])
    state.mkdir()
    (state / "oauth2.probe").mkdir()  # stands in the way, as a full disk would (root may write anywhere)
    run = land(env, tmp_path)
    assert run.code == 2 and x_api.refreshes == 0, run.log
    os.rmdir(state / "oauth2.probe")
    assert land(env, tmp_path).code == 0


@pytest.mark.slow
def test_a_damaged_pair_falls_back_to_the_initial_token(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    state = Path(env["TWITTER_ETL_STATE_DIR"])
    state.mkdir()
    (state / "oauth2.json").write_text("{")
    run = land(env, tmp_path)
    assert run.code == 0 and "damaged" in run.log, run.log


@pytest.mark.slow
def test_a_search_works_and_the_archive_names_what_it_needs(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    run = run_etl("--query", "from:nasa", "--latest", "10", "--to", str(tmp_path / "lake"), env=env)
    assert (run.code, run.rows) == (0, 10), run.log
    run = run_etl("--query", "from:nasa", "--latest", "10", "--archive", "--to", str(tmp_path / "lake"), env=env)
    assert run.code == 3 and "X_BEARER_TOKEN" in run.summary["hint"]
