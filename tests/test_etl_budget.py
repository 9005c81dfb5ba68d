"""Money: the plan, --max-cost, --limit, the budget of the month and its ledger, against what the simulator bills."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tweetlake.errors import BudgetError, UsageError
from tweetlake.extract.budget import Ledger
from tweetlake.extract.plan import most_posts, plan_of
from tweetlake.extract.window import windows_of
from tweetlake.settings import read_settings

from tests.helpers.etl import SCRIPT, Run, run_etl

TODAY = datetime.now(UTC).date()
YESTERDAY = str(TODAY - timedelta(days=1))
MONTH = f"{TODAY:%Y-%m}"
EVERYTHING = ("--include-replies", "--include-retweets")


@pytest.fixture
def env(x_env: dict[str, str]) -> dict[str, str]:
    return x_env | {"TWITTER_ETL_TIMEOUT_SECONDS": "5"}


def land(env: dict[str, str], tmp_path: Path, *options: str, account: str = "prolific") -> Run:
    day = () if "--latest" in options else ("--date", YESTERDAY)
    place = ("--to", str(tmp_path / "lake"), *(() if account == "prolific" else ("--name", account)))
    return run_etl("--account", account, *day, *EVERYTHING, *options, *place, env=env)


def ledger_of(env: dict[str, str]) -> dict[str, Any]:
    months: dict[str, dict[str, Any]] = json.loads((Path(env["TWITTER_ETL_STATE_DIR"]) / "spend.json").read_text())
    return months[MONTH]


def rows_in(tmp_path: Path) -> list[str]:
    file = tmp_path / f"lake/twitter/dt={YESTERDAY}/refined_tweets.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        return [row["id"] for row in csv.DictReader(opened)]


# ---- the plan ------------------------------------------------------------------------------------------------------


def test_a_plan_asks_nobody_and_is_never_below_the_bill(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    planned = run_etl("--account", "nasa", "--date", YESTERDAY, "--plan", env=env)
    assert planned.code == 0, planned.log
    assert x_api.requests == [] and not (tmp_path / "state").exists()
    plan = planned.summary["plan"]
    assert (plan["posts"], plan["users"], plan["cost_usd"]) == (805, 2, 4.045)
    assert "4.045 USD" in planned.log and plan["prices_seen_on"] in planned.log
    assert land(env, tmp_path, account="nasa").code == 0
    assert 0 < x_api.cost_usd <= plan["cost_usd"] and x_api.billed_posts <= plan["posts"]


@pytest.mark.parametrize(
    ("options", "posts", "usd"),
    [
        (["--account", "nasa", "--latest", "7"], 11, 0.065),  # 6 of them, then the smallest page, and the look-up
        (["--account", "nasa", "--latest", "3"], 5, 0.035),
        (["--account", "nasa", "--limit", "20", "--date", "2026-03-01"], 29, 0.165),
        (["--account", "nasa", "--start", "2026-02-26", "--end", "2026-03-01"], 820, 4.15),  # one timeline, 4 proofs
        (["--query", "moon", "--latest", "50"], 59, 0.885),  # with an author each
        (["--query", "moon", "--latest", "50", "--include-retweets"], 59, 1.475),
        (["--query", "moon"], 3_000_000, 45_000.0),
        (["--account", "nasa", "--latest", "3200", "--include-replies"], 3200, 16.01),
        (["--account", "nasa", "--latest", "500", "--archive"], 509, 2.555),
    ],
)
def test_the_worst_case(options: list[str], posts: int, usd: float, tmp_path: Path) -> None:
    """No credentials are needed to plan."""
    now = datetime(2026, 3, 2, 2, tzinfo=UTC)
    settings = read_settings([*options, "--plan"], {"TWITTER_ETL_STATE_DIR": str(tmp_path)}, now)
    if "--query" in options and "--latest" not in options:
        settings = read_settings([*options, "--plan"], {"TWITTER_ETL_STATE_DIR": str(tmp_path)})  # the last 7 days
    plan = plan_of(settings)
    assert (plan["posts"], plan["cost_usd"]) == (posts, pytest.approx(usd))
    assert most_posts(windows_of(settings, datetime.now(UTC))[0]) <= plan["posts"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "owner", "signed", "usd"),
    [
        ("lakekeeper", "LakeKeeper", True, 0.001),
        ("lakekeeper", "lakekeeper", False, 0.005),  # app-only
        ("lakekeeper", "", True, 0.005),
        ("nasa", "lakekeeper", True, 0.005),
    ],
)
def test_owned_reads_are_cheaper_only_for_the_owner_as_a_user(
    x_api: Any, env: dict[str, str], tmp_path: Path, account: str, owner: str, signed: bool, usd: float
) -> None:
    env |= {"X_APP_OWNER": owner}
    if signed:
        names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
        env |= {f"X_{name.upper()}": getattr(x_api, name) for name in names} | {"X_BEARER_TOKEN": ""}
    plan = run_etl("--account", account, "--date", YESTERDAY, "--plan", env=env).summary["plan"]
    assert plan["post_usd"] == usd
    run = run_etl("--account", account, "--date", YESTERDAY, "--to", str(tmp_path / "lake"), env=env)
    assert run.code == 0, run.log
    if owner:  # without X_APP_OWNER the price can only be guessed, and the higher one is named
        assert run.summary["cost_usd"] == ledger_of(env)["usd"] == pytest.approx(x_api.cost_usd)
    else:
        assert run.summary["cost_usd"] == ledger_of(env)["usd"] > x_api.cost_usd


@pytest.mark.parametrize("amount", ["-1", "two", "1e3", "inf", "nan", "0,5", "", "1" * 20])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(UsageError, match=r"US dollars|empty"):
        read_settings(["--account", "nasa", "--to", "x", f"--max-cost={amount}"], {"X_BEARER_TOKEN": "t"})


# ---- --max-cost and --limit ----------------------------------------------------------------------------------------


def test_max_cost_ends_before_the_request_and_the_next_runs_go_on(
    x_api: Any, env: dict[str, str], tmp_path: Path
) -> None:
    options = ("--max-cost", "2")
    spent = []
    for _ in range(9):
        before = x_api.cost_usd
        run = land(env, tmp_path, *options)
        spent.append(x_api.cost_usd - before)
        if run.code == 0:
            break
        assert run.code == 9, run.log
        assert "--max-cost 2" in run.summary["error"] and "kept in" in run.summary["kept"]
        assert not (tmp_path / "lake" / "twitter").exists(), "a day cut short isn't committed as if it were whole"
    assert run.code == 0 and len(spent) > 1
    assert max(spent) <= 2.0
    ids = rows_in(tmp_path)
    assert len(ids) == len(set(ids)) == x_api.billed_posts
    manifest = json.loads((tmp_path / f"lake/twitter/dt={YESTERDAY}/_manifest.json").read_text())
    assert manifest["complete"] is True and manifest["cost_usd"] == pytest.approx(x_api.cost_usd)
    month = ledger_of(env)
    assert (month["pending"], month["posts"]) == ({}, x_api.billed_posts)


def test_the_last_page_shrinks_to_what_may_be_spent(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    run = land(env, tmp_path, "--max-cost", "0.80")
    assert run.code == 9, run.log
    sizes = [int(r.query["max_results"]) for r in x_api.requests if r.path.endswith("/tweets")]
    assert sizes[0] == 52  # 0.80 less the look-up, 0.015 for a post with the two that it may refer to
    assert x_api.cost_usd <= 0.80


def test_max_cost_counts_the_look_up(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    """Five posts (with those they refer to) and the look-up are 0.085 USD: with less, nobody is asked."""
    run = land(env, tmp_path, "--max-cost", "0.084")
    assert run.code == 9 and x_api.requests == [], run.log


def test_max_cost_zero_lands_what_is_spooled(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "twitter_parquet").write_text("in the way")
    assert land(env, tmp_path, account="nasa").code == 7
    (tmp_path / "lake" / "twitter_parquet").unlink()
    asked = len(x_api.requests)
    run = land(env, tmp_path, "--max-cost", "0", account="nasa")
    assert run.code == 0 and len(x_api.requests) == asked, run.log


@pytest.mark.slow
@pytest.mark.parametrize(("option", "number"), [("--limit", 130), ("--latest", 130), ("--latest", 3), ("--limit", 7)])
def test_limits_ask_for_no_more_than_they_need(
    x_api: Any, env: dict[str, str], tmp_path: Path, option: str, number: int
) -> None:
    run = land(env, tmp_path, option, str(number))
    assert (run.code, run.rows) == (0, number), run.log
    assert number <= x_api.billed_posts <= max(5, number + 4)
    sizes = [int(r.query["max_results"]) for r in x_api.requests if r.path.endswith("/tweets")]
    assert sizes[0] == max(5, min(100, number))


# ---- the budget of the month ---------------------------------------------------------------------------------------


def test_the_budget_of_a_month_holds_across_runs(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    env |= {"TWITTER_ETL_MONTHLY_BUDGET_USD": "1"}
    assert land(env, tmp_path, account="nasa").code == 0
    first = x_api.cost_usd
    assert land(env, tmp_path).code == 9
    assert first < x_api.cost_usd <= 1.0
    usage = [r for r in x_api.requests if r.path == "/2/usage/tweets"]
    assert usage and usage[0].query["usage.fields"] == "daily_project_usage"
    asked = len(x_api.requests)
    refused = land(env, tmp_path)
    assert refused.code == 9 and MONTH in refused.summary["error"], refused.log
    assert {r.path for r in x_api.requests[asked:]} <= {"/2/usage/tweets"}, "only what is free"
    assert "TWITTER_ETL_MONTHLY_BUDGET_USD" in refused.summary["hint"]
    raised = land(env, tmp_path, "--monthly-budget", "100")
    assert raised.code == 0 and raised.summary["spent_this_month_usd"] >= x_api.cost_usd, raised.log
    assert ledger_of(env)["posts"] == x_api.billed_posts


def test_a_spent_budget_asks_nobody(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    state = Path(env["TWITTER_ETL_STATE_DIR"])
    state.mkdir()
    (state / "spend.json").write_text(json.dumps({MONTH: {"usd": 5.0, "posts": 1000, "pending": {}}}))
    run = land(env, tmp_path, "--monthly-budget", "5")
    assert run.code == 9 and x_api.requests == [], run.log
    (state / "spend.json").write_text(json.dumps({"2020-01": {"usd": 5.0, "posts": 1000, "pending": {}}}))
    assert land(env, tmp_path, "--monthly-budget", "5", account="nasa").code == 0, "another month"


@pytest.mark.slow
def test_what_others_read_counts(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    """100 posts read by another host with the same app: 0.50 USD of this budget are gone."""
    assert land(env | {"TWITTER_ETL_STATE_DIR": str(tmp_path / "other")}, tmp_path, "--latest", "100").code == 0
    run = land(env, tmp_path, "--monthly-budget", "0.52")
    assert run.code == 9 and "elsewhere" in run.summary["error"], run.log
    assert not [r for r in x_api.requests[-1:] if r.path.endswith("/tweets") and "users" in r.path]
    x_api.fault("server_error", count=1, path="/usage")
    run = land(env, tmp_path, "--monthly-budget", "0.52", account="nasa")
    assert "ledger alone" in run.log, "X may refuse to say"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_the_ledger_survives_a_kill(x_api: Any, env: dict[str, str], tmp_path: Path, kind: signal.Signals) -> None:
    """Killed while a page is under way: it has been counted before it was asked for, and counts once afterwards."""
    arguments = ["--account", "prolific", "--date", YESTERDAY, *EVERYTHING, "--to", str(tmp_path / "lake")]
    process = subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=env, stdout=subprocess.DEVNULL)
    while len(x_api.requests) < 4 and process.poll() is None:
        time.sleep(0.005)
    x_api.fault("hang", path="/tweets", seconds=4)
    spool = next((Path(env["TWITTER_ETL_STATE_DIR"]) / "spool").glob("*.jsonl"))
    while not ledger_of(env)["pending"] or len(spool.read_bytes().splitlines()) < 2:
        time.sleep(0.005)
    process.send_signal(kind)
    process.wait(20)
    month = ledger_of(env)
    assert month["usd"] + sum(entry["usd"] for entry in month["pending"].values()) >= x_api.cost_usd - 1e-9
    x_api._simulator.faults.clear()
    assert run_etl(*arguments, env=env).code == 0
    month = ledger_of(env)
    assert month["pending"] == {} and month["posts"] == x_api.billed_posts
    assert month["usd"] >= x_api.cost_usd - 1e-9


@pytest.mark.slow
def test_a_refused_request_costs_nothing_and_a_lost_answer_may(x_api: Any, env: dict[str, str], tmp_path: Path) -> None:
    x_api.fault("server_error", count=9, path="/tweets")
    assert land(env, tmp_path).code == 6
    assert ledger_of(env) == {"usd": 0.01, "posts": 0, "pending": {}}
    x_api._simulator.faults.clear()
    x_api.fault("cut_body", count=9, path="/tweets")
    assert land(env, tmp_path).code == 6
    assert sum(entry["posts"] for entry in ledger_of(env)["pending"].values()) >= x_api.billed_posts > 0


def test_two_runs_cannot_both_spend_the_last_dollar(tmp_path: Path) -> None:
    ledger, now = Ledger(tmp_path), datetime.now(UTC)

    def reserve(number: int) -> bool:
        return ledger.reserve(f"run-{number}", 0.30, 60, lambda usd, _posts: 1.0 - usd, now)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(12))) == 3
    assert ledger.spent(now) == (0.9, 180)


def test_a_reservation_of_yesterday_was_perhaps_billed_and_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first, second = datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
    for moment in (first, first, second):  # twice on one day: X bills it once
        assert ledger.reserve("page", 0.5, 100, lambda _usd, _posts: 9.0, moment)
    assert ledger.spent(second) == (1.0, 200)
    ledger.settle("page", 0.2, 40)
    assert ledger.spent(second) == (0.7, 140)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"2026-03": {"usd": "much"}}', '{"2026-03": 5}'])
def test_a_damaged_ledger_is_no_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "spend.json").write_text(content)
    with pytest.raises(BudgetError, match="isn't a ledger"):
        Ledger(tmp_path).spent(datetime.now(UTC))
