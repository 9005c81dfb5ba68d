"""Any number of posts in the same memory: what is kept on the disk comes back right; quick reading changes nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweetlake.columns import Row
from tweetlake.decode import needed_of
from tweetlake.load.cells import csv_cells, json_lists
from tweetlake.plain import plain_page
from tweetlake.raw import Page, page_of, parse_json
from tweetlake.reading.pages import read_page
from tweetlake.times import iso
from tweetlake.transform import collect as collecting
from tweetlake.transform import portions, store
from tweetlake.transform.quick import quick_row_of
from tweetlake.transform.rows import RowError, Rules, day_of_post, row_of

from stand_ins.x_api.pages import render
from stand_ins.x_api.parameters import MEDIA_FIELDS, PLACE_FIELDS, USER_FIELDS, Selection
from stand_ins.x_api.posts import build
from stand_ins.x_api.vocabulary import TWEET_EXPANSIONS, TWEET_FIELDS
from stand_ins.x_api.world import account_named, day_stubs
from tests.fuzz.pages import ANYTHING, KEYS, PAGE, PROFILE, good_post
from tests.helpers.etl import collect, run_etl

DAY = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many portions, blocks and chunks from few posts."""
    monkeypatch.setattr(portions, "PORTION_POSTS", 50)
    monkeypatch.setattr(portions, "PIECE_ROWS", 20)
    monkeypatch.setattr(store, "BLOCK_ROWS", 7)
    monkeypatch.setattr(store, "CHUNK_ROWS", 30)


def many_posts(seed: int, posts: int) -> list[dict[str, Any]]:
    """Posts of three days in any order, some of them copies, some versions of each other, some unusable."""
    rng = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(posts):
        moment = MIDNIGHT + timedelta(minutes=rng.randrange(3 * 1440))
        made.append(good_post(number) | {"created_at": iso(moment), "public_metrics": {"like_count": number}})
    for _ in range(posts // 10):
        copy, older, newer = rng.choice(made), *sorted(rng.sample(range(posts), 2))
        made.append(copy | {"public_metrics": {"like_count": -1 if rng.random() < 0.1 else rng.randrange(99)}})
        made[newer]["edit_history_tweet_ids"] = [made[older]["id"], made[newer]["id"]]
    rng.shuffle(made)
    return made


def expected(posts: list[dict[str, Any]], rules: Rules) -> tuple[list[tuple[str, int]], Counter[str]]:
    """The same rules in the plainest way, with everything in memory: (ids and likes in order, left out)."""
    usable = [post for post in posts if post["public_metrics"]["like_count"] >= 0]
    by_id = {post["id"]: post for post in usable}
    left_out = Counter(duplicates=len(usable) - len(by_id))
    first_of = {p["id"]: p["edit_history_tweet_ids"][0] for p in posts if "edit_history_tweet_ids" in p}
    newest: dict[str, dict[str, Any]] = {}
    for post_id in sorted(by_id):
        newest[first_of.get(post_id, post_id)] = by_id[post_id]
    left_out["older_versions"] = len(by_id) - len(newest)
    rows = [p for p in newest.values() if not rules.days or date.fromisoformat(p["created_at"][:10]) in rules.days]
    rows.sort(key=lambda post: (post["created_at"], post["id"]))
    left_out["other_days"] = len(newest) - len(rows)
    if rules.newest:
        left_out["beyond_limit"] = max(0, len(rows) - rules.newest)
        rows = rows[-rules.newest :]
    return [(row["id"], row["public_metrics"]["like_count"]) for row in rows], +left_out


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(days=frozenset({DAY})),
        Rules(days=frozenset({DAY, DAY + timedelta(days=2)}), newest=100),
        Rules(newest=1),
    ],
    ids=["all", "one day", "two days, limit", "limit"],
)
def test_the_store_gives_what_memory_would(seed: int, rules: Rules, small_portions: None) -> None:
    posts = many_posts(seed, 400)
    harvest = collect([page_of({"data": posts[n : n + 9]}) for n in range(0, len(posts), 9)], rules)
    rows, left_out = expected(posts, rules)
    assert [(row["id"], row["likes"]) for row in harvest.rows] == rows
    late = {reason: n for reason, n in harvest.left_out.items() if reason != "other_days"}
    assert late == {reason: n for reason, n in left_out.items() if reason != "other_days"}
    assert harvest.posts_in == len(harvest.rows) + sum(harvest.left_out.values()) + len(harvest.rejects)


