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
