"""What hostile pages are made of: the keys of X, odd values for each, and a strategy that puts them together."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stand_ins.x_api.vocabulary import names

# How long the tests of make test search: as long on every machine, and the same pages.
PROFILE = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

KEYS = names(
    "id text author_id created_at data includes users tweets posts errors meta next_token result_count type detail "
    "entities urls hashtags mentions tag username expanded_url url note_tweet note_post public_metrics like_count "
    "retweet_count repost_count reply_count quote_count bookmark_count impression_count referenced_tweets "
    "referenced_posts edit_history_tweet_ids edit_history_post_ids withheld country_codes author possibly_sensitive "
    "in_reply_to_user_id conversation_id lang event_type attachments media media_keys media_key variants "
    "bit_rate content_type preview_image_url article article_title title geo place_id full_name places "
    "__tweetlake __twarc collected_at retrieved_at account "
    "id_str full_text user screen_name statuses retweeted_status quoted_status extended_tweet user_mentions media "
    "in_reply_to_status_id_str quoted_status_permalink indices truncated tweet edit_info noteTweet payload "
    "matching_rules"
)

ODD_TEXTS = {
    "empty": "",
    "NUL": "a\0b",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "line ends of all kinds": "a\nb\r\nc\rd\x0be\x0cf\x1cg\x85h\u2028i\u2029j",
    "a lone high surrogate": "a\ud83db",
    "a lone low surrogate": "a\udc00b",
    "surrogates the wrong way round": "\udc00\ud83d",
    "bidi marks and overrides": "\u202eabc\u202c \u2066x\u2069 \u200f\u200e",
    "zero-width joiners": "👩\u200d👩\u200d👧\u200d👦 e\u0301 \ufeffx",
    "noncharacters": "\ufffe\uffff\U0001ffff\U0010ffff",
    "CSV's own characters": '",;\t\'"" ,"\n"',
    "formulas": "=1+1",
    "entities": "&lt;b&gt; &amp;lt; &#x1F600; &nbsp; &notit; &#0; &#xD800;",
    "an entity of thousands of digits": "&#" + "9" * 5000 + ";",
    "a repost's head": "RT @x: y…",
    "a backslash at the end": "a\\",
    "JSON": '{"id": "1"}',
}
ODD_IDS: list[Any] = [2**53 + 1, 2**63, 2**64 + 1, -1, 0, 1.5e18, True, "9" * 20]
ODD_IDS += ["007", " 7", "7 ", "7\n", "+7", "7.0", "\uff11\uff12"]
ODD_TIMES: list[Any] = [
    *("2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000Z", "2026-03-01T10:00:00.123456Z", "2026-03-01T23:59:60Z"),
    *("2026-03-01T10:00:00", "2026-03-01", "2026-03-01T10:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "Sun Mar 01 10:00:00 +0000 2026"),
    *(1772359200, "", "20260301T100000Z", "2026-W09-7T10:00:00Z"),
]
ODD_NUMBERS: list[Any] = [0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 1e300, 1.0, 0.5, float("nan")]
ODD_NUMBERS += [float("inf"), "12", "-1", "1e3", "9" * 19, "9" * 5000]
WORDS: list[Any] = ["retweeted", "reposted", "replied_to", "quoted", "nasa", "en", None, True, False, {}, []]
ODD_VALUES: list[Any] = [*ODD_TEXTS.values(), *ODD_IDS, *ODD_TIMES, *ODD_NUMBERS, *WORDS]


def good_post(number: int, **more: Any) -> dict[str, Any]:
    """A post in which there is nothing to doubt."""
    return {
        "id": str(2028000000000000000 + number),
        "text": f"post {number}",
        "created_at": "2026-03-01T10:00:00.000Z",
        "author_id": "11348282",
        **more,
    }


def line_of(*posts: Any) -> bytes:
    """A page of these posts, as a line."""
    return json.dumps({"data": posts, "meta": {"result_count": len(posts)}}).encode() + b"\n"


NEIGHBOURS = (line_of(good_post(1), good_post(2)), line_of(good_post(3)))

SEEDS = (
    line_of(*(good_post(n, created_at=value) for n, value in enumerate(ODD_TIMES))),
    line_of(*(good_post(n, id=value) for n, value in enumerate(ODD_IDS))),
    line_of(*(good_post(n, public_metrics={"like_count": value}) for n, value in enumerate(ODD_NUMBERS))),
    line_of(*(good_post(n, text=value, lang=value) for n, value in enumerate(ODD_TEXTS.values()))),
)
"""What the fuzzer begins with, besides its corpus."""

ANYTHING = st.recursive(
    st.sampled_from(ODD_VALUES) | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
IDS = st.sampled_from(ODD_IDS) | st.integers(1, 5).map(lambda n: good_post(n)["id"]) | st.integers(0, 2**64)
REFERENCES = st.lists(st.fixed_dictionaries({}, optional={"type": st.sampled_from(WORDS), "id": IDS}), max_size=3)
TEXTS = st.sampled_from(list(ODD_TEXTS.values())) | st.text(max_size=30)


def _or_anything(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Weighed: a post of which everything is wrong is refused at the first look."""
    return usual | usual | usual | ANYTHING


POST = st.fixed_dictionaries(
    {
        "id": _or_anything(st.integers(1, 9).map(lambda n: good_post(n)["id"])) | IDS,
        "created_at": _or_anything(st.sampled_from(ODD_TIMES[:3])) | st.sampled_from(ODD_TIMES),
        "text": _or_anything(TEXTS),
    },
    optional={
        "author_id": _or_anything(st.just("4")),
        "conversation_id": _or_anything(IDS),
        "lang": _or_anything(TEXTS),
        "public_metrics": _or_anything(
            st.dictionaries(st.sampled_from([key for key in KEYS if "count" in key]), st.sampled_from(ODD_NUMBERS))
        ),
        "referenced_tweets": _or_anything(REFERENCES),
        "referenced_posts": _or_anything(REFERENCES),
        "edit_history_tweet_ids": _or_anything(st.lists(IDS, max_size=3)),
        "entities": ANYTHING,
        "note_tweet": _or_anything(st.fixed_dictionaries({"text": TEXTS}, optional={"entities": ANYTHING})),
        "withheld": ANYTHING,
        "author": ANYTHING,
        "in_reply_to_user_id": ANYTHING,
        "attachments": ANYTHING,
        "article": ANYTHING,
        "geo": ANYTHING,
    },
)
PAGE = st.fixed_dictionaries(
    {"data": _or_anything(st.lists(POST, min_size=1, max_size=4))},
    optional={
        "includes": st.fixed_dictionaries({}, optional={"users": ANYTHING, "tweets": st.lists(POST, max_size=2)})
        | ANYTHING,
        "meta": ANYTHING,
        "errors": ANYTHING,
        "__tweetlake": ANYTHING,
        "__twarc": ANYTHING,
    },
)