def test_days_and_chunks_are_cut_where_they_should(small_portions: None) -> None:
    posts = many_posts(5, 300)
    with collecting.collected([page_of({"data": posts})], Rules()) as harvest:
        chunks = {day: list(harvest.rows.chunks(day)) for day in harvest.rows.rows_of_days()}
        everything = [row for day in sorted(chunks) for chunk in chunks[day] for row in chunk.column("id").to_pylist()]
        assert everything == [post_id for post_id, _ in expected(posts, Rules())[0]]
        for day, tables in chunks.items():
            assert sum(table.num_rows for table in tables) == harvest.rows.rows_of_days()[day]
            assert all(table.num_rows == 30 for table in tables[:-1])
            assert {moment.date() for table in tables for moment in table.column("created_at").to_pylist()} == {day}


def test_a_reject_of_another_day_leaves_that_day_alone(tmp_path: Path) -> None:
    """Its partition holds what an earlier run landed."""
    bad = good_post(1) | {"public_metrics": {"like_count": -1}}
    good = [good_post(n) | {"created_at": "2026-03-02T10:00:00Z"} for n in range(2, 9)]
    (tmp_path / "pages.jsonl").write_text(json.dumps({"data": [bad, good_post(9) | {"id": "x"}, *good]}) + "\n")
    run = run_etl("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"), "--date", "2026-03-02")
    assert (run.code, run.rows, run.summary["left_out"]) == (0, 7, {"other_days": 2}), run.log
    assert [day["date"] for day in run.summary["days"]] == ["2026-03-02"]


def test_a_full_temporary_disk_is_said(tmp_path: Path) -> None:
    import os
    import resource
    import subprocess
    import sys

    from tests.helpers.etl import SCRIPT

    (tmp_path / "pages.jsonl").write_text(json.dumps({"data": many_posts(1, 2000)}) + "\n")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # a module cut off there would stay broken for all
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "TMPDIR" in json.loads(done.stdout.splitlines()[-1])["hint"]
    assert not (tmp_path / "lake/twitter").exists()


# ---- reading only what a row needs


def slow_and_quick(line: bytes) -> None:
    """Both ways of reading give the same rows, rejects and counts, or the same refusal."""
    try:
        slow = page_of(parse_json(line))
    except ValueError:
        with pytest.raises(ValueError):
            read_page(line)
        return
    quick = read_page(line)
    assert (quick.users, quick.errors, quick.meta, quick.own) == (slow.users, slow.errors, slow.meta, slow.own)
    assert (quick.collected_at, quick.next_token) == (slow.collected_at, slow.next_token)
    assert [outcome(quick, n) for n in range(len(quick.posts))] == [outcome(slow, n) for n in range(len(slow.posts))]


def outcome(page: Page, index: int) -> Any:
    """The row, or the reason why there is none."""
    try:
        make: Callable[..., Row] = quick_row_of if page.is_plain else row_of
        return make(page.posts[index], page, None)
    except RowError as error:
        return str(error), day_of_post(page.posts[index])


ODD_KEYS = st.sampled_from(KEYS)
ODD_POSTS = st.dictionaries(ODD_KEYS, ANYTHING, max_size=8)
REFERENCES = st.fixed_dictionaries({"type": st.sampled_from(["retweeted", "quoted", "x"]), "id": st.just("9")})
USUAL = st.fixed_dictionaries(
    {"id": st.integers(1, 10**19).map(str), "created_at": st.just("2026-03-01T10:00:00.000Z"), "text": st.text()},
    optional={
        "author_id": st.sampled_from(["4", "5", 4]),
        "note_tweet": st.fixed_dictionaries({"text": st.text()}, optional={"entities": ANYTHING}) | ANYTHING,
        "entities": st.dictionaries(
            st.sampled_from(["hashtags", "mentions", "urls"]),
            st.lists(st.dictionaries(ODD_KEYS, ANYTHING, max_size=3), max_size=2) | ANYTHING,
        ),
        "referenced_tweets": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["retweeted", "quoted", "x"]), "id": st.just("9")}),
            max_size=2,
        ),
        "public_metrics": st.dictionaries(st.sampled_from(["like_count", "retweet_count"]), ANYTHING),
        "attachments": ANYTHING,
        "event_type": ANYTHING,
    },
)
INCLUDES = st.fixed_dictionaries(
    {},
    optional={
        "users": st.lists(st.fixed_dictionaries({"id": st.just("4"), "username": st.text() | ANYTHING}), max_size=2),
        "tweets": st.lists(USUAL.map(lambda post: post | {"id": "9"}), max_size=1),
        "media": ANYTHING,
    },
)


