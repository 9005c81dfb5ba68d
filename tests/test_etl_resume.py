"""Going on where an earlier run ended, in ways X makes hard; and staying small while waiting."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tweetlake.extract.depth import may_be_cut

from stand_ins.s3_server import S3
from tests.helpers.etl import SCRIPT, run_etl

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
EVERYTHING = ("--include-replies", "--include-retweets")


@pytest.fixture
def env(x_env: dict[str, str]) -> dict[str, str]:
    return x_env | {"TWITTER_ETL_TIMEOUT_SECONDS": "20"}


def arguments(tmp_path: Path, account: str) -> list[str]:
    return ["--account", account, "--date", str(YESTERDAY), *EVERYTHING, "--to", str(tmp_path / "lake")]


def ids_in(tmp_path: Path) -> list[str]:
    file = tmp_path / f"lake/twitter/dt={YESTERDAY}/refined_tweets.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        return [row["id"] for row in csv.DictReader(opened)]


def test_a_void_page_token_costs_no_page_again(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    """Twice: also the token of a page that was asked for below a post."""
    run = arguments(tmp_path, "three_pages")
    first = run_etl(*run, "--max-cost", "0.50", env=env)  # 100 posts at most, of more than 200
    assert first.code == 9 and x_api.billed_posts > 30, first.log
    asked = len(x_api.requests)
    x_api.void_page_tokens()
    second = run_etl(*run, "--max-cost", "0.50", env=env)
    assert second.code == 9 and "going on below post" in second.log, second.log
    x_api.void_page_tokens()
    third = run_etl(*run, env=env)
    assert third.code == 0 and "going on below post" in third.log, third.log
    ids = ids_in(tmp_path)
    assert len(ids) == len(set(ids)) == x_api.billed_posts > 200
    manifest = json.loads((tmp_path / f"lake/twitter/dt={YESTERDAY}/_manifest.json").read_text())
    assert manifest["complete"] is True
    answered = [r for r in x_api.requests[asked:] if r.path.endswith("/tweets") and r.status == 200]
    assert all(r.query.get("until_id") for r in answered)


def test_a_day_that_was_not_over_is_only_asked_for_its_rest(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    """Its pages came at noon and couldn't be landed; the next run is after midnight, when X bills anew."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "twitter_parquet").write_text("in the way")
    run = arguments(tmp_path, "nasa")
    assert run_etl(*run, env=env).code == 7
    (spool,) = (tmp_path / "state" / "spool").glob("*.jsonl")
    page, *more = map(json.loads, spool.read_text().splitlines())
    page["data"] += [post for other in more for post in other.get("data", ())]
    page["meta"].pop("next_token", None)
    whole = [post["id"] for post in page["data"]]
    noon = f"{YESTERDAY}T12:00:00"
    page["data"] = [post for post in page["data"] if post["created_at"] < noon]
    page["__tweetlake"]["end"] = noon + "Z"
    spool.write_text(json.dumps(page) + "\n")
    (tmp_path / "lake" / "twitter_parquet").unlink()
    asked = len(x_api.requests)
    again = run_etl(*run, env=env)
    assert again.code == 0, again.log
    (request,) = x_api.requests[asked:]
    assert request.query["start_time"].startswith(noon)
    assert sorted(ids_in(tmp_path)) == sorted(whole)
    assert again.summary["posts_billed"] == len(whole) - len(page["data"])
    manifest = json.loads((tmp_path / f"lake/twitter/dt={YESTERDAY}/_manifest.json").read_text())
    assert manifest["complete"] is True and manifest["window"]["start"] == f"{YESTERDAY}T00:00:00Z"


def test_a_day_that_the_timeline_reaches_only_in_part_is_no_day(
    x_api: Any, env: dict[str, str], tmp_path: Path
) -> None:
    """Without replies a timeline shows 800 posts: those of two days of this account, whatever the time is."""
    day = str(YESTERDAY - timedelta(days=1))
    run = run_etl("--account", "prolific", "--date", day, "--to", str(tmp_path / "lake"), env=env)
    assert run.code == 2 and "--archive" in run.summary["hint"], run.log
    assert not (tmp_path / "lake" / "twitter").exists()


@pytest.mark.parametrize(
    ("posts", "hours", "depth", "cut"),
    [
        (20, 1.5, 800, False),  # the daily run of an ordinary account: nothing is asked (and paid) to prove it
        (0, 16, 800, True),  # 1,600 posts may have come since: "no posts" proves nothing
        (300, 5, 800, True),
        (0, 24, 3200, False),
        (1500, 17, 3200, True),
    ],
)
def test_when_a_timeline_may_not_reach_the_day(posts: int, hours: float, depth: int, cut: bool) -> None:
    assert may_be_cut(posts, timedelta(hours=hours), depth) is cut


def test_a_signal_inside_a_library_stays_a_signal() -> None:
    """pandera turns every Exception of a check into a failure of the data."""
    import pandas as pd
    import pandera.pandas as pandera
    import twitter_etl
    from tweetlake.errors import Stopped

    def check(_: Any) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    before = signal.signal(signal.SIGTERM, twitter_etl.stop)
    try:
        with pytest.raises(Stopped) as caught:
            pandera.DataFrameSchema({"a": pandera.Column(int, pandera.Check(check))}).validate(pd.DataFrame({"a": [1]}))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert twitter_etl.error_of(caught.value).exit_code == 143


@pytest.mark.parametrize("data", [[None], [{"id": None}], [{"id": []}], ["x"], [[]]])
def test_the_simulator_replays_any_page(x_api: Any, data: list[Any]) -> None:
    import requests

    x_api.replay([{"data": data}])
    answer = requests.get(
        x_api.base_url + "/2/users/1/tweets", headers={"Authorization": f"Bearer {x_api.bearer_token}"}, timeout=5
    )
    assert (answer.status_code, answer.json()) == (200, {"data": data})


def test_waiting_for_x_takes_little_memory(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    """Resident while X doesn't answer, the bucket checked already: pandas and the like are loaded for landing only."""
    x_api.fault("hang", path="/tweets", seconds=30)
    run = ["--account", "nasa", "--date", str(YESTERDAY), "--to", f"s3://{s3.bucket}"]
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *run], env=env | s3.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while "hang" not in x_api._simulator.faults.fired and process.poll() is None:
            time.sleep(0.02)
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident_mib = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
        print(f"{resident_mib:.1f} MiB")
        assert 20 < resident_mib < 70
    finally:
        process.kill()
        process.wait()
