"""Any JSON page gives rows, rejects or one clear error: no traceback, no lost valid post, no wrong id."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tweetlake.errors import EtlError
from tweetlake.extract import refuse_no_answer
from tweetlake.raw import dump_json, page_of, parse_json
from tweetlake.transform import Rules

from tests.etl import collect, run_etl

KEYS = st.sampled_from(
    [
        "id",
        "text",
        "author_id",
        "created_at",
        "data",
        "includes",
        "users",
        "tweets",
        "posts",
        "errors",
        "meta",
        "next_token",
        "type",
        "detail",
        "entities",
        "urls",
        "hashtags",
        "mentions",
        "tag",
        "username",
        "expanded_url",
        "note_tweet",
        "note_post",
        "public_metrics",
        "like_count",
        "retweet_count",
        "referenced_tweets",
        "referenced_posts",
        "edit_history_tweet_ids",
        "edit_history_post_ids",
        "withheld",
        "country_codes",
        "author",
        "possibly_sensitive",
        "in_reply_to_user_id",
        "conversation_id",
        "__tweetlake",
        "__twarc",
        "collected_at",
        "account",
    ]
)
ODD_TEXTS = ["", "\0", "\u2028", "\ud83d", "&#" + "9" * 5000 + ";", "RT @x: y…", "retweeted", "2026-03-01T10:00:00Z"]
ODD_NUMBERS = [2**53 + 1, 2**63, 2**64 + 1, -1, 1e300]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(ODD_TEXTS + ODD_NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
PROFILE = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def good_post(number: int) -> dict[str, Any]:
    return {
        "id": str(2028000000000000000 + number),
        "text": "ok",
        "created_at": "2026-03-01T10:00:00Z",
        "author_id": "4",
    }


@PROFILE
@given(document=VALUES, junk=st.dictionaries(KEYS, VALUES, max_size=6), position=st.integers(0, 2))
def test_no_page_breaks_the_run_or_its_neighbours(document: Any, junk: dict[str, Any], position: int) -> None:
    posts: list[Any] = [good_post(1), good_post(2)]
    posts.insert(position, junk)
    pages = []
    for line in (json.dumps(document), json.dumps({"data": posts})):
        page = page_of(parse_json(line.encode()))
        with contextlib.suppress(EtlError):
            refuse_no_answer(page, "test")
        pages.append(page)
    batch = collect(pages)
    ids = [row["id"] for row in batch.rows]
    assert {good_post(1)["id"], good_post(2)["id"]} <= set(ids)
    assert len(ids) == len(set(ids))
    assert set(ids) <= {str(post["id"]) for page in pages for post in page.posts if "id" in post}
    assert batch.posts_in == len(ids) + sum(batch.left_out.values()) + len(batch.rejects)


@PROFILE
@given(metrics=st.fixed_dictionaries({"like_count": st.integers(0, 2**63 - 1), "reply_count": st.integers(0, 9)}))
def test_both_vocabularies_give_the_same_row(metrics: dict[str, int]) -> None:
    note, links, history = {"text": "a &lt; b"}, [{"type": "quoted", "id": "9"}], ["7", good_post(1)["id"]]
    old = good_post(1) | {"note_tweet": note, "referenced_tweets": links, "edit_history_tweet_ids": history}
    new = good_post(1) | {"note_post": note, "referenced_posts": links, "edit_history_post_ids": history}
    old["public_metrics"], new["public_metrics"] = metrics | {"retweet_count": 3}, metrics | {"repost_count": 3}
    (old_row,), (new_row,) = (collect([page_of({"data": [post]})]).rows for post in (old, new))
    assert old_row == new_row


def test_a_copy_without_edit_history_is_the_same_post() -> None:
    copy = good_post(2)
    edited = copy | {"edit_history_tweet_ids": [good_post(1)["id"], copy["id"]]}
    for posts in ([edited, copy], [copy, edited]):
        batch = collect([page_of({"data": [good_post(1), *posts]})])
        assert [row["id"] for row in batch.rows] == [copy["id"]]
        assert batch.left_out == {"duplicates": 1, "older_versions": 1}


def test_an_edit_after_midnight_has_one_row_however_the_day_is_rebuilt() -> None:
    ids = [good_post(1)["id"], good_post(2)["id"]]
    first = good_post(1) | {"created_at": "2026-03-01T23:58:00Z", "edit_history_tweet_ids": ids[:1]}
    second = good_post(2) | {"created_at": "2026-03-02T00:03:00Z", "edit_history_tweet_ids": ids}
    found = []
    for day in (date(2026, 3, 1), date(2026, 3, 2)):
        rules = Rules(include_replies=True, include_retweets=True, days=frozenset({day}))
        found += [row["id"] for row in collect([page_of({"data": [first, second]})], rules).rows]
    assert found == ids[1:]


def test_what_is_too_deep_to_keep_is_one_clear_error() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EtlError, match="nested"):
        dump_json({"data": deep})


def test_rejects_without_any_day_do_not_break_the_run(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text('{"data": [{"id": "5", "text": "no time"}]}\n')
    arguments = ("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"))
    run = run_etl(*arguments, "--max-reject-percent", "100")
    assert (run.code, run.rows, run.summary["rejected"]) == (0, 0, 1), run.log


def test_a_day_that_the_raw_pages_lack_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text(json.dumps({"data": [good_post(1)]}) + "\n")
    arguments = ("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"), "--date")
    assert run_etl(*arguments, "2026-03-01").code == 0
    run = run_etl(*arguments, "2026-03-02")
    assert run.code == 8 and "none for these days" in run.summary["error"], run.log
    assert not (tmp_path / "lake/twitter/dt=2026-03-02").exists()


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


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": 5}, {"meta": {"result_count": 7}}])
def test_an_answer_that_says_nothing_is_no_empty_day(body: dict[str, Any], x_api: Any, tmp_path: Path) -> None:
    x_api.replay([body])
    env = {"X_BEARER_TOKEN": x_api.bearer_token, "X_API_BASE_URL": x_api.base_url}
    env["TWITTER_ETL_STATE_DIR"] = str(tmp_path / "state")
    run = run_etl("--account", "nasa", "--to", str(tmp_path / "lake"), env=env)
    assert run.code == 6, run.log
    assert not (tmp_path / "lake/twitter").exists()


def test_a_day_that_is_not_over_says_so(x_api: Any, tmp_path: Path) -> None:
    env = {"X_BEARER_TOKEN": x_api.bearer_token, "X_API_BASE_URL": x_api.base_url}
    env["TWITTER_ETL_STATE_DIR"] = str(tmp_path / "state")
    today = str(datetime.now(UTC).date())
    run = run_etl("--account", "nasa", "--date", today, "--to", str(tmp_path / "lake"), env=env)
    assert run.code == 0 and "isn't over" in run.log, run.log
    assert json.loads((tmp_path / f"lake/twitter/dt={today}/_manifest.json").read_text())["complete"] is False
