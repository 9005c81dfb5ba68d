"""What may change under a run: whose a name is, and what time it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tweetlake.errors import UsageError
from tweetlake.settings import account_of

from stand_ins.x_api.world import account_named
from tests.helpers.etl import Run, run_etl
from tests.helpers.x_api import XApi

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def land(env: dict[str, str], tmp_path: Path, *options: str, account: str = "nasa") -> Run:
    when = () if "--date" in options else ("--date", str(YESTERDAY))
    return run_etl("--account", account, *options, *when, "--to", str(tmp_path / "lake"), env=env)


def manifest_in(tmp_path: Path, day: Any = YESTERDAY) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((tmp_path / f"lake/twitter/dt={day}/_manifest.json").read_text())
    return manifest


def age_cache(env: dict[str, str], days: int, name: str = "nasa", user_id: str = "999999") -> Path:
    """The name was last looked up so many days ago, and was another user's then."""
    file = Path(env["TWITTER_ETL_STATE_DIR"]) / "user_ids.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    seen_at = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = {"id": user_id, "username": name, "seen_at": seen_at}
    file.write_text(json.dumps({f"{env['X_API_BASE_URL']} {name}": entry}))
    return file


# ---- whose a name is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knows", ["the cache", "the day before", "a cache that shall forget it"])
def test_another_id_behind_the_name_stops_the_run(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, knows: str
) -> None:
    new = str(account_named("nasa").id)
    if knows == "the cache":
        age_cache(x_env, 40)
    elif knows == "the day before":
        before = tmp_path / f"lake/twitter/dt={YESTERDAY - timedelta(days=1)}/_manifest.json"
        before.parent.mkdir(parents=True)
        before.write_text(json.dumps({"files": {}, "account": "NASA", "account_id": "999999", "rows": 1}))
    else:
        file = age_cache(x_env, 1)  # X has given somebody else's posts under this name
        file.write_text(
            json.dumps({key: entry | {"seen_at": ""} for key, entry in json.loads(file.read_text()).items()})
        )
    for _ in range(2):
        run = land(x_env, tmp_path)
        assert run.code == 8 and f"user {new}" in run.summary["error"] and "999999" in run.summary["error"], run.log
        assert f"--accept-id {new}" in run.summary["hint"] and not (tmp_path / f"lake/twitter/dt={YESTERDAY}").exists()
    assert x_api.billed_posts == 0
    assert land(x_env, tmp_path, "--accept-id", "5").code == 8, "X says another id than the user"
    run = land(x_env, tmp_path, "--accept-id", new)
    assert run.code == 0 and manifest_in(tmp_path)["account_id"] == new, run.log
    assert land(x_env, tmp_path).summary["already_landed"] == [str(YESTERDAY)]


def test_an_account_by_its_id(x_api: XApi, x_env: dict[str, str], tmp_path: Path) -> None:
    user_id = str(account_named("nasa").id)
    run = land(x_env, tmp_path, account=f"id:{user_id}")
    assert run.code == 0 and run.rows, run.log
    manifest = manifest_in(tmp_path)
    assert (manifest["account"], manifest["account_id"]) == ("NASA", user_id)
    assert land(x_env, tmp_path, account="nasa").summary["already_landed"] == [str(YESTERDAY)]


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("@nasa", "nasa"),
        ("https://x.com/NASA", "NASA"),
        ("https://twitter.com/nasa/", "nasa"),
        ("https://mobile.twitter.com/nasa/with_replies?lang=en", "nasa"),
        ("x.com/nasa#top", "nasa"),
        ("https://x.com/i/user/11348282", "id:11348282"),
        ("id:11348282", "id:11348282"),
        ("12345", "12345"),
        *[(text, None) for text in ("https://x.com/nasa/status/1", "https://x.com/search?q=nasa", "https://x.com/")],
        *[(text, None) for text in ("https://x.com.evil.example/nasa", "id:nasa", "id:", "id:-1", "https://x.com/i/x")],
    ],
)
def test_what_an_account_may_be(text: str, account: str | None) -> None:
    if account is None:
        with pytest.raises(UsageError, match="isn't an"):
            account_of(text)
    else:
        assert account_of(text) == account


# ---- what time it is -------------------------------------------------------------------------------------------------


def shifted(env: dict[str, str], tmp_path: Path, by: timedelta) -> dict[str, str]:
    """An environment in which the script's clock (tweetlake.times.utc_now) is off."""
    scripts = Path(__file__).resolve().parents[1] / "scripts"
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(scripts)!r})\n"
        "from datetime import UTC, datetime, timedelta\n"
        "import tweetlake.times\n"
        f"tweetlake.times.utc_now = lambda: datetime.now(UTC) + timedelta(seconds={by.total_seconds()})\n"
    )
    return env | {"PYTHONPATH": str(tmp_path)}


TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
MIDNIGHT = TODAY + timedelta(days=1)


@pytest.mark.parametrize("source", ["--account nasa", "--query from:three_pages", "--account three_pages"])
def test_a_day_is_over_when_x_says_so(x_api: XApi, x_env: dict[str, str], tmp_path: Path, source: str) -> None:
    """Here it's 00:10 of the next day, at X 23:40 of the day. Later, at X 00:20, only the rest is asked for."""
    here = shifted(x_env, tmp_path, MIDNIGHT + timedelta(minutes=10) - datetime.now(UTC))
    x_api.set_now(MIDNIGHT - timedelta(minutes=20))
    options = (*source.split(), "--include-replies", "--date", str(TODAY.date()), "--to", str(tmp_path / "lake"))
    run = run_etl(*options, env=here)
    assert run.code == 0 and "30 minutes ahead of X's" in run.log, run.log
    manifest = manifest_in(tmp_path, TODAY.date())
    assert manifest["complete"] is False and manifest["window"]["end"][11:16] in ("23:38", "23:39"), manifest
    so_far = run.rows
    x_api.set_now(MIDNIGHT + timedelta(minutes=20))
    billed = x_api.billed_posts
    run = run_etl(*options, env=here)
    assert run.code == 0 and manifest_in(tmp_path, TODAY.date())["complete"] is True, run.log
    assert x_api.billed_posts - billed == run.rows - so_far, "only the rest is paid for"


@pytest.mark.parametrize("hours", [-2, 2, 24 * 365])
def test_clocks_that_differ_by_more_than_an_hour(
    x_api: XApi, x_env: dict[str, str], tmp_path: Path, hours: int
) -> None:
    x_api.set_now(datetime.now(UTC) - timedelta(hours=hours))
    run = land(x_env, tmp_path)
    assert run.code == 2 and "This machine's clock" in run.summary["error"], run.log
    assert ("behind" if hours < 0 else "ahead of") in run.summary["error"] and "timedatectl" in run.summary["hint"]
    assert not (tmp_path / "lake/twitter").exists()


@pytest.mark.parametrize("minutes", [-1, 1])
def test_a_minute_is_nothing(x_api: XApi, x_env: dict[str, str], tmp_path: Path, minutes: int) -> None:
    x_api.set_now(datetime.now(UTC) - timedelta(minutes=minutes))
    run = land(x_env, tmp_path)
    assert run.code == 0 and "clock" not in run.log, run.log
