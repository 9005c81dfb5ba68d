"""Dead ends have an exit: a part that was paid for, a full disk, an answer to a refresh that was lost."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tweetlake.errors import DiskFullError, UsageError
from tweetlake.files import disk_error

from tests.helpers.etl import Run, run_etl, run_here
from tests.helpers.x_api import XApi

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
GONE = {
    "protected": {"type": "https://api.x.com/2/problems/not-authorized-for-resource", "detail": "Sorry, protected."},
    "suspended": {"type": "https://api.x.com/2/problems/resource-not-found", "detail": "User has been suspended: [1]."},
    "doesn't exist": {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": "Could not find it."},
}


def land(env: dict[str, str], tmp_path: Path, *options: str) -> Run:
    arguments = ("--account", "three_pages", "--include-replies", "--include-retweets", "--date", str(YESTERDAY))
    return run_etl(*arguments, *options, "--to", str(tmp_path / "lake"), env=env)


# ---- the account is gone halfway -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", list(GONE))
def test_what_was_paid_for_can_be_landed(x_api: XApi, x_env: dict[str, str], tmp_path: Path, how: str) -> None:
    x_api.fault("server_error", path="/tweets", count=9, after=1)
    assert land(x_env, tmp_path).code == 6
    paid = x_api.billed_posts
    assert paid == 100
    x_api.replay([{"errors": [GONE[how]]}] * 3)
    x_api._simulator.faults.clear()
    for _ in range(2):
        run = land(x_env, tmp_path)
        assert run.code == 8 and how in run.summary["error"] and not (tmp_path / "lake/twitter").exists(), run.log
        assert f"--land-incomplete lands the {paid} posts" in run.summary["hint"] and run.summary["kept"]
    run = land(x_env, tmp_path, "--land-incomplete")
    assert (run.code, run.rows, x_api.billed_posts) == (0, paid, paid), run.log
    manifest = json.loads((tmp_path / f"lake/twitter/dt={YESTERDAY}/_manifest.json").read_text())
    assert manifest["complete"] is False and how in manifest["incomplete_reason"]
    assert manifest["files"]["pages.jsonl.gz"]["bytes"]
    x_api.reset()  # the account is back
    run = land(x_env, tmp_path)
    assert run.code == 0 and run.rows == paid + x_api.billed_posts > paid, run.log
    assert not list(Path(x_env["TWITTER_ETL_STATE_DIR"]).glob("spool/*.jsonl")), "the day is whole now"


def test_an_account_that_was_gone_before_has_nothing_to_land(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path
) -> None:
    x_api.replay([{"errors": [GONE["suspended"]]}])
    run = land(x_env, tmp_path, "--land-incomplete")
    assert run.code == 8 and "land-incomplete" not in run.summary["hint"], run.log
    assert not (tmp_path / "lake/twitter").exists()


def test_to_land_a_part_never_reads_a_landed_day_again(x_env: dict[str, str], tmp_path: Path) -> None:
    run = land(x_env, tmp_path, "--land-incomplete", "--again")
    assert run.code == 2 and "--again" in run.summary["error"], run.log


# ---- a full disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("free_bytes", [0, 1_000_000, 2_900_000])
def test_without_room_nothing_is_paid(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int
) -> None:
    """Then there is room, and the run goes through."""
    for name, value in x_env.items():
        monkeypatch.setenv(name, value)
    arguments = ("--account", "nasa", "--date", str(YESTERDAY), "--to", str(tmp_path / "lake"))
    with monkeypatch.context() as full:
        full.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free_bytes, f_frsize=1))
        run = run_here(*arguments)
    assert run.code == 10 and "MiB of room" in run.summary["error"], run.log
    assert "TWITTER_ETL_STATE_DIR" in run.summary["hint"] and x_api.billed_posts == 0
    assert run_here(*arguments).code == 0


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EACCES, UsageError)]
)
def test_a_full_disk_may_have_room_later(number: int, kind: type[Exception]) -> None:
    error = disk_error("/var/lib/x", OSError(number, os.strerror(number)))
    assert type(error) is kind and os.strerror(number) in str(error)


# ---- an unread answer to a refresh -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["invalid_json", "cut_body", "reset_body"])
@pytest.mark.parametrize("has_grace", [True, False])
def test_a_lost_refresh_is_tried_once_more(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, fault: str, has_grace: bool
) -> None:
    x_api._simulator.authenticator.tokens.has_grace = has_grace
    x_api.fault(fault, path="/oauth2/token")
    env: dict[str, Any] = {**x_env, **x_api.oauth2_env}
    del env["X_BEARER_TOKEN"]
    run = land(env, tmp_path)
    assert len([request for request in x_api.requests if request.path == "/2/oauth2/token"]) == 2
    if has_grace:
        assert run.code == 0, run.log
    else:
        assert run.code == 3 and "lost on its way" in run.summary["error"], run.log
        assert "X_OAUTH2_REFRESH_TOKEN" in run.summary["hint"]
