"""X as it is: what it refuses, leaves out and doesn't say, and that no day is poorer or dearer for it."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tweetlake.extract.depth import most_posts_in
from tweetlake.extract.window import windows_of
from tweetlake.settings import read_settings

from stand_ins.x_api.simulator import ReceivedRequest
from stand_ins.x_api.world import account_named, day_stubs, time_of
from tests.helpers.etl import Run, run_etl
from tests.helpers.openapi import openapi
from tests.helpers.x_api import XApi

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
EVERYTHING = ("--include-replies", "--include-retweets")
ARCHIVE_PATH, RECENT_PATH = "/2/tweets/search/all", "/2/tweets/search/recent"


@pytest.fixture
def env(x_env: dict[str, str]) -> dict[str, str]:
    return x_env | {"TWITTER_ETL_TIMEOUT_SECONDS": "20"}


def land(env: dict[str, str], tmp_path: Path, *options: str, day: date = YESTERDAY) -> Run:
    when = () if {"--latest", "--start"} & set(options) else ("--date", str(day))
    return run_etl(*options, *when, "--to", str(tmp_path / "lake"), env=env)


def ids_in(lake: Path, day: date = YESTERDAY) -> list[str]:
    with (lake / f"twitter/dt={day}/refined_tweets.csv").open(encoding="utf-8", newline="") as opened:
        return [row["id"] for row in csv.DictReader(opened)]


def manifest_in(lake: Path, day: date = YESTERDAY) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((lake / f"twitter/dt={day}/_manifest.json").read_text())
    return manifest


def ids_of(account: str, day: date = YESTERDAY) -> list[str]:
    return [str(stub.id) for stub in reversed(day_stubs(account_named(account), day))]


def asked_of(x_api: XApi, path: str) -> list[ReceivedRequest]:
    return [request for request in x_api.requests if request.path == path]


# ---- a search takes ids or times, not both ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "account", "path"),
    [
        (("--query", "from:three_pages"), "three_pages", RECENT_PATH),
        (("--account", "prolific", "--archive"), "prolific", ARCHIVE_PATH),
    ],
)
def test_a_search_whose_token_is_void_goes_on_by_time(
    x_api: XApi, env: dict[str, str], tmp_path: Path, source: tuple[str, ...], account: str, path: str
) -> None:
    """Twice, as the token of a page that was asked for by time can be void as well."""
    options = (*source, *EVERYTHING)
    for _ in range(2):
        run = land(env, tmp_path, *options, "--max-cost", "0.70")
        assert run.code == 9 and x_api.billed_posts > 20, run.log
        x_api.void_page_tokens()
    run = land(env, tmp_path, *options)
    assert run.code == 0 and "going on below post" in run.log, run.log
    assert ids_in(tmp_path / "lake") == ids_of(account)
    assert x_api.billed_posts == len(ids_of(account)), "what comes again on the same day isn't billed again"
    manifest = manifest_in(tmp_path / "lake")
    assert manifest["complete"] is True
    assert manifest["posts_in"] == manifest["rows"] + manifest["left_out"].get("duplicates", 0)
    answered = [request for request in asked_of(x_api, path) if request.status == 200]
    assert len({request.query["end_time"] for request in answered}) == 3
    assert not [request for request in answered if {"until_id", "since_id"} & set(request.query)]


def test_more_posts_in_a_second_than_a_page_holds(x_api: XApi, env: dict[str, str], tmp_path: Path) -> None:
    """Asked by the second, the first pages bring known posts only: they are neither kept nor taken for a circle."""

    def page(first: int, second: int, token: str | None, size: int = 2) -> dict[str, Any]:
        at = f"{YESTERDAY}T12:00:{second:02}.000Z"
        posts = [{"id": str(10**18 - first - n), "text": "x", "author_id": "1", "created_at": at} for n in range(size)]
        return {"data": posts, "meta": {"result_count": size} | ({"next_token": token} if token else {})}

    void = {
        "status": 400,
        "body": {"errors": [{"parameters": {"next_token": ["b"]}, "message": "expired"}], "title": "Invalid Request"},
    }
    known = [page(0, 30, "a"), page(2, 30, "b")]
    x_api.replay([*known, void, page(0, 30, "c"), page(2, 30, "d"), page(4, 30, "e"), page(6, 20, None)])
    run = land(env, tmp_path, "--query", "burst")
    assert run.code == 0, run.log
    assert len(ids_in(tmp_path / "lake")) == 8 and manifest_in(tmp_path / "lake")["left_out"] == {}
    asked = asked_of(x_api, RECENT_PATH)
    assert [request.query["end_time"] for request in asked[3:]] == [f"{YESTERDAY}T12:00:31Z"] * 4


# ---- the depth of a timeline -----------------------------------------------------------------------------------------


def test_replies_that_were_left_out_count_towards_the_depth(x_api: XApi, env: dict[str, str], tmp_path: Path) -> None:
    """1,000 posts a day, 50 of them no replies: a timeline without replies holds less than the day."""
    run = land(env, tmp_path, "--account", "chatty")
    assert run.code == 2 and "--archive" in run.summary["hint"], run.log
    assert not (tmp_path / "lake" / "twitter").exists()
    archive = land(env, tmp_path, "--account", "chatty", "--archive")
    assert archive.code == 0 and archive.rows == 50, archive.log


@pytest.mark.parametrize(("proof", "code"), [({"next_token": "older"}, 0), ({}, 2)])
def test_a_page_that_goes_on_is_proof(
    x_api: XApi, env: dict[str, str], tmp_path: Path, proof: dict[str, str], code: int
) -> None:
    """Where replies are left out, the page of older posts may be empty and go on."""
    account = account_named("nasa")
    post = {"id": "1", "text": "x", "author_id": account.id, "created_at": f"{YESTERDAY}T12:00:00.000Z"}
    x_api.replay([{"data": [post], "meta": {"result_count": 1}}, {"meta": {"result_count": 0} | proof}])
    run = land(env, tmp_path, "--account", "nasa")
    assert run.code == code, run.log


def test_the_proof_looks_nearby_first(x_api: XApi, env: dict[str, str], tmp_path: Path) -> None:
    """Empty answers aren't billed: the steps back get longer until there is a post."""
    run = land(env, tmp_path, "--account", "occasional")
    assert run.code == 0, run.log
    midnight = f"{YESTERDAY}T00:00:00Z"
    steps = [r.query for r in x_api.requests if r.path.endswith("/tweets") and r.query["end_time"] <= midnight]
    assert [step["end_time"] for step in steps] == [midnight, *(step["start_time"] for step in steps[:-1])]
    lengths = [datetime.fromisoformat(s["end_time"]) - datetime.fromisoformat(s["start_time"]) for s in steps]
    assert lengths == [timedelta(hours=4**number) for number in range(len(steps))]
    last = datetime.fromisoformat(steps[-1]["start_time"])
    older = [
        stub
        for back in range(1, 60)
        for stub in day_stubs(account_named("occasional"), YESTERDAY - timedelta(days=back))
        if stub.kind in ("original", "quote")
    ]
    assert last <= time_of(older[0].id) < last + lengths[-1], "it ends with the newest of the older posts"
    assert 1 <= x_api.billed_posts - run.summary["posts_in"] <= 5


