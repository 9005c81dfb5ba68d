"""Words for made-up posts, and how a text with hashtags, mentions and links becomes `text` plus `entities`.

As on X, `text` is HTML-escaped (`&amp; &lt; &gt;`) and entity positions count code points of that escaped text
(checked against recorded pages: all 77 hashtags behind an escape).
"""

import html
from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

SENTENCES = (
    "The telescope opens tonight if the clouds stay away",
    "New data from the weather balloon are in",
    "Our small garden on the roof had a good year",
    "Somebody left a red umbrella at the station again",
    "The ferry leaves ten minutes late today",
    "We measured the river this morning and it is falling",
    "Bread recipe, third attempt, this time with more patience",
    "The museum is free on the first Sunday of the month",
    "Fog over the harbour, lights on at noon",
    "A short walk is better than a long plan",
    "Two swans have moved into the canal",
    "Maintenance is done, all trains run again",
)
FOREIGN = (
    ("ja", "今夜は星がよく見えます。望遠鏡を持って行こう"),
    ("ar", "السماء صافية هذه الليلة"),
    ("pt", "Amanhã chove de manhã, à tarde há sol"),
    ("ko", "오늘 밤 하늘이 아주 맑아요"),
    ("de", "Die Fähre fährt heute zehn Minuten später"),
)
EMOJI = ("🚀", "🌧️", "👩🏽‍🚀", "🏳️‍🌈", "🇧🇷", "😀", "✨", "☕")
TAGS = ("Weather", "Astronomy", "Garden", "OpenData", "Космос", "天文")
CASHTAGS = ("ACME", "XMPL")
FRIENDS = ("skywatcher", "harbour_news", "breadlab", "rivergauge", "night_train", "cloud_atlas")
SOURCES = ("X Web App", "X for iPhone", "X for Android")


class Hashtag(NamedTuple):
    tag: str


class Cashtag(NamedTuple):
    tag: str


class Mention(NamedTuple):
    username: str
    id: str


class Link(NamedTuple):
    """A link as written; on X the text shows a t.co address instead."""

    code: str
    url: str


Piece = str | Hashtag | Cashtag | Mention | Link


def sentence(rng: Random) -> str:
    return rng.choice(SENTENCES)


def link(rng: Random) -> Link:
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    code = "".join(rng.choices(alphabet, k=10))
    return Link(code, f"https://example.org/{rng.choice(('story', 'map', 'log'))}/{rng.randrange(10_000)}?a=1&b=2")


def compose(pieces: Iterable[Piece], limit: int | None = None) -> tuple[str, dict[str, Any]]:
    """The escaped text and its entities; with `limit` the text is cut there (in written characters) and ends in `…`."""
    text, written = "", 0
    entities: dict[str, Any] = {}
    for piece in pieces:
        shown = _shown(piece)
        if limit is not None and written + len(shown) > limit:
            cut = shown[: limit - written] if isinstance(piece, str) else ""
            return text + html.escape(cut, quote=False) + "…", entities
        escaped = html.escape(shown, quote=False)
        if not isinstance(piece, str):
            kind, fields = _entity(piece)
            entities.setdefault(kind, []).append({"start": len(text), "end": len(text) + len(escaped), **fields})
        text += escaped
        written += len(shown)
    return text, entities


def _shown(piece: Piece) -> str:
    match piece:
        case Hashtag(tag):
            return f"#{tag}"
        case Cashtag(tag):
            return f"${tag}"
        case Mention(username, _):
            return f"@{username}"
        case Link(code, _):
            return f"https://t.co/{code}"
        case _:
            return piece


def _entity(piece: Hashtag | Cashtag | Mention | Link) -> tuple[str, dict[str, Any]]:
    match piece:
        case Hashtag(tag):
            return "hashtags", {"tag": tag}
        case Cashtag(tag):
            return "cashtags", {"tag": tag}
        case Mention(username, user_id):
            return "mentions", {"username": username, "id": user_id}
        case Link(code, url):
            shown = url.removeprefix("https://")[:26] + "…"
            return "urls", {"url": f"https://t.co/{code}", "expanded_url": url, "display_url": shown}
