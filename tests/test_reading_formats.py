"""Posts in every format people keep them in land under the same columns, or are called by their name.

Ids in are counted by `json` alone, ids out by `csv`.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.pages import good_post, line_of
from tests.helpers.etl import Run, rows_in, run_here

FIELD = Path(__file__).resolve().parents[2] / "shared/field/etl"
ID, OTHER_ID, THIRD_ID = "2124985147136854983", "2124985147136854984", "2124985147136854985"
UNKNOWN_TO_V1 = ("replies", "quotes", "bookmarks", "impressions", "conversation_id", "edited", "edit_history_ids")


def land(tmp_path: Path, content: Any, *options: str, name: str = "pages.json") -> tuple[Run, list[dict[str, str]]]:
    """Write this (as JSON unless it's bytes) and land it, with replies and retweets."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return land_path(path, *options)


def land_path(path: Path, *options: str) -> tuple[Run, list[dict[str, str]]]:
    lake = path.parent / f"{path.name}.lake"
    run = run_here("--from-raw", str(path), "--to", str(lake), "--include-replies", "--include-retweets", *options)
    return run, rows_in(lake)


def only_row(landed: tuple[Run, list[dict[str, str]]]) -> dict[str, str]:
    run, rows = landed
    assert (run.code, len(rows)) == (0, 1), run.log
    return rows[0]


# ---- v2


ORIGINAL = {
    "id": ID,
    "created_at": "2026-11-23T10:00:00.000Z",
    "text": "a long original text that goes on and on #One #Two https://t.co/x",
    "author_id": "1",
    "entities": {
        "hashtags": [{"tag": "One"}, {"tag": "Two"}],
        "urls": [{"url": "https://t.co/x", "expanded_url": "https://example.org/a"}],
    },
}
RETWEET = {
    "id": OTHER_ID,
    "created_at": "2026-11-23T11:00:00.000Z",
    "text": "RT @example: a long original…",
    "author_id": "2",
    "entities": {"mentions": [{"username": "example"}]},
}
AUTHOR = {"id": "2", "username": "other", "name": "Other"}


def retweet(words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """As a page and flattened, in one of the two vocabularies."""
    key = f"referenced_{words}"
    reference = {"type": "retweeted" if words == "tweets" else "reposted", "id": ID}
    page = {"data": [RETWEET | {key: [reference]}], "includes": {"users": [AUTHOR], words: [ORIGINAL]}}
    return page, RETWEET | {key: [ORIGINAL | reference], "author": AUTHOR}


@pytest.mark.parametrize("words", ["tweets", "posts"])
@pytest.mark.parametrize(
    "note", [None, {"text": "the whole long text #Three", "entities": {"hashtags": [{"tag": "Three"}]}}]
)
def test_a_flattened_retweet_is_as_from_its_page(words: str, note: Any, tmp_path: Path) -> None:
    page, flattened = retweet(words)
    if note:
        for post in (page["includes"][words][0], flattened[f"referenced_{words}"][0]):
            post["note_tweet"] = note
    row = only_row(land(tmp_path, page, name="page.json"))
    run, rows = land(tmp_path, flattened, name="flat.json")
    assert rows == [row]
    assert run.summary["formats"] == {"v2 flattened": 1}
    assert row["text"].endswith("#Three" if note else "https://t.co/x") and row["hashtags"]
    page["includes"][words].clear()


def test_single_posts_and_pages_are_told_apart(tmp_path: Path) -> None:
    lines = [line_of(good_post(1), good_post(2)), json.dumps(good_post(3)).encode() + b"\n"]
    lines.append(json.dumps({"data": good_post(4)}).encode())
    run, rows = land(tmp_path, b"".join(lines))
    assert len(rows) == 4 and run.summary["formats"] == {"v2 pages": 3, "v2 posts": 1}
    (manifest,) = (tmp_path / "pages.json.lake/twitter").glob("dt=*/_manifest.json")
    assert json.loads(manifest.read_text())["formats"] == {"v2 pages": 3, "v2 posts": 1}


@pytest.mark.parametrize("flattened", [False, True])
def test_a_line_of_a_stream_is_dated_by_its_id(flattened: bool, tmp_path: Path) -> None:
    post = {"id": "1482496347722899457", "text": "example one"}
    rules = {"matching_rules": [{"id": "1", "tag": ""}]}
    run, rows = land(tmp_path, post | rules if flattened else {"data": post} | rules)
    assert rows[0]["created_at"] == "2022-01-15T23:34:07Z", "as X would write it: whole seconds"
    assert run.summary["created_at_from_id"] == 1


def test_a_line_of_a_stream_keeps_the_time_it_has_and_old_ids_have_none(tmp_path: Path) -> None:
    rules = {"matching_rules": [{"id": "1"}]}
    posts = [good_post(1), {"id": "20", "text": "just setting up"}, {"id": "1" * 25, "text": "too long"}]
    run, rows = land(tmp_path, [{"data": post} | rules for post in posts], "--max-reject-percent", "70")
    assert [row["created_at"] for row in rows] == ["2026-03-01T10:00:00Z"]
    assert run.summary["rejected"] == 2 and "created_at_from_id" not in run.summary
    assert run.summary["formats"] == {"v2 stream": 3}


def test_a_page_without_times_is_still_refused(tmp_path: Path) -> None:
    """Only streams leave them out by themselves; a page without them was asked for wrongly."""
    run, _ = land(tmp_path, {"data": [{"id": ID, "text": "no time"}]})
    assert run.code == 8


def event(kind: str, payload: Any, **more: Any) -> dict[str, Any]:
    """https://docs.x.com/x-api/activity/event-payloads"""
    body = {"event_uuid": "7", "filter": {"user_id": "2"}, "event_type": kind, "tag": "t", "payload": payload}
    return {"data": body | more}


def test_events_of_the_activity_api(tmp_path: Path) -> None:
    page, _ = retweet("tweets")
    post = page["data"][0]
    events = [
        event("post.create", post, includes=page["includes"]),
        event("post.delete", {"id": "5", "author_id": "2"}),
        event("follow.follow", {"source": {"id": "1"}, "target": {"id": "2"}}),
        event("dm.received", {"id": "9", "text": "psst", "sender_id": "1"}),
    ]
    run, rows = land(tmp_path, events)
    assert rows == [only_row(land(tmp_path, page, name="page.json"))]
    assert run.summary["formats"] == {"activity events": 1}
    assert run.summary["not_posts"] == {
        "activity events (post.delete)": 1,
        "activity events (follow.follow)": 1,
        "direct messages": 1,
    }


# ---- v1.1


def v1(number: int = 0, **more: Any) -> dict[str, Any]:
    """A post as GET statuses/user_timeline gave it."""
    return {
        "created_at": "Mon Nov 23 10:00:00 +0000 2026",
        "id": int(ID) + number,
        "id_str": str(int(ID) + number),
        "full_text": f"v1.1 &lt;{number}&gt;",
        "truncated": False,
        "user": {"id": 1, "id_str": "1", "screen_name": "example", "followers_count": 3},
        "retweet_count": 0,
        "favorite_count": 1,
        "lang": "en",
        "entities": {"hashtags": [], "symbols": [], "urls": [], "user_mentions": []},
        **more,
    }


def without(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def test_what_v1_does_not_say_is_null_and_never_0(tmp_path: Path) -> None:
    row = only_row(land(tmp_path, v1()))
    assert (row["id"], row["created_at"], row["username"], row["author_id"]) == (
        ID,
        "2026-11-23T10:00:00Z",
        "example",
        "1",
    )
    assert (row["text"], row["likes"], row["retweets"]) == ("v1.1 <0>", "1", "0")
    assert {name: row[name] for name in UNKNOWN_TO_V1} == dict.fromkeys(UNKNOWN_TO_V1, "")
    assert (row["is_reply"], row["is_retweet"], row["is_quote"]) == ("false", "false", "false")
    assert row["url"] == f"https://x.com/example/status/{ID}"


V1_SHAPES = {
    "extended": v1(),
    "compatible": without(v1(text="v1.1 &lt;0&gt;"), "full_text"),
    "id_str only": without(v1(), "id"),
    "id only": without(v1(), "id_str"),
    "an id rounded by JavaScript": v1(id=2124985147136855000),
    "a trimmed user": v1(user={"id": 1, "id_str": "1"}),
    "of a stream": without(
        v1(
            text="v1.1 &lt;0…",
            truncated=True,
            extended_tweet={"full_text": "v1.1 &lt;0&gt;", "entities": {"hashtags": []}},
        ),
        "full_text",
    ),
    "a search": {"statuses": [v1()], "search_metadata": {"count": 1}},
    "account activity": {"for_user_id": "1", "tweet_create_events": [v1()]},
    "time of another zone": v1(created_at="Mon Nov 23 12:00:00 +0200 2026"),
}


@pytest.mark.parametrize("shape", V1_SHAPES)
def test_shapes_of_v1(shape: str, tmp_path: Path) -> None:
    run, rows = land(tmp_path, V1_SHAPES[shape])
    assert [(row["id"], row["text"], row["created_at"]) for row in rows] == [(ID, "v1.1 <0>", "2026-11-23T10:00:00Z")]
    assert run.summary["formats"] == {"v1.1": 1}, run.log
    assert rows[0]["username"] == ("" if shape == "a trimmed user" else "example")


def test_counts_of_a_v1_stream_are_kept(tmp_path: Path) -> None:
    row = only_row(
        land(tmp_path, v1(reply_count=2, quote_count=0, possibly_sensitive=True, withheld_in_countries=["DE"]))
    )
    assert (row["replies"], row["quotes"], row["bookmarks"]) == ("2", "0", "")
    assert (row["possibly_sensitive"], row["withheld_countries"]) == ("true", '["DE"]')


def test_entities_of_v1_have_media_among_the_links_as_v2_has(tmp_path: Path) -> None:
    entities = {
        "hashtags": [{"text": "One", "indices": [0, 4]}],
        "user_mentions": [{"screen_name": "nasa", "id_str": "11348282"}],
        "urls": [{"url": "https://t.co/b", "expanded_url": "https://example.org/b", "indices": [40, 50]}],
        "media": [{"url": "https://t.co/a", "expanded_url": "https://x.com/e/status/1/photo/1", "indices": [20, 30]}],
    }
    row = only_row(land(tmp_path, v1(entities=entities)))
    assert (row["hashtags"], row["mentions"]) == ('["One"]', '["nasa"]')
    assert json.loads(row["links"]) == ["https://x.com/e/status/1/photo/1", "https://example.org/b"]


@pytest.mark.parametrize("wrapped", ["", "extended_tweet"])
def test_media_and_place_of_v1(wrapped: str, tmp_path: Path) -> None:
    video = {
        "type": "video",
        "media_url_https": "https://pbs.twimg.com/v.jpg",
        "video_info": {
            "variants": [
                {"content_type": "video/mp4", "bitrate": "832000", "url": "https://video.twimg.com/low.mp4"},
                {"content_type": "application/x-mpegURL", "url": "https://video.twimg.com/a.m3u8"},
                {"content_type": "video/mp4", "bitrate": 2176000, "url": "https://video.twimg.com/high.mp4"},
            ]
        },
    }
    photo = {"type": "photo", "media_url_https": "https://pbs.twimg.com/p.jpg", "url": "https://t.co/p"}
    entities = {"extended_entities": {"media": [photo, video]}, "entities": {"media": [photo]}}
    more = {wrapped: entities | {"full_text": "v1.1"}} if wrapped else entities
    row = only_row(land(tmp_path, v1(place={"id": "1", "full_name": "Berlin, Germany"}, **more)))
    assert json.loads(row["media_types"]) == ["photo", "video"]
    assert json.loads(row["media_urls"]) == ["https://pbs.twimg.com/p.jpg", "https://video.twimg.com/high.mp4"]
    assert row["place"] == "Berlin, Germany"
    assert only_row(land(tmp_path, v1(), name="plain.json"))["media_types"] == "", "not said"


def test_references_of_v1(tmp_path: Path) -> None:
    original = v1(0, full_text="the whole #text", user={"id_str": "5", "screen_name": "first"})
    original["entities"] = {"hashtags": [{"text": "text"}]}
    tweets = [
        v1(
            1, full_text="RT @first: the wh…", retweeted_status=original, is_quote_status=True, quoted_status_id_str="9"
        ),
        v1(2, in_reply_to_status_id_str="7", in_reply_to_status_id=7, in_reply_to_user_id_str="1"),
        v1(3, is_quote_status=True, quoted_status_id=8, quoted_status_id_str="8", quoted_status=v1(9)),
        v1(4, is_quote_status=True, quoted_status_permalink={"expanded": "https://twitter.com/a/status/6"}),
        v1(5, is_quote_status=True),
        v1(6, in_reply_to_status_id_str="7", is_quote_status=True, quoted_status_id_str="8"),
    ]
    run, rows = land(tmp_path, tweets)
    kinds = [
        "".join(row[f"is_{kind}"][0] for kind in ("reply", "retweet", "quote")) + row["referenced_id"] for row in rows
    ]
    assert kinds == [f"ftf{ID}", "tff7", "fft8", "fft6", "fft", "tft7"], run.log
    assert (rows[0]["text"], rows[0]["hashtags"]) == ("RT @first: the whole #text", '["text"]')
    assert [row["id"] for row in rows] == [tweet["id_str"] for tweet in tweets], "an original is no row of its own"


def test_a_text_that_is_known_to_be_cut_is_counted(tmp_path: Path) -> None:
    run, _ = land(tmp_path, [without(v1(1, text="cut…", truncated=True), "full_text"), v1(2)])
    assert run.summary["texts_cut"] == 1


def test_a_reject_of_v1_is_kept_as_it_came(tmp_path: Path) -> None:
    bad = v1(1, favorite_count="many")
    land(tmp_path, [bad, v1(2)], "--max-reject-percent", "50")
    (rejected,) = (tmp_path / "pages.json.lake").rglob("rejected.jsonl")
    line = json.loads(rejected.read_text())
    assert (line["post"], line["reason"]) == (bad, "like_count isn't a whole number")


@pytest.mark.parametrize("nothing", [None, [], {}, "", 0, [None], "x"])
def test_odd_values_of_v1_break_nothing(nothing: Any, tmp_path: Path) -> None:
    keys = "user entities extended_tweet retweeted_status quoted_status quoted_status_permalink edit_history"
    tweets = [v1(n, **{key: nothing}) for n, key in enumerate([*keys.split(), "withheld_in_countries", "truncated"])]
    inside = {"hashtags": nothing, "urls": nothing, "media": nothing, "user_mentions": nothing}
    tweets.append(v1(20, entities=inside))
    _, rows = land(tmp_path, tweets, "--max-reject-percent", "100")
    assert {row["id"] for row in rows} == {tweet["id_str"] for tweet in tweets}


# ---- X's own archive


def archived(number: int = 0, **more: Any) -> dict[str, Any]:
    """An element of tweets.js: no author, numbers as text."""
    return {
        "tweet": {
            "edit_info": {"initial": {"editTweetIds": [str(int(ID) + number)], "editsRemaining": "5"}},
            "retweeted": False,
            "source": "<a>Web</a>",
            "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []},
            "display_text_range": ["0", "9"],
            "favorite_count": "2",
            "id_str": str(int(ID) + number),
            "id": str(int(ID) + number),
            "truncated": False,
            "retweet_count": "0",
            "created_at": "Mon Nov 23 10:00:00 +0000 2026",
            "favorited": False,
            "full_text": f"archived {number}",
            "lang": "en",
            **more,
        }
    }


def script(name: str, value: Any) -> bytes:
    return f"window.YTD.{name}.part0 = {json.dumps(value, indent=2)}".encode()


ACCOUNT = [{"account": {"email": "a@example.org", "username": "mine", "accountId": "77", "createdAt": "2010"}}]
MANIFEST = {
    "userInfo": {"accountId": "77", "userName": "mine", "displayName": "Me"},
    "archiveInfo": {"sizeBytes": "1", "generationDate": "2026-11-24T08:00:00.000Z"},
}
LONG = "The first words of a post that is long, and then it goes on for more than a post may #Late & further"
ARCHIVE: dict[str, bytes] = {
    "Your archive.html": b"<!doctype html><html></html>",
    "data/account.js": script("account", ACCOUNT),
    "data/deleted-tweets.js": script("deleted_tweets", [archived(90)]),
    "data/direct-messages.js": script("direct_messages", [{"dmConversation": {"messages": [{"text": "psst"}]}}]),
    "data/like.js": script("like", [{"like": {"tweetId": "91", "fullText": "liked"}}]),
    "data/manifest.js": b"window.__THAR_CONFIG = " + json.dumps(MANIFEST).encode(),
    "data/note-tweet.js": script(
        "note_tweet",
        [{"noteTweet": {"noteTweetId": "5", "createdAt": "2026-11-23T10:00:00.000Z", "core": {"text": LONG}}}],
    ),
    "data/tweet-headers.js": script("tweet_headers", [{"tweet": {"tweet_id": "92", "user_id": "77"}}]),
    "data/tweets-part1.js": script("tweets", [archived(5), archived(6)]).replace(b"part0", b"part1"),
    "data/tweets.js": script("tweets", [archived(n) for n in range(5)]),
    "data/tweets_media/1.jpg": b"\xff\xd8\xff\xe0",
}
ARCHIVE_IDS = [str(int(ID) + number) for number in range(7)]


def as_folder(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def as_zip(files: dict[str, bytes], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in reversed(files.items()):
            packed.writestr(name, content)
    return path


def test_an_archive_as_it_is_downloaded(tmp_path: Path) -> None:
    """The .zip, unpacked, its data folder, one file of it."""
    folder = as_folder(ARCHIVE, tmp_path / "twitter-2026-11-24")
    run, rows = land_path(as_zip(ARCHIVE, tmp_path / "twitter-2026-11-24.zip"))
    assert [row["id"] for row in rows] == ARCHIVE_IDS, run.log
    assert run.summary["formats"] == {"X archive": 7} and run.summary["bad_lines"] == 0
    told = {skipped["file"].rpartition("/")[2]: skipped["reason"] for skipped in run.summary["skipped_files"]}
    assert told == {
        "Your archive.html" if "Your archive.html" in told else "twitter-2026-11-24.zip:Your archive.html": "HTML",
        "deleted-tweets.js": "of an archive: posts that were deleted",
        "direct-messages.js": "of an archive: direct messages",
        "like.js": "of an archive: likes",
        "tweet-headers.js": "of an archive: ids and times of posts, without text",
        "1.jpg": "a picture",
    }
    assert land_path(folder)[1] == rows
    assert land_path(folder / "data")[1] == rows
    run, some = land_path(folder / "data/tweets.js")
    assert some == rows[:5], run.log


def test_columns_of_an_archive(tmp_path: Path) -> None:
    _, rows = land_path(as_zip(ARCHIVE, tmp_path / "a.zip"))
    row = rows[0]
    assert (row["username"], row["author_id"]) == ("mine", "77")
    assert (row["likes"], row["retweets"], row["replies"]) == ("2", "0", "")
    assert (row["edited"], row["edit_history_ids"]) == ("false", f'["{ID}"]')
    assert row["collected_at"] == "2026-11-24T08:00:00Z", "when the archive was made"
    assert (row["is_reply"], row["is_retweet"], row["is_quote"]) == ("false", "false", "false")
    assert row["url"] == f"https://x.com/mine/status/{ID}"


@pytest.mark.parametrize(
    ("prefix", "wrapped"),
    [("window.YTD.tweet.part0 = ", True), ("window.YTD.tweet.part0 = ", False), ("window.YTD.tweets.part0=", True)],
)
def test_archives_of_other_years(prefix: str, wrapped: bool, tmp_path: Path) -> None:
    posts = [archived(1) if wrapped else without(archived(1)["tweet"], "edit_info")]
    files = {"data/tweet.js": f"{prefix}{json.dumps(posts)};\n".encode(), "data/account.js": script("account", ACCOUNT)}
    run, rows = land_path(as_folder(files, tmp_path / "archive"))
    assert [(row["id"], row["username"]) for row in rows] == [(OTHER_ID, "mine")], run.log
    assert run.summary["formats"] == {"X archive": 1}


def test_an_archive_of_before_2018(tmp_path: Path) -> None:
    tweet = without(
        v1(created_at="2013-01-31 20:19:24 +0000", text="old"), "full_text", "retweet_count", "favorite_count"
    )
    files = {
        "data/js/tweets/2013_01.js": b"Grailbird.data.tweets_2013_01 =\n" + json.dumps([tweet], indent=1).encode(),
        "data/js/tweet_index.js": b'var tweet_index = [ {"file_name": "data/js/tweets/2013_01.js", "year": 2013} ]',
    }
    run, rows = land_path(as_folder(files, tmp_path / "archive"))
    assert [(row["created_at"], row["text"], row["username"]) for row in rows] == [
        ("2013-01-31T20:19:24Z", "old", "example")
    ]
    assert run.code == 0 and rows[0]["likes"] == ""


def test_the_account_of_an_archive_that_does_not_say(tmp_path: Path) -> None:
    content = script("tweets", [archived()])
    run, (row,) = land(tmp_path, content, name="1/tweets.js")
    assert (row["username"], row["url"]) == ("", f"https://x.com/i/status/{ID}")
    assert "give --account NAME" in run.log
    run, rows = land(tmp_path, content, "--account", "@mine", name="2/tweets.js")
    assert (rows[0]["username"], rows[0]["url"]) == ("mine", f"https://x.com/mine/status/{ID}"), run.log
    as_folder({"account.js": ARCHIVE["data/account.js"]}, tmp_path / "3")
    run, rows = land(tmp_path, content, "--account", "someone", name="3/tweets.js")
    assert rows[0]["username"] == "mine", "the archive knows better"
    run, _ = land(tmp_path, v1(), "--account", "someone")
    assert "changes nothing" in run.log


def test_edits_in_an_archive(tmp_path: Path) -> None:
    ids = [ID, OTHER_ID]
    first = archived(0, edit_info={"initial": {"editTweetIds": ids}})
    second = archived(1, edit_info={"edit": {"initialTweetId": ID, "editControlInitial": {"editTweetIds": ids}}})
    run, rows = land(tmp_path, script("tweets", [first, second]), name="tweets.js")
    assert [(row["id"], row["edited"], json.loads(row["edit_history_ids"])) for row in rows] == [
        (OTHER_ID, "true", ids)
    ]
    assert run.summary["left_out"] == {"older_versions": 1}


@pytest.mark.parametrize("mention", ["", "@nasa "])
def test_long_posts_of_an_archive_are_whole(mention: str, tmp_path: Path) -> None:
    link = {"url": "https://t.co/x", "expanded_url": "https://x.com/i/web/status/1"}
    core = {
        "text": LONG,
        "hashtags": [{"text": "Late", "fromIndex": 80}],
        "mentions": [{"screenName": "esa"}],
        "urls": [{"expandedUrl": "https://example.org/late", "shortUrl": "https://t.co/y"}],
    }
    notes = [
        {
            "noteTweet": {
                "noteTweetId": "5",
                "createdAt": "2020-01-01T00:00:00.000Z",
                "core": core | {"text": LONG + " not"},
            }
        },
        {"noteTweet": {"noteTweetId": "6", "createdAt": "2026-11-23T09:59:58.000Z", "core": core}},
    ]
    cut = f"{mention}{LONG[:60]}… https://t.co/x"
    files = {
        "tweets.js": script(
            "tweets",
            [
                archived(0, full_text=cut, entities={"urls": [link]}),
                archived(1, full_text="The first", created_at="Mon Nov 23 11:00:00 +0000 2026"),
                archived(2, full_text="The first… https://t.co/x", created_at="Mon Nov 23 11:00:00 +0000 2026"),
            ],
        ),
        "note-tweet.js": script("note_tweet", notes),
    }
    run, rows = land_path(as_folder(files, tmp_path / "data"))
    assert [row["text"] for row in rows] == [mention + LONG, "The first", "The first… https://t.co/x"], run.log
    assert (rows[0]["hashtags"], rows[0]["mentions"]) == ('["Late"]', '["esa"]')
    assert json.loads(rows[0]["links"])[-1] == "https://example.org/late"
    assert run.summary["texts_cut"] == 1, "the last: its note isn't there"


def test_retweets_and_quotes_of_an_archive_are_known_by_their_text(tmp_path: Path) -> None:
    link = {"urls": [{"url": "https://t.co/q", "expanded_url": "https://twitter.com/nasa/status/9?s=20"}]}
    photo = {"urls": [{"url": "https://t.co/q", "expanded_url": "https://twitter.com/nasa/status/9/photo/1"}]}
    tweets = [
        archived(0, full_text="RT @nasa: something that goes on…"),
        archived(1, full_text="look https://t.co/q", entities=link),
        archived(2, full_text="look https://t.co/q", entities=photo),
        archived(3, full_text="@nasa yes", in_reply_to_status_id_str="9", in_reply_to_user_id_str="11348282"),
    ]
    run, rows = land(tmp_path, script("tweets", tweets), name="tweets.js")
    kinds = [(row["is_reply"], row["is_retweet"], row["is_quote"], row["referenced_id"]) for row in rows]
    assert kinds == [
        ("false", "true", "false", ""),
        ("false", "false", "", ""),  # a link to a post may be a quote
        ("false", "false", "false", ""),
        ("true", "false", "false", "9"),
    ]
    assert run.summary["texts_cut"] == 1
    run = run_here("--from-raw", str(tmp_path / "tweets.js"), "--to", str(tmp_path / "defaults"))
    assert run.summary["left_out"] == {"retweets": 1, "replies": 1}


# ---- what has no posts


NO_POSTS: dict[str, tuple[Any, str]] = {
    "users": ({"data": [{"id": "1", "name": "A", "username": "a"}], "meta": {"result_count": 1}}, "users"),
    "v1.1 users": ([{"id_str": "1", "screen_name": "a", "followers_count": 1}], "v1.1 users"),
    "v1.1 users in pages": ({"users": [{"id_str": "1", "screen_name": "a"}], "next_cursor": 0}, "v1.1 users"),
    "counts": ({"data": [{"start": "a", "end": "b", "tweet_count": 3}], "meta": {"total_tweet_count": 3}}, "counts"),
    "counts, new words": ({"data": [{"start": "a", "end": "b", "post_count": 3}]}, "counts"),
    "compliance": (
        {"id": "5", "action": "delete", "created_at": "x", "reason": "deleted"},
        "a compliance job's result",
    ),
    "lists": ({"data": [{"id": "1", "name": "A", "member_count": 3}]}, "lists"),
    "direct messages": ({"data": [{"id": "1", "text": "psst", "event_type": "MessageCreate"}]}, "direct messages"),
    "one direct message": ({"id": "1", "text": "psst", "event_type": "MessageCreate"}, "direct messages"),
    "v1.1 direct messages": ({"type": "message_create", "id": "1", "message_create": {}}, "direct messages"),
    "likes of an archive": ([{"like": {"tweetId": "5", "fullText": "liked"}}], "likes"),
    "a page of errors": ({"errors": [{"title": "Not Found Error", "type": "about:blank"}]}, "errors only"),
    "an empty page": ({"meta": {"result_count": 0}}, "empty v2 pages"),
    "an empty search": ({"statuses": [], "search_metadata": {}}, "empty v1.1 pages"),
    "a notice": ({"delete": {"status": {"id_str": "5"}}}, "notices of a stream"),
    "anything": ({"type": "FeatureCollection"}, "JSON without posts"),
    "ids": (["1", "2"], "JSON without posts"),
}


@pytest.mark.parametrize("shape", NO_POSTS)
def test_what_has_no_posts_is_called_by_its_name(shape: str, tmp_path: Path) -> None:
    document, name = NO_POSTS[shape]
    run, rows = land(tmp_path, document)
    assert (run.code, rows) == (8, []), run.log
    assert name in run.summary["error"] and name in run.summary["not_posts"], run.summary
    assert not (tmp_path / "pages.json.lake/twitter").exists()


def test_a_lake_can_be_read_as_a_whole(tmp_path: Path) -> None:
    """Its raw pages are read, its other files are named."""
    pages = [{"data": [good_post(1), good_post(2), {"id": "x", "text": "a reject"}]}]
    land(tmp_path, pages, "--max-reject-percent", "50", name="lake/pages.json")
    run, rows = land_path(tmp_path / "lake", "--max-reject-percent", "50")
    assert [row["id"] for row in rows] == [good_post(1)["id"], good_post(2)["id"]], run.log
    assert run.summary["not_posts"] == {"the manifest of a day": 1, "rejected posts of an earlier run": 1}
    assert {skipped["reason"] for skipped in run.summary["skipped_files"]} == {"a table or a text", "Parquet"}


# ---- what was met in the field

FIELD_ROWS = {
    "01_array_one_post_per_line.json": 5,
    "02_pretty_page.json": 5,
    "03_folder_mixed": 5,
    "04_folder_skipped": 4,
    "06_bom.jsonl": 5,
    "08_flattened_retweet.jsonl": 1,
    "08_same_as_page.jsonl": 1,
    "09_stream_without_created_at.jsonl": 1,
    "10_v11_compat.jsonl": 1,
    "10_v11_extended_twarc1.jsonl": 1,
    "11_archive": 1,
    "13_v11_mixed_with_v2": 5,
}


@pytest.mark.skipif(not FIELD.is_dir(), reason=f"no inputs in {FIELD}")
@pytest.mark.parametrize("name", FIELD_ROWS)
def test_inputs_from_the_field(name: str, tmp_path: Path) -> None:
    run = run_here("--from-raw", str(FIELD / name), "--to", str(tmp_path), "--include-retweets")
    rows = rows_in(tmp_path)
    assert (run.code, len({row["id"] for row in rows}), run.summary["rejected"]) == (0, FIELD_ROWS[name], 0), run.log


@pytest.mark.skipif(not FIELD.is_dir(), reason=f"no inputs in {FIELD}")
def test_the_flattened_retweet_from_the_field_is_as_from_its_page(tmp_path: Path) -> None:
    for name in ("08_flattened_retweet", "08_same_as_page"):
        run_here("--from-raw", str(FIELD / f"{name}.jsonl"), "--to", str(tmp_path / name), "--include-retweets")
    assert rows_in(tmp_path / "08_flattened_retweet") == rows_in(tmp_path / "08_same_as_page")