def test_an_account_may_post_2400_times_a_day() -> None:
    assert 2400 <= most_posts_in(timedelta(days=1)) <= 2500


# ---- the archive -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["nobody_here", "suspended", "protected"])
def test_who_has_no_public_posts_is_no_empty_day(
    x_api: XApi, env: dict[str, str], tmp_path: Path, account: str
) -> None:
    run = land(env, tmp_path, "--account", account, "--archive")
    assert run.code == 8 and account in run.summary["error"], run.log
    assert not (tmp_path / "lake" / "twitter").exists() and not asked_of(x_api, ARCHIVE_PATH)


def test_the_account_is_looked_up_once_and_its_posts_are_its_own(
    x_api: XApi, env: dict[str, str], tmp_path: Path
) -> None:
    """The name had another owner when it was looked up: nothing is mixed, and who accepts the new one goes on."""
    state = Path(env["TWITTER_ETL_STATE_DIR"])
    state.mkdir()
    entry = {"id": "999999", "username": "nasa", "seen_at": f"{YESTERDAY}T00:00:00Z"}
    (state / "user_ids.json").write_text(json.dumps({f"{x_api.base_url} nasa": entry}))
    run = land(env, tmp_path, "--account", "nasa", "--archive")
    assert run.code == 8 and "999999" in run.summary["error"], run.log
    new_id = account_named("nasa").id
    assert new_id in run.summary["error"] and f"--accept-id {new_id}" in run.summary["hint"]
    assert not (tmp_path / "lake" / "twitter").exists()
    again = land(env, tmp_path, "--account", "nasa", "--archive", "--accept-id", new_id)
    assert (again.code, again.summary["users_billed"]) == (0, 1), again.log
    third = land(env, tmp_path, "--account", "nasa", "--archive", day=YESTERDAY - timedelta(days=1))
    assert (third.code, third.summary["users_billed"]) == (0, 0), third.log


