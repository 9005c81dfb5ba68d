"""Any JSON page gives rows, rejects or one clear error: no traceback, no lost valid post, no wrong id.

The program is judged by its files alone (tests/fuzz/landing.py), here and by the fuzzer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.landing import check, land, text_as_it_lands
from tests.fuzz.pages import ANYTHING, NEIGHBOURS, ODD_TEXTS, PAGE, PROFILE, good_post, line_of
from tests.helpers.etl import run_etl

PROJECT = Path(__file__).resolve().parents[1]
CORPUS = sorted((PROJECT / "tests/fuzz/corpus").iterdir())
FUZZ_SECONDS = 15


@pytest.mark.slow
@pytest.mark.timeout(400)
@PROFILE
@given(pages=st.lists(PAGE | ANYTHING, max_size=3))
def test_no_page_breaks_the_run_or_its_neighbours(pages: list[Any]) -> None:
    lines = b"".join(json.dumps(page).encode() + b"\n" for page in pages)
    assert check(NEIGHBOURS[0] + lines + NEIGHBOURS[1]).code == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
@PROFILE
@given(junk=st.lists(st.binary(max_size=40), max_size=4))
def test_no_bytes_break_the_run_or_its_neighbours(junk: list[bytes]) -> None:
    assert check(NEIGHBOURS[0] + b"\n".join([*junk, NEIGHBOURS[1]])).code == 0


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_what_the_fuzzer_began_with_or_broke(file: Path) -> None:
    check(file.read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(FUZZ_SECONDS + 300)
def test_the_fuzzer_finds_nothing_new() -> None:
    """Briefly; `make fuzz` searches for minutes."""
    command = [sys.executable, "-m", "tests.fuzz", str(FUZZ_SECONDS)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert "DONE" in done.stderr


# ---- one oddity at a time: what comes, what lands ------------------------------------------------------------------


def test_texts_land_as_they_are() -> None:
    texts = {good_post(n)["id"]: text for n, text in enumerate([*ODD_TEXTS.values(), "\U0001d54f" * 280_000])}
    landed = check(line_of(*(good_post(0) | {"id": post_id, "text": text} for post_id, text in texts.items())))
    assert landed.texts == {post_id: text_as_it_lands(text) for post_id, text in texts.items()}
    assert landed.texts[good_post(0)["id"]] == "" and "\u2028" in landed.texts[good_post(3)["id"]]


IDS = [
    ("7", "7"),
    (7, "7"),
    (2**53 + 1, "9007199254740993"),
    ("9007199254740993", "9007199254740993"),
    (2**63 - 1, "9223372036854775807"),
    ("9" * 19, "9" * 19),
    ("007", "007"),
    ("9" * 20, None),
    (2**64 + 1, None),
    (-1, None),
    ("-1", None),
    (1.5e18, None),
    (True, None),
    ("\uff11\uff12", None),  # digits, but not ASCII
    ("12 ", None),
    ("12\n", None),
    ("", None),
    (None, None),
    ([], None),
    ({"id": "5"}, None),
]


def test_ids_are_exact_or_refused() -> None:
    for sent, expected in IDS:
        landed = check(line_of(good_post(0, id=sent), good_post(1)))
        found = [row["id"] for row in landed.rows if row["id"] != good_post(1)["id"]]
        assert found == ([expected] if expected else []), sent
        assert landed.summary["rejected"] == (expected is None), sent


TIMES = [
    ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
    ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:00Z"),
    ("2026-03-01T10:00:00.120Z", "2026-03-01T10:00:00.120Z"),
    ("2026-03-01T10:00:00.123456Z", "2026-03-01T10:00:00.123Z"),
    ("2026-03-01T23:30:00-01:00", "2026-03-02T00:30:00Z"),
    ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ("9999-12-31T23:59:59-14:00", None),
    ("0001-01-01T00:00:00+14:00", None),
    ("2026-03-01T10:00:00", None),
    ("2026-02-30T10:00:00Z", None),
    ("2026-03-01T23:59:60Z", None),
    ("Sun Mar 01 10:00:00 +0000 2026", None),
    (1772359200, None),
    (None, None),
]


def test_times_with_and_without_a_fraction() -> None:
    for sent, expected in TIMES:
        landed = check(line_of(good_post(0, created_at=sent)) + NEIGHBOURS[0])
        found = [row["created_at"] for row in landed.rows if row["id"] == good_post(0)["id"]]
        assert found == ([expected] if expected else []), sent
        assert landed.summary["rejected"] == (expected is None), sent


NUMBERS: list[tuple[Any, str | None]] = [
    (0, "0"),
    (None, ""),
    ("12", "12"),
    (12.0, "12"),
    (2**63 - 1, "9223372036854775807"),
    (2**63, None),
    (-1, None),
    (1.5, None),
    (True, None),
    ("many", None),
    ([], None),
]


def test_numbers_as_text_and_nonsense() -> None:
    for sent, expected in NUMBERS:
        landed = check(line_of(good_post(0, public_metrics={"like_count": sent})) + NEIGHBOURS[0])
        found = [row["likes"] for row in landed.rows if row["id"] == good_post(0)["id"]]
        assert found == ([] if expected is None else [expected]), sent


@pytest.mark.parametrize("nothing", [None, [], {}, "", 0, [None], [[]]])
def test_null_and_others_where_lists_belong(nothing: Any) -> None:
    places = ("entities", "referenced_tweets", "edit_history_tweet_ids", "withheld", "public_metrics", "note_tweet")
    inside = {"entities": {"hashtags": nothing, "mentions": nothing, "urls": nothing}}
    posts = [good_post(n, **{place: nothing}) for n, place in enumerate(places)]
    pages = [{"data": [*posts, good_post(9, **inside)], "includes": nothing, "errors": nothing, "meta": nothing}]
    pages += [{"data": [good_post(20)], "includes": {"users": nothing, "tweets": nothing}}, {"data": nothing}]
    landed = check(b"".join(json.dumps(page).encode() + b"\n" for page in pages))
    assert len(landed.rows) == 8, landed.log


def test_an_id_that_comes_again_on_another_page_is_one_row_of_the_later_copy() -> None:
    landed = check(line_of(good_post(1, text="old"), good_post(2)) + line_of(good_post(1, text="new")))
    assert landed.texts == {good_post(1)["id"]: "new", good_post(2)["id"]: "post 2"}
    assert landed.summary["left_out"] == {"duplicates": 1}


@pytest.mark.parametrize("metrics", [{"like_count": 2**63 - 1, "reply_count": 9}, {}])
def test_both_vocabularies_give_the_same_row(metrics: dict[str, int]) -> None:
    note, links, history = {"text": "a &lt; b"}, [{"type": "quoted", "id": "9"}], ["7", good_post(1)["id"]]
    old = good_post(1, note_tweet=note, referenced_tweets=links, edit_history_tweet_ids=history)
    new = good_post(1, note_post=note, referenced_posts=links, edit_history_post_ids=history)
    old["public_metrics"], new["public_metrics"] = metrics | {"retweet_count": 3}, metrics | {"repost_count": 3}
    rows = check(line_of(old)).rows
    assert rows == check(line_of(new)).rows and rows[0]["retweets"] == "3" and rows[0]["text"] == "a < b"


def test_a_copy_without_edit_history_is_the_same_post() -> None:
    copy = good_post(2)
    edited = copy | {"edit_history_tweet_ids": [good_post(1)["id"], copy["id"]]}
    for posts in ([edited, copy], [copy, edited]):
        landed = check(line_of(good_post(1), *posts))
        assert [row["id"] for row in landed.rows] == [copy["id"]]
        assert landed.summary["left_out"] == {"duplicates": 1, "older_versions": 1}


def test_an_edit_after_midnight_has_one_row_however_the_day_is_rebuilt() -> None:
    ids = [good_post(1)["id"], good_post(2)["id"]]
    first = good_post(1, created_at="2026-03-01T23:58:00Z", edit_history_tweet_ids=ids[:1])
    second = good_post(2, created_at="2026-03-02T00:03:00Z", edit_history_tweet_ids=ids)
    days = ("2026-03-01", "2026-03-02")
    assert [row["id"] for day in days for row in land(line_of(first, second), "--date", day).rows] == ids[1:]


def test_what_is_too_deep_is_left_out() -> None:
    deep = b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    landed = check(NEIGHBOURS[0] + deep + NEIGHBOURS[1])
    assert (landed.code, len(landed.rows), landed.summary["bad_lines"]) == (0, 3, 1)


@pytest.mark.parametrize("depth", [250, 500, 995, 1010])
def test_a_reject_too_deep_to_be_kept_does_not_stop_the_others(depth: int) -> None:
    deep = b'{"data": [{"text": "no id", "withheld": ' + b"[" * depth + b"]" * depth + b"}]}\n"
    landed = check(NEIGHBOURS[0] + deep + NEIGHBOURS[1])
    assert (landed.code, len(landed.rows), len(landed.rejects) + landed.summary["bad_lines"]) == (0, 3, 1)


def test_rejects_without_any_day_do_not_break_the_run() -> None:
    landed = land(b'{"data": [{"id": "5", "text": "no time"}]}\n')
    assert (landed.code, landed.rows, len(landed.rejects)) == (0, [], 1), landed.log


def test_a_day_that_the_raw_pages_lack_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_bytes(line_of(good_post(1)))
    arguments = ("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"), "--date")
    assert run_etl(*arguments, "2026-03-01").code == 0
    run = run_etl(*arguments, "2026-03-02")
    assert run.code == 8 and "none for these days" in run.summary["error"], run.log
    assert not (tmp_path / "lake/twitter/dt=2026-03-02").exists()


# ---- the same, from X ------------------------------------------------------------------------------------------------


@pytest.fixture
def x_env(x_api: Any, tmp_path: Path) -> dict[str, str]:
    names = {"X_BEARER_TOKEN": x_api.bearer_token, "X_API_BASE_URL": x_api.base_url}
    return names | {"TWITTER_ETL_STATE_DIR": str(tmp_path / "state"), "TWITTER_ETL_RETRY_SECONDS": "0.01"}


def test_posts_outside_the_day_are_rejects(x_api: Any, x_env: dict[str, str], tmp_path: Path) -> None:
    now = datetime.now(UTC)
    times = [f"{now.date()}T00:00:00.{n:03}Z" for n in range(60)] + ["2026-03-01T10:00:00.000Z"]
    # Nobody's posts: those of another user than the account's would be refused as a whole.
    posts = [good_post(n, created_at=time, author_id=None) for n, time in enumerate(times)]
    x_api.replay([{"data": posts, "meta": {"result_count": 61}}])
    to = ("--to", str(tmp_path / "lake"))
    run = run_etl("--account", "nasa", "--include-replies", "--date", str(now.date()), *to, env=x_env)
    assert run.code == 0, run.log
    assert (run.rows, run.summary["rejected"]) == (60, 1), run.log
    (rejected,) = (tmp_path / "lake/twitter_rejected").glob("dt=*/rejected.jsonl")
    assert "outside the day" in json.loads(rejected.read_text())["reason"]


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": 5}, {"meta": {"result_count": 7}}])
def test_an_answer_that_says_nothing_is_no_empty_day(
    body: dict[str, Any], x_api: Any, x_env: dict[str, str], tmp_path: Path
) -> None:
    x_api.replay([body])
    run = run_etl("--account", "nasa", "--to", str(tmp_path / "lake"), env=x_env)
    assert run.code == 6, run.log
    assert not (tmp_path / "lake/twitter").exists()


def test_a_day_that_is_not_over_says_so(x_env: dict[str, str], tmp_path: Path) -> None:
    today = str(datetime.now(UTC).date())
    run = run_etl("--account", "nasa", "--date", today, "--to", str(tmp_path / "lake"), env=x_env)
    assert run.code == 0 and "isn't over" in run.log, run.log
    assert json.loads((tmp_path / f"lake/twitter/dt={today}/_manifest.json").read_text())["complete"] is False


# ---- hostile options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        (("--from-raw", ""), {}),
        (("--env-file", "", "--account", "nasa"), {}),
        (("--account", "nasa", "--to", "~no_such_user/x"), {}),
        (("--query", os.fsdecode(b"\xff")), {}),
        (("--account", "nasa"), {"TWITTER_ETL_STATE_DIR": "/dev/" + "a" * 300}),
        (("--account", "nasa"), {"TWITTER_ETL_STATE_DIR": "~no_such_user/x"}),
        (("--account", "nasa"), {"TWITTER_ETL_STATE_DIR": "/dev/null/x"}),
        (("--account", "nasa"), {"SSL_CERT_FILE": "/no/such/ca.pem"}),
        (("--account", "nasa"), {"X_API_BASE_URL": "http://:password@127.0.0.1:9"}),
    ],
)
def test_bad_input_is_a_usage_error(options: tuple[str, ...], environ: dict[str, str], tmp_path: Path) -> None:
    env = {
        "X_BEARER_TOKEN": "A" * 30,
        "X_API_BASE_URL": "https://127.0.0.1:9",  # nobody listens
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_RETRY_SECONDS": "0.01",
    }
    to = () if "--to" in options else ("--to", str(tmp_path / "lake"))
    run = run_etl(*options, *to, env=env | environ)
    assert run.code == 2 and run.summary["hint"], run.log
    assert "password" not in run.log
