"""Whole runs against the X API simulator and an S3 server: what lands, what it cost, how failures end."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stand_ins.s3_server import S3
from tests.helpers.etl import SCRIPT, Run, run_etl


def yesterday() -> str:
    return str((datetime.now(UTC) - timedelta(days=1)).date())


@pytest.fixture
def env(x_env: dict[str, str], s3: S3) -> dict[str, str]:
    return s3.env | x_env | {"TWITTER_ETL_TIMEOUT_SECONDS": "2", "TWITTER_ETL_DEADLINE_SECONDS": "30"}


def land(env: dict[str, str], s3: S3, *options: str) -> Run:
    return run_etl("--account", "nasa", *(options or ("--date", yesterday())), "--to", f"s3://{s3.bucket}", env=env)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def spooled(env: dict[str, str]) -> list[Path]:
    return list((Path(env["TWITTER_ETL_STATE_DIR"]) / "spool").glob("*.jsonl"))


def test_a_day_lands_whole_and_a_rerun_gives_the_same_bytes(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    day = yesterday()
    run = land(env, s3)
    assert run.code == 0, run.log
    assert s3.all_keys() == [
        f"twitter/dt={day}/_manifest.json",
        f"twitter/dt={day}/refined_tweets.csv",
        f"twitter_parquet/dt={day}/refined_tweets.parquet",
        f"twitter_raw/dt={day}/pages.jsonl.gz",
    ]
    manifest = json.loads(s3.read(f"twitter/dt={day}/_manifest.json"))
    for entry in manifest["files"].values():
        content = s3.read(entry["key"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    rows = rows_of(s3.read(f"twitter/dt={day}/refined_tweets.csv"))
    table = pq.read_table(io.BytesIO(s3.read(f"twitter_parquet/dt={day}/refined_tweets.parquet")))
    assert manifest["rows"] == len(rows) == table.num_rows == run.summary["days"][0]["rows"] > 20
    assert table.column("id").to_pylist() == [row["id"] for row in rows]
    assert table.column("text").to_pylist() == [row["text"] for row in rows]
    assert all(row["created_at"].startswith(day) and row["created_at"].endswith("Z") for row in rows)
    assert {row["is_reply"] + row["is_retweet"] for row in rows} == {"falsefalse"}
    # At most five older posts are the proof that the timeline reaches so far back.
    assert run.summary["posts_billed"] == x_api.billed_posts and x_api.billed_posts - len(rows) in range(6)
    assert spooled(env) == []
    before = {key: s3.read(key) for key in s3.all_keys() if "manifest" not in key}
    again = land(env, s3, "--date", day, "--again")
    assert again.code == 0
    assert {key: s3.read(key) for key in before} == before
    assert again.summary["users_billed"] == 0, "the user id is cached"


def test_oauth1_range_name_and_prefix(x_api: Any, s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    del env["X_BEARER_TOKEN"]
    file = tmp_path / "twitter.env"
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    file.write_text("# keys\n" + "".join(f"X_{name.upper()}='{getattr(x_api, name)}'\n" for name in names))
    end = datetime.now(UTC).date() - timedelta(days=1)
    run = run_etl(
        *("--account", "nasa", "--start", str(end - timedelta(days=2)), "--end", str(end), "--name", "space"),
        *("--to", f"s3://{s3.bucket}/some/prefix", "--env-file", str(file), "--include-replies", "--include-retweets"),
        env=env,
    )
    assert run.code == 0, run.log
    assert [day["date"] for day in run.summary["days"]] == [str(end - timedelta(days=n)) for n in (2, 1, 0)]
    assert f"some/prefix/twitter/source=space/dt={end}/_manifest.json" in s3.all_keys()
    rows = rows_of(s3.read(f"some/prefix/twitter/source=space/dt={end}/refined_tweets.csv"))
    assert {"true", "false"} == {row["is_reply"] for row in rows} == {row["is_retweet"] for row in rows}
    secrets = [getattr(x_api, name) for name in names[1:]]
    assert not any(secret in run.log + json.dumps(run.summary) for secret in secrets)


def test_rebuilding_from_raw_gives_the_same_rows(x_api: Any, s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    day = yesterday()
    land(env, s3)
    asked = len(x_api.requests)
    run = run_etl("--from-raw", f"s3://{s3.bucket}/twitter_raw/", "--to", str(tmp_path / "lake"), env=s3.env)
    assert run.code == 0, run.log
    assert len(x_api.requests) == asked
    for name in ("twitter/dt={}/refined_tweets.csv", "twitter_parquet/dt={}/refined_tweets.parquet"):
        assert (tmp_path / "lake" / name.format(day)).read_bytes() == s3.read(name.format(day))


def test_a_search_and_the_latest(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    run = run_etl("--query", "from:nasa", "--date", yesterday(), "--to", f"s3://{s3.bucket}/q", env=env)
    assert run.code == 0, run.log
    rows = rows_of(s3.read(f"q/twitter/dt={yesterday()}/refined_tweets.csv"))
    assert len(rows) > 20 and {row["username"] for row in rows} == {"NASA"}
    x_api.reset()
    latest = run_etl("--account", "nasa", "--latest", "7", "--to", f"s3://{s3.bucket}/l", env=env)
    assert (latest.code, latest.rows) == (0, 7), latest.log
    assert latest.summary["posts_billed"] == x_api.billed_posts == 7, "asks for no more than it needs"


def test_an_account_without_posts_is_an_empty_day(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    run = run_etl("--account", "quiet", "--date", yesterday(), "--to", f"s3://{s3.bucket}", env=env)
    assert (run.code, run.rows) == (0, 0), run.log
    content = s3.read(f"twitter/dt={yesterday()}/refined_tweets.csv")
    assert content.count(b"\n") == 1 and content.startswith(b"id,created_at,username,")
    assert json.loads(s3.read(f"twitter/dt={yesterday()}/_manifest.json"))["rows"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "code", "requests"),
    [
        ("credits_depleted", 4, 1),
        ("payment_required", 4, 1),
        ("spend_cap", 4, 1),
        ("usage_capped", 4, 1),
        ("not_enrolled", 3, 1),
        ("unauthorized", 3, 2),
        ("rate_limit_no_reset", 5, 1),
        ("rate_limit_24h", 5, 1),
        ("server_error", 6, 5),
        ("bad_gateway_html", 6, 5),
        ("not_found", 6, 5),
        ("reset", 6, 5),
        ("cut_body", 6, 5),
        ("invalid_json", 6, 5),
        ("errors_only", 8, 1),
    ],
)
def test_faults_end_with_their_code(
    x_api: Any, s3: S3, env: dict[str, str], fault: str, code: int, requests: int
) -> None:
    x_api.fault(fault, count=100, path="/tweets")
    run = land(env, s3)
    assert run.code == code == run.summary["exit_code"], run.log
    assert run.summary["status"] == "failed" and run.summary["hint"] and run.summary["error"]
    assert sum("/tweets" in request.path for request in x_api.requests) == requests
    assert s3.all_keys() == [], "nothing is committed"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["rate_limit", "server_error", "reset", "cut_body", "invalid_json", "empty_page"])
def test_passing_faults_are_survived(x_api: Any, s3: S3, env: dict[str, str], fault: str) -> None:
    x_api.fault(fault, count=1, path="/tweets")
    run = land(env, s3)
    assert run.code == 0, run.log
    assert run.rows > 20


def test_the_same_page_for_ever_is_an_error_and_not_a_loop(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    post = {"id": "2123566994028678087", "text": "again", "created_at": f"{yesterday()}T12:00:00.000Z"}
    x_api.replay([{"data": [post], "meta": {"result_count": 1, "next_token": "here"}}] * 100)
    run = land(env, s3)
    assert run.code == 8 and "twice" in run.summary["error"], run.log
    assert sum("/tweets" in request.path for request in x_api.requests) == 3, "by the token, then by the id"
    assert s3.all_keys() == [], "nothing is committed"


def test_a_server_that_hangs_ends_at_the_timeout(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    x_api.fault("hang", count=100, path="/tweets", seconds=5)
    env |= {"TWITTER_ETL_TIMEOUT_SECONDS": "0.3"}
    began = time.monotonic()
    run = land(env, s3)
    assert run.code == 6, run.log
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("account", ["suspended", "protected", "nobody_here"])
def test_accounts_that_give_nothing_are_failures(x_api: Any, s3: S3, env: dict[str, str], account: str) -> None:
    run = run_etl("--account", account, "--date", yesterday(), "--to", f"s3://{s3.bucket}", env=env)
    assert run.code == 8, run.log
    assert s3.all_keys() == []


def test_a_killed_run_goes_on_without_paying_twice(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    everything = ("--include-replies", "--include-retweets", "--date", yesterday())
    arguments = ["--account", "prolific", *everything, "--to", f"s3://{s3.bucket}"]
    x_api.fault("hang", path="/tweets", after=4, seconds=30)
    patient = env | {"TWITTER_ETL_TIMEOUT_SECONDS": "60"}
    process = subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=patient)
    while "hang" not in x_api._simulator.faults.fired and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    pages = len(spooled(env)[0].read_bytes().splitlines())
    assert pages == 4
    run = run_etl(*arguments, env=env, timeout_seconds=100)
    assert run.code == 0, run.log
    manifest = json.loads(s3.read(f"twitter/dt={yesterday()}/_manifest.json"))
    assert manifest["pages_resumed"] == pages
    assert manifest["pages"] == sum("/tweets" in asked.path and asked.status == 200 for asked in x_api.requests)
    stored = gzip.decompress(s3.read(f"twitter_raw/dt={yesterday()}/pages.jsonl.gz"))
    ids = [post["id"] for line in stored.splitlines() for post in json.loads(line)["data"]]
    assert len(ids) == len(set(ids)) == x_api.billed_posts


def test_a_missing_bucket_is_found_before_a_post_is_paid_for(x_api: Any, env: dict[str, str]) -> None:
    run = run_etl("--account", "nasa", "--date", yesterday(), "--to", "s3://not-there-at-all", env=env)
    assert run.code == 7 and "Create the bucket" in run.summary["hint"], run.log
    assert x_api.requests == []


def test_a_failed_upload_is_repeated_without_asking_x(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "twitter_parquet").write_text("in the way")
    arguments = ("--account", "nasa", "--date", yesterday(), "--to", str(lake))
    run = run_etl(*arguments, env=env)
    assert run.code == 7 and str(spooled(env)[0]) in run.summary["kept"], run.log
    asked = len(x_api.requests)
    (lake / "twitter_parquet").unlink()
    again = run_etl(*arguments, env=env)
    assert again.code == 0 and again.rows > 20, again.log
    assert len(x_api.requests) == asked and again.summary["posts_billed"] == 0
    assert spooled(env) == []


def test_depth_is_an_error_and_the_archive_goes_further(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    day = str(datetime.now(UTC).date() - timedelta(days=120))
    run = land(env, s3, "--date", day)
    assert run.code == 2 and "--archive" in run.summary["hint"], run.log
    archive = land(env, s3, "--date", day, "--archive")
    assert archive.code == 0 and archive.rows > 20, archive.log
    search = run_etl("--query", "from:nasa", "--date", day, "--to", f"s3://{s3.bucket}/search", env=env)
    assert search.code == 2 and "--archive" in search.summary["hint"]


def test_no_secret_in_any_output(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    x_api.fault("server_error", count=100)
    run = land(env, s3)
    assert run.code == 6
    assert x_api.bearer_token not in run.log + json.dumps(run.summary)
    assert env["AWS_SECRET_ACCESS_KEY"] not in run.log
