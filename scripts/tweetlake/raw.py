"""Pages of posts: the common language of the chapters, whatever they were read from.

A page of the API (`data` a list, or one post of a lookup or a stream) or a post by itself becomes a Page here; what
else people keep is brought into the same shape by reading/formats.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from .errors import BadDataError

JsonObject = dict[str, Any]
OWN_KEY = "__tweetlake"  # what we add to a page when we keep it: collected_at, account, request
POST_MARKS = ("text", "edit_history_tweet_ids", "edit_history_post_ids", "author_id")
REPLACED = "_replaced"  # a folder of pages that others have replaced: kept, and not read with the rest


@dataclass
class Page:
    """One page, its posts still raw."""

    posts: list[JsonObject]
    users: dict[str, str] = field(default_factory=dict)  # id -> username
    included: dict[str, JsonObject] = field(default_factory=dict)  # posts of `includes`, by id
    media: dict[str, JsonObject] = field(default_factory=dict)  # of `includes`, by media_key
    places: dict[str, str] = field(default_factory=dict)  # id -> full name
    errors: list[JsonObject] = field(default_factory=list)
    meta: JsonObject = field(default_factory=dict)
    own: JsonObject = field(default_factory=dict)  # what OWN_KEY holds
    collected_at: str | None = None
    kind: str = "v2 pages"  # the format, or for want of posts what it is instead
    dated_by_id: int = 0  # posts whose created_at was made from their id
    cut_texts: int = 0  # posts that are known to be longer than the text that came
    line: bytes = b""  # what the posts were read from, while they hold only what a row needs (see decode.py)
    is_plain: bool = False  # posts, included and media are those of plain.py instead of JSON objects
    originals: list[JsonObject] = field(default_factory=list)  # the posts before they were brought into this shape

    def whole_post(self, index: int) -> JsonObject:
        """The post as it came, with all its keys."""
        if self.line:
            self.posts, self.line = page_of(parse_json(self.line)).posts, b""
        return (self.originals or self.posts)[index]

    @property
    def next_token(self) -> str | None:
        token = self.meta.get("next_token")
        return token if isinstance(token, str) and token else None


@dataclass
class RawCounts:
    """What was met while reading; `Counter`s, so that a kind never seen isn't named."""

    documents: int = 0  # JSON documents, those that can't be read included
    unreadable: int = 0
    formats: Counter[str] = field(default_factory=Counter)  # posts by the format they came in
    without_posts: Counter[str] = field(default_factory=Counter)  # documents by what they are instead
    skipped_files: dict[str, str] = field(default_factory=dict)  # the reason by name
    dated_by_id: int = 0
    cut_texts: int = 0
    partial_errors: Counter[str] = field(default_factory=Counter)

    def add(self, others: RawCounts) -> None:
        """What was met in another part of the same files."""
        for counted in fields(self):
            mine, theirs = getattr(self, counted.name), getattr(others, counted.name)
            if isinstance(mine, int):
                setattr(self, counted.name, mine + theirs)
            else:
                mine.update(theirs)

    def facts(self) -> JsonObject:
        """For the manifest and the summary. `bad_lines` has kept its name: they were lines once."""
        seldom = {"created_at_from_id": self.dated_by_id, "texts_cut": self.cut_texts}
        return {
            "bad_lines": self.unreadable,
            "formats": dict(sorted(self.formats.items())),  # sorted: not as the processes of --jobs came to them
            "partial_errors": dict(sorted(self.partial_errors.items())),
            **{name: posts for name, posts in seldom.items() if posts},
        }

    def instead(self) -> str:
        """What was there in the place of posts, for a message."""
        found = [f"{documents} x {name}" for name, documents in self.without_posts.most_common(5)]
        found += [f"{self.unreadable} unreadable"] * bool(self.unreadable)
        found += dict.fromkeys(self.skipped_files.values())
        return f" but {', '.join(found[:10])}" if found else ""


def parse_json(line: bytes) -> Any:
    """One JSON document. orjson is strict (no lone surrogates, no bad UTF-8); what it refuses gets a second, lenient
    reading in which broken characters become U+FFFD: a post isn't lost for one bad character.

    Raises ValueError when it isn't JSON at all.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:
        return _without_surrogates(json.loads(line.decode("utf-8", errors="replace")))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dump_json(document: JsonObject) -> bytes:
    """One line of JSON, without its line break. Whole numbers above 64 bits are beyond orjson, not beyond JSON."""
    try:
        return orjson.dumps(document, default=str)
    except TypeError:
        pass
    try:
        return json.dumps(document, default=str).encode()
    except RecursionError:
        raise BadDataError("A page is nested too deeply to be kept.") from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def objects(value: Any) -> list[JsonObject]:
    """The JSON objects in a list; a single object is a list of one; anything else is none."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_post(item: JsonObject) -> bool:
    """Posts have a text or an author; users, lists, counts and compliance results have neither. Direct messages have
    both and an event type."""
    return any(mark in item for mark in POST_MARKS) and "event_type" not in item


def page_of(document: Any) -> Page:
    """Sort one parsed line into its parts. Never raises: what isn't understood is left out."""
    if isinstance(document, list):
        return Page(posts=[item for item in objects(document) if is_post(item)])
    if not isinstance(document, dict):
        return Page(posts=[])
    own = document.get(OWN_KEY)
    page = Page(
        posts=[],
        errors=objects(document.get("errors")),
        own=own if isinstance(own, dict) else {},
        collected_at=collected_at_in(own, document.get("__twarc")),
    )
    # A page may have no `data` and still a next_token: X leaves out what is empty.
    candidates = objects(document["data"]) if "data" in document else [document]
    page.posts = [item for item in candidates if is_post(item)]
    if isinstance(meta := document.get("meta"), dict):
        page.meta = meta
    if isinstance(includes := document.get("includes"), dict):
        for user in objects(includes.get("users")):
            user_id, username = user.get("id"), user.get("username")
            if isinstance(username, str) and isinstance(user_id, str | int):
                page.users[str(user_id)] = username
        for post in objects(includes.get("tweets")) + objects(includes.get("posts")):
            if isinstance(post.get("id"), str | int):
                page.included[str(post["id"])] = post
        for medium in objects(includes.get("media")):
            if isinstance(key := medium.get("media_key"), str):
                page.media[key] = medium
        for place in objects(includes.get("places")):
            place_id, full_name = place.get("id"), place.get("full_name")
            if isinstance(place_id, str) and isinstance(full_name, str):
                page.places[place_id] = full_name
    return page


def collected_at_in(own: Any, twarc: Any) -> str | None:
    """When the page was asked for, by what this program or twarc2 has added to it."""
    collected_at = None
    if isinstance(own, dict):
        collected_at = own.get("collected_at")
    elif isinstance(twarc, dict):
        collected_at = twarc.get("retrieved_at")
    return collected_at if isinstance(collected_at, str) else None


def error_kind(error: JsonObject) -> str:
    """not-found, suspended, not-authorized, or the last part of the problem's type. Its host changes over time
    (api.twitter.com, api.x.com), so only the last part counts."""
    problem = str(error.get("type") or "").rstrip("/").rsplit("/", 1)[-1]
    if "suspended" in str(error.get("detail") or "").lower():
        return "suspended"
    kinds = {"resource-not-found": "not-found", "not-authorized-for-resource": "not-authorized"}
    return kinds.get(problem, problem or "unknown")
