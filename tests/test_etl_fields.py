"""Every public field is asked for, at the price of the posts alone; what comes with them is in raw pages and rows."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from tweetlake.extract.fields import FIELDS, FREE_EXPANSIONS, TWEET_FIELDS
from tweetlake.raw import page_of
from tweetlake.transform.rows import row_of

from stand_ins.x_api.vocabulary import TWEET_FIELDS as ALL_FIELDS
from tests.helpers.etl import run_etl

PRIVATE = {"non_public_metrics", "organic_metrics", "promoted_metrics"}
COMMUNITY_NOTES = {"matched_media_notes", "note_request_suggestions", "suggested_source_links"}
COMMUNITY_NOTES |= {"suggested_source_links_with_counts"}
BOTH = ("--include-replies", "--include-retweets")


def yesterday() -> str:
    return str((datetime.now(UTC) - timedelta(days=1)).date())


def pages_of_ids(x_api: Any, path: str, query: dict[str, str], token_name: str) -> int:
    """How many pages the same question has for somebody who asks for nothing but ids."""
    plain = {name: value for name, value in query.items() if ".fields" not in name and name != "expansions"}
    plain["tweet.fields"] = "id"
    pages, token = 0, None
    while pages == 0 or token:
        time.sleep(1.1 if "search/all" in path else 0)  # X takes one request a second there
        answer = requests.get(
            x_api.base_url + path,
            params=plain | ({token_name: token} if token else {}),
            headers={"Authorization": f"Bearer {x_api.bearer_token}"},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        pages, token = pages + 1, answer.json()["meta"].get("next_token")
    return pages


def test_all_fields_are_asked_but_the_dear_and_the_private() -> None:
    """A field that X adds to its description fails here: it is taken, or left out with a reason."""
    assert set(ALL_FIELDS) - set(TWEET_FIELDS) == {"context_annotations"} | PRIVATE | COMMUNITY_NOTES
    assert set(TWEET_FIELDS) <= set(ALL_FIELDS)


@pytest.mark.parametrize(
    ("options", "size"),
    [([], "100"), (["--archive"], "500")],
    ids=["timeline", "archive"],
)
def test_more_fields_cost_no_page_and_no_cent(
    options: list[str], size: str, x_api: Any, x_env: dict[str, str], tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    run = run_etl("--account", "thousand", "--date", yesterday(), *BOTH, *options, "--to", str(lake), env=x_env)
    assert run.code == 0, run.log
    asked = [r for r in x_api.requests if r.path.endswith(("/tweets", "/search/all"))]
    asked = [r for r in asked if "media_key" in r.query["media.fields"]] if asked else []
    assert {r.query["max_results"] for r in asked} == {size}
    first = dict(asked[0].query)
    token_name = "next_token" if options else "pagination_token"
    assert len(asked) == pages_of_ids(x_api, asked[0].path, first, token_name) > 1
    assert run.summary["posts_billed"] == x_api.billed_posts == 1000
    assert run.summary["cost_usd"] == pytest.approx(1000 * 0.005 + 0.010) == pytest.approx(x_api.cost_usd)


def test_media_articles_and_places_are_in_raw_and_rows(x_api: Any, x_env: dict[str, str], tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    days = ("--start", "2026-03-01", "--end", "2026-03-04", "--archive")  # always the same posts
    run = run_etl("--account", "nasa", *days, *BOTH, "--to", str(lake), env=x_env)
    assert run.code == 0, run.log
    raw = lake.glob("twitter_raw/dt=*/pages.jsonl.gz")
    pages = [json.loads(line) for file in raw for line in gzip.decompress(file.read_bytes()).splitlines()]
    media = {item["media_key"]: item for page in pages for item in page["includes"].get("media", [])}
    places = {place["id"]: place["full_name"] for page in pages for place in page["includes"].get("places", [])}
    tables = [pq.read_table(file, partitioning=None) for file in lake.glob("twitter_parquet/dt=*/*.parquet")]
    rows = {row["id"]: row for table in tables for row in table.to_pylist()}
    seen = set()
    for post in (post for page in pages for post in page["data"]):
        row = rows[post["id"]]
        keys = post.get("attachments", {}).get("media_keys")
        assert row["media_types"] == (keys and [media[key]["type"] for key in keys])
        for key, url in zip(keys or [], row["media_urls"] or [], strict=True):
            best = [v for v in media[key].get("variants", []) if v.get("bit_rate") == 2_176_000]
            assert url == (best[0]["url"] if best else media[key]["url"])
            seen.add(media[key]["type"])
        assert row["place"] == places.get(post.get("geo", {}).get("place_id"))
        assert row["article_title"] == post.get("article", {}).get("title")
        seen |= {name for name in ("place", "article_title") if row[name]}
    assert seen == {"photo", "video", "place", "article_title"}
    assert {"source", "reply_settings", "edit_controls"} <= set(pages[0]["data"][0])


def value_of(name: str, post: dict[str, Any], includes: dict[str, Any] | None = None) -> Any:
    from tweetlake.columns import COLUMN_NAMES

    page = page_of(
        {"data": [{"id": "1", "created_at": "2026-03-01T10:00:00Z", "text": "x"} | post], "includes": includes}
    )
    return row_of(page.posts[0], page, None)[COLUMN_NAMES.index(name)]


PHOTO = {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/1.jpg"}
GIF = {"media_key": "16_1", "type": "animated_gif", "preview_image_url": "https://pbs.twimg.com/2.jpg"}
RETWEET = {"referenced_tweets": [{"type": "retweeted", "id": "9"}]}


@pytest.mark.parametrize(
    ("post", "media", "types", "urls"),
    [
        ({}, [PHOTO], None, None),
        ({"attachments": {"poll_ids": ["5"]}}, [], [], []),
        ({"attachments": {"media_keys": ["3_1"]}}, [], None, None),
        ({"attachments": {"media_keys": ["16_1", "3_1"]}}, [PHOTO, GIF], ["animated_gif", "photo"], [GIF, PHOTO]),
        ({"attachments": {"media_keys": ["3_1"], "media": [PHOTO]}}, [], ["photo"], [PHOTO]),
        (RETWEET, [PHOTO], ["photo"], [PHOTO]),
        ({"attachments": "odd"}, [PHOTO], None, None),
        ({"attachments": {"media_keys": [{"odd": 1}, "3_1"]}}, [PHOTO | {"url": 7}, 5], ["photo"], []),
    ],
    ids=["none", "poll", "not expanded", "in their order", "flattened", "of the original", "odd", "odd items"],
)
def test_media_are_told_as_far_as_they_are_known(
    post: dict[str, Any], media: list[Any], types: list[str] | None, urls: list[dict[str, Any]] | None
) -> None:
    original = {"id": "9", "text": "original", "attachments": {"media_keys": ["3_1"]}}
    includes = {"media": media, "tweets": [original]}
    assert value_of("media_types", post, includes) == types
    expected = urls and [medium.get("url") or medium["preview_image_url"] for medium in urls]
    assert value_of("media_urls", post, includes) == expected


def test_titles_and_places_of_both_vocabularies_and_of_flattened_posts() -> None:
    assert value_of("article_title", {"article": {"title": "On this &amp; that"}}) == "On this & that"
    assert value_of("article_title", {"article_title": "On this"}) == "On this"
    assert value_of("article_title", {"article": {}}) is None
    assert value_of("place", {"geo": {"place_id": "a", "full_name": "Berlin, Germany"}}) == "Berlin, Germany"
    assert value_of("place", {"geo": {"coordinates": {"type": "Point"}}}) is None


def test_tweepy_passes_all_of_it_on(x_api: Any, x_env: dict[str, str], tmp_path: Path) -> None:
    run = run_etl("--query", "from:nasa", "--date", yesterday(), "--to", str(tmp_path / "lake"), env=x_env)
    assert run.code == 0 and "Unexpected parameter" not in run.log, run.log
    (first, *_) = [r for r in x_api.requests if r.path.endswith("/search/recent")]
    for name, fields in FIELDS.items():
        assert first.query[name.replace("_", ".")].split(",") == fields
    assert first.query["expansions"].split(",") == [*FREE_EXPANSIONS, "author_id"]
