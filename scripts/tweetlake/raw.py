"""Pages of the API as they came: JSON Lines, one page a line. Reading accepts what others keep, too (twarc2).

Known shapes of a line: a response page (`data` a list, or one post of a lookup or a stream), a post by itself
(`twarc2 flatten`), and lines without posts: counts, users, lists, compliance results, pages of errors only.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson

from .errors import BadDataError, UsageError
from .s3 import S3

log = logging.getLogger(__name__)

JsonObject = dict[str, Any]
OWN_KEY = "__tweetlake"  # what we add to a page when we keep it: collected_at, account, request
BAD_LINES_NAMED = 20  # more are only counted
POST_MARKS = ("text", "edit_history_tweet_ids", "edit_history_post_ids", "author_id")
PAGE_BEGINS = (b'{"data":[{', b'{"data": [{')
RAW_SUFFIXES = (".jsonl", ".json", ".ndjson", ".jsonl.gz", ".json.gz", ".ndjson.gz")


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
    line: bytes = b""  # what the posts were read from, while they hold only what a row needs (see decode.py)
    origin: tuple[str, int] = ("", 0)  # file and line, for messages
    is_deferred: bool = False  # only the line is there yet: whoever needs the posts reads it, see read_page
    is_plain: bool = False  # posts, included and media are those of plain.py instead of JSON objects

    def whole_post(self, index: int) -> JsonObject:
        """The post as it came, with all its keys."""
        if self.line:
            self.posts, self.line = page_of(parse_json(self.line)).posts, b""
        return self.posts[index]

    @property
    def next_token(self) -> str | None:
        token = self.meta.get("next_token")
        return token if isinstance(token, str) and token else None


@dataclass
class RawCounts:
    """What was met while reading; `Counter`s, so that a kind never seen isn't named."""

    lines: int = 0
    bad_lines: int = 0
    lines_without_posts: int = 0
    partial_errors: Counter[str] = field(default_factory=Counter)

    def note(self, page: Page) -> None:
        """Count what is on a page."""
        self.lines_without_posts += not page.posts
        self.partial_errors.update(error_kind(error) for error in page.errors)

    def add(self, others: RawCounts) -> None:
        """Count what was met elsewhere."""
        self.lines_without_posts += others.lines_without_posts
        self.partial_errors += others.partial_errors

    def bad_line(self, name: str, number: int, reason: str) -> None:
        """Count a line that can't be read, and name the first of them."""
        self.bad_lines += 1
        if self.bad_lines <= BAD_LINES_NAMED:
            log.warning("%s, line %d can't be read and is left out: %s", name, number, reason)


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


def read_page(line: bytes) -> Page:
    """The page of one line, read the quick way where that is possible. Raises ValueError when it isn't JSON."""
    from .decode import needed_of
    from .plain import plain_page

    if (plain := plain_page(line)) is not None:
        return plain
    if (needed := needed_of(line)) is None:
        return page_of(parse_json(line))
    page = page_of(needed)
    page.line = line
    return page


def looks_like_a_page(line: bytes) -> bool:
    """Does the line look like a page of X, so that its posts may be read later, and elsewhere?"""
    return line.startswith(PAGE_BEGINS) and line.rstrip().endswith(b"}")


def error_kind(error: JsonObject) -> str:
    """not-found, suspended, not-authorized, or the last part of the problem's type. Its host changes over time
    (api.twitter.com, api.x.com), so only the last part counts."""
    problem = str(error.get("type") or "").rstrip("/").rsplit("/", 1)[-1]
    if "suspended" in str(error.get("detail") or "").lower():
        return "suspended"
    kinds = {"resource-not-found": "not-found", "not-authorized-for-resource": "not-authorized"}
    return kinds.get(problem, problem or "unknown")


def read_pages(path: str, counts: RawCounts, s3: S3 | None = None) -> Iterator[Page]:
    """All pages of a file, a folder or, with `s3`, an s3:// prefix, in the order of their names. `counts` fills as it
    goes.

    Raises UsageError when there is nothing to read, BadDataError when not a single line can be read.
    """
    files = 0
    for name, opened in _open_all(path, s3):
        files += 1
        with opened as stream:
            yield from _pages_of_file(name, stream, counts)
    if not files:
        raise UsageError(f"--from-raw {path}: no file of pages there ({', '.join(RAW_SUFFIXES)}).")
    if counts.bad_lines and counts.bad_lines == counts.lines:
        raise BadDataError(f"--from-raw {path}: none of its {counts.lines} lines is JSON.")


def _pages_of_file(name: str, stream: IO[bytes], counts: RawCounts) -> Iterator[Page]:
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            if line.isspace():
                continue
            counts.lines += 1
            if looks_like_a_page(line):
                yield Page([], line=line, origin=(name, number), is_deferred=True)
                continue
            try:
                page = read_page(line)
            except ValueError as error:
                counts.bad_line(name, number, str(error))
                continue
            counts.note(page)
            yield page
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:  # a torn .gz: what came before it is good
        counts.lines += 1
        counts.bad_line(name, number + 1, f"the compressed file is damaged from here on: {error}")
    except OSError as error:
        raise UsageError(f"The pages in {name} can't be read: {error.strerror or error}.") from None


def _open_all(path: str, s3: S3 | None) -> Iterator[tuple[str, AbstractContextManager[IO[bytes]]]]:
    if s3 and path.startswith("s3://"):
        yield from _open_s3(path, s3)
        return
    root = Path(path)
    try:
        if root.is_dir():
            names = sorted(p for p in root.rglob("*") if p.is_file() and p.name.endswith(RAW_SUFFIXES))
        else:
            names = [root]
        for name in names:
            # A page is a long line: read it in large pieces.
            opened = gzip.open(name, "rb") if name.suffix == ".gz" else name.open("rb", 1 << 20)  # noqa: SIM115 (caller)
            yield str(name), cast("IO[bytes]", opened)
    except OSError as error:
        raise UsageError(f"--from-raw {path} can't be read: {error.strerror or error}.") from None


def _open_s3(path: str, s3: S3) -> Iterator[tuple[str, AbstractContextManager[IO[bytes]]]]:
    bucket, _, prefix = path.removeprefix("s3://").partition("/")
    for key in s3.list_keys(bucket, prefix):
        if not key.endswith(RAW_SUFFIXES):
            continue
        body = s3.open_object(bucket, key)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=body)) if key.endswith(".gz") else body
        yield f"s3://{bucket}/{key}", closing(stream)