def test_the_archive_is_asked_once_a_second_between_days_too(x_api: XApi, env: dict[str, str], tmp_path: Path) -> None:
    days = ("--start", str(YESTERDAY - timedelta(days=2)), "--end", str(YESTERDAY))
    run = land(env, tmp_path, "--account", "quiet", "--archive", *days)
    assert run.code == 0, run.log
    assert [request.status for request in asked_of(x_api, ARCHIVE_PATH)] == [200] * 3


def test_a_second_too_few_is_waited_for_and_not_a_quarter_of_an_hour(
    x_api: XApi, env: dict[str, str], tmp_path: Path
) -> None:
    x_api.fault("one_a_second", count=2, path=ARCHIVE_PATH)
    began = time.monotonic()
    run = land(env | {"TWITTER_ETL_DEADLINE_SECONDS": "60"}, tmp_path, "--account", "quiet", "--archive")
    assert run.code == 0, run.log
    assert [request.status for request in asked_of(x_api, ARCHIVE_PATH)] == [429, 429, 200]
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("day", [date(2006, 3, 21), date(2010, 11, 4)])
def test_the_archive_begins_with_the_first_post(x_api: XApi, env: dict[str, str], tmp_path: Path, day: date) -> None:
    run = land(env, tmp_path, "--account", "nasa", "--archive", *EVERYTHING, day=day)
    assert run.code == 0, run.log
    assert ids_in(tmp_path / "lake", day) == ids_of("nasa", day)


# ---- what X shows and says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "end"),
    [
        (["--account", "nasa"], "2026-03-02T11:59:45Z"),
        (["--query", "nasa"], "2026-03-02T11:59:00Z"),
        (["--account", "nasa", "--archive"], "2026-03-02T11:59:00Z"),
    ],
)
def test_a_search_ends_where_the_index_does(source: list[str], end: str) -> None:
    """Posts appear in a search after some 30 s."""
    now = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
    (window,) = windows_of(read_settings([*source, "--plan", "--date", "2026-03-02"], {}, now), now)
    assert window.end == datetime.fromisoformat(end)


@pytest.mark.parametrize("credit_usd", [12.5, None])
def test_a_pay_per_use_app_is_not_told_what_was_read(
    x_api: XApi, env: dict[str, str], tmp_path: Path, credit_usd: float | None
) -> None:
    x_api.pay_per_use(credit_usd)
    run = land(env, tmp_path, "--account", "nasa", "--monthly-budget", "5")
    assert run.code == 0 and "ledger alone" in run.log and "pay-per-use" in run.log, run.log
    assert ("a credit of 12." in run.log) == (credit_usd is not None)


# ---- an edit after the day was landed --------------------------------------------------------------------------------