@PROFILE
@given(
    page=PAGE
    | st.fixed_dictionaries(
        {"data": st.lists(USUAL | ODD_POSTS, max_size=4)},
        optional={"includes": INCLUDES | ANYTHING, "meta": ANYTHING, "errors": ANYTHING, "__twarc": ANYTHING},
    )
)
def test_quick_reading_gives_the_same_rows(page: dict[str, Any]) -> None:
    slow_and_quick(json.dumps(page).encode())
    slow_and_quick(json.dumps(page, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "line",
    [
        b'{"data": [], "data": [{"id": "1", "id": "2", "text": "twice", "created_at": "2026-03-01T00:00:00Z"}]}',
        b'{"data": [{"id": 123456789012345678901234567890, "text": "long"}]}',
        b'{"data": [{"id": "1", "text": "bad \xff byte", "created_at": "2026-03-01T00:00:00Z"}]}',
        b'{"data": [{"id": "1", "text": "x", "source": "bad \xff byte", "created_at": "2026-03-01T00:00:00Z"}]}',
        b'{"data": [{"id": "1", "text": "x", "source": "half \\ud83d", "created_at": "2026-03-01T00:00:00Z"}]}',
        b'{"data": [{"id": "1", "text": "x", "weight": NaN, "created_at": "2026-03-01T00:00:00Z"}]}',
        b'{"data": [{"id": "1", "text": "x", "deep": ' + b"[" * 500 + b"]" * 500 + b"}]}",
        b'{"data": {"id": "1", "text": "one", "created_at": "2026-03-01T00:00:00Z"}}',
        b'{"data": [{"id": "1", "text": "x", "source": "torn',
        b'{"id": "1", "text": "flat", "created_at": "2026-03-01T00:00:00Z"}',
        b'\xef\xbb\xbf{"data": []}',
    ],
)
def test_quick_reading_of_broken_lines(line: bytes) -> None:
    slow_and_quick(line)


@pytest.mark.parametrize("post", [False, True], ids=["tweet vocabulary", "post vocabulary"])
def test_quick_reading_knows_every_key_that_rows_need(post: bool) -> None:
    """A new column whose key decode.py lacks fails here: these pages have every field of the API."""
    every = Selection(post, *map(frozenset, (TWEET_FIELDS, TWEET_EXPANSIONS, USER_FIELDS, MEDIA_FIELDS, PLACE_FIELDS)))
    posts = [build(stub) for stub in day_stubs(account_named("nasa"), DAY)]
    line = json.dumps(render(posts, every)).encode()
    assert (plain_page(line) is None) == post, "the new vocabulary isn't asked for: it is read the slower way"
    assert needed_of(line) is not None
    slow_and_quick(line)
    quick = page_of(needed_of(line))
    slow = page_of(parse_json(line))
    assert [outcome(quick, n) for n in range(len(posts))] == [outcome(slow, n) for n in range(len(posts))]


def test_quick_reading_is_what_usual_pages_get_and_rejects_stay_whole() -> None:
    page = {"data": [good_post(1) | {"source": "app"}, {"id": "7", "text": "no time", "source": "app"}]}
    needed = needed_of(json.dumps(page).encode())
    assert needed is not None and "source" not in needed["data"][0]
    (reject,) = collect([read_page(json.dumps(page).encode())]).rejects
    assert reject["post"] == page["data"][1]


# ---- CSV cells in one step


@PROFILE
@given(lists=st.lists(st.none() | st.lists(st.text(max_size=5), max_size=3), max_size=6))
def test_json_lists_are_json(lists: list[list[str] | None]) -> None:
    cells = json_lists(pa.array(lists, pa.list_(pa.string()))).to_pylist()
    assert [None if cell is None else json.loads(cell) for cell in cells] == lists


@PROFILE
@given(
    times=st.lists(
        st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)), max_size=6
    ),
    whole=st.booleans(),
)
def test_times_are_iso(times: list[datetime | None], whole: bool) -> None:
    step_us = 1_000_000 if whole else 1000
    times = [t and t.replace(microsecond=t.microsecond // step_us * step_us) for t in times]
    table = pa.table({"created_at": pa.array(times, pa.timestamp("ms", tz="UTC"))})
    assert csv_cells(table).column("created_at").to_pylist() == [iso(t) for t in times]