def test_the_later_day_names_the_version_it_supersedes_and_a_rebuild_drops_it(tmp_path: Path) -> None:
    days = [date(2026, 3, 1), date(2026, 3, 2)]
    ids = [ids_of("nasa", days[0])[-1], ids_of("nasa", days[1])[0]]
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, day in enumerate(days):
        history = ids[: number + 1]
        post = {
            "id": ids[number],
            "text": f"version {number}",
            "created_at": f"{day}T{'23:59:00' if number == 0 else '00:10:00'}.000Z",
            "edit_history_tweet_ids": history,
        }
        other = {"id": str(int(ids[number]) + 1), "text": "x", "created_at": f"{day}T12:00:00.000Z"}
        page = raw / f"{day}.jsonl"
        page.write_text(json.dumps({"data": [post, other]}) + "\n")
        assert run_etl("--from-raw", str(page), "--to", str(tmp_path / "lake")).code == 0
    lake = tmp_path / "lake"
    assert [manifest_in(lake, day)["superseded"] for day in days] == [[], ids[:1]]
    assert ids[0] in ids_in(lake, days[0])
    assert run_etl("--from-raw", str(raw), "--to", str(lake)).code == 0
    assert ids[0] not in ids_in(lake, days[0]) and ids[1] in ids_in(lake, days[1])
    assert manifest_in(lake, days[1])["superseded"] == ids[:1]


# ---- the official description ----------------------------------------------------------------------------------------

# Still honoured in 2026, and what tweepy sends; 2.167 describes their new names alone.
OLD_WORDS = ("tweet.fields", "expansions")


def complaints(version: str, request: ReceivedRequest) -> list[str]:
    """What X's description of this version has against a request."""
    document, registry = openapi(version)
    template = next(path for path in document["paths"] if matches(path, request.path))
    described = [
        document["components"]["parameters"][p["$ref"].rpartition("/")[2]] if "$ref" in p else p
        for p in document["paths"][template]["get"]["parameters"]
    ]
    by_name = {parameter["name"]: parameter for parameter in described if parameter["in"] == "query"}
    wrong = [f"{name} is missing" for name, p in by_name.items() if p.get("required") and name not in request.query]
    for name, text in request.query.items():
        if version == "2.167" and name in OLD_WORDS:
            continue
        if name not in by_name:
            wrong.append(f"{name} isn't described")
            continue
        schema = json.loads(json.dumps(by_name[name]["schema"]).replace('"#/', '"urn:x#/'))
        validator = jsonschema.Draft202012Validator(
            schema, registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        wrong += [f"{name}: {error.message}" for error in validator.iter_errors(value_of(schema, text))]
    return wrong


def matches(template: str, path: str) -> bool:
    """/2/users/{id}/tweets is /2/users/42/tweets; a path without a variable goes first at X as well."""
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(a == b or a.startswith("{") for a, b in zip(parts, given, strict=True))


def value_of(schema: dict[str, Any], text: str) -> Any:
    """The value of a query parameter, in the form that the description gives it."""
    if schema.get("type") == "array":
        return text.split(",")
    return int(text) if schema.get("type") == "integer" else text


@pytest.mark.parametrize("version", ["2.166", "2.167"])
def test_every_request_is_one_that_x_describes(version: str, x_api: XApi, env: dict[str, str], tmp_path: Path) -> None:
    openapi(version)
    runs: list[tuple[int, tuple[str, ...]]] = [
        (0, ("--account", "nasa", "--monthly-budget", "50")),
        (2, ("--account", "chatty", "--start", str(YESTERDAY), "--end", str(YESTERDAY))),
        (0, ("--account", "nasa", "--latest", "130")),
        (0, ("--query", "from:nasa")),
        (0, ("--query", "umbrella", "--latest", "12", *EVERYTHING)),
        (0, ("--account", "nasa", "--archive")),
        (0, ("--query", "from:nasa", "--archive", "--latest", "10")),
    ]
    for number, (code, options) in enumerate(runs):
        run = land(env, tmp_path / str(number), *options)
        assert run.code == code, run.log
    assert len({request.path for request in x_api.requests}) >= 7
    assert [(r.path, wrong) for r in x_api.requests if (wrong := complaints(version, r))] == []
    bad = ReceivedRequest("GET", RECENT_PATH, {"max_results": "101", "start_time": "noon", "colour": "blue"}, 400)
    assert len(complaints(version, bad)) >= 3, "the check can fail"
