"""From raw posts to rows: both vocabularies of the API, full texts, one row per post, newest version only."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ..columns import COLUMN_NAMES, Row
from ..raw import JsonObject, Page, objects
from ..times import time_of_id

CREATED_AT = COLUMN_NAMES.index("created_at")
IS_REPLY = COLUMN_NAMES.index("is_reply")
IS_RETWEET = COLUMN_NAMES.index("is_retweet")
EDIT_HISTORY_IDS = COLUMN_NAMES.index("edit_history_ids")

# X renamed its fields in 2026 and answers in the words it is asked in (new name first: it wins if both are there).
NOTE = ("note_post", "note_tweet")
REFERENCED = ("referenced_posts", "referenced_tweets")
EDIT_HISTORY = ("edit_history_post_ids", "edit_history_tweet_ids")
REPOSTS = ("repost_count", "retweet_count")
NUMBER = re.compile(r"-?[0-9]{1,19}")
ID_DIGITS = 19
INT64_MAX = 2**63 - 1
MAYBE_QUOTED = "maybe quoted"  # an archive has the link to a post, not whether it's a quote


class RowError(ValueError):
    """This post can't become a row; the text is the reason in rejected.jsonl."""


@dataclass(frozen=True)
class Rules:
    """Which posts become rows, and what is known about all of them."""

    include_replies: bool = False
    include_retweets: bool = False
    days: frozenset[date] = frozenset()  # --from-raw with a date: other days are left out; empty: all days
    newest: int | None = None  # --latest, --limit


def reason_to_leave_out(row: Row, rules: Rules) -> str | None:
    """Replies and retweets unless asked for."""
    if row[IS_RETWEET] and not rules.include_retweets:
        return "retweets"
    if row[IS_REPLY] and not rules.include_replies:
        return "replies"
    return None


def collected_at_of(page: Page) -> datetime | None:
    """When the page was asked for, in whole seconds; None when whoever kept it didn't say."""
    try:
        return time_of(page.collected_at, "collected_at").replace(microsecond=0)
    except RowError:
        return None


def row_of(post: JsonObject, page: Page, collected_at: datetime | None) -> Row:
    """One post as a row. What the API left out is None, never 0. Raises RowError when a needed value is unusable."""
    post_id = id_of(post, "id", required=True)
    created_at = time_of(post.get("created_at"), "created_at")
    author_id = id_of(post, "author_id")
    username = username_of(post, author_id, page)
    references = references_of(post)
    original = page.included.get(references.get("retweeted") or "")
    source = original if original is not None else post
    note, entities = note_and_entities(source)
    text = text_of(post, note, original)
    history = id_list(either(post, EDIT_HISTORY))
    metrics = post.get("public_metrics")
    if not isinstance(metrics, dict):
        metrics = {}
    withheld = post.get("withheld")
    media_types, media_urls = media_lists(post, original, page)
    return (
        post_id,
        created_at,
        username,
        author_id,
        text,
        text_or_none(post.get("lang")),
        count_of(metrics.get("like_count"), "like_count"),
        count_of(either(metrics, REPOSTS), REPOSTS[-1]),
        count_of(metrics.get("reply_count"), "reply_count"),
        count_of(metrics.get("quote_count"), "quote_count"),
        count_of(metrics.get("bookmark_count"), "bookmark_count"),
        count_of(metrics.get("impression_count"), "impression_count"),
        "replied_to" in references or bool(post.get("in_reply_to_user_id")),
        "retweeted" in references,
        None if MAYBE_QUOTED in references else "quoted" in references,
        id_of(post, "conversation_id"),
        references.get("retweeted") or references.get("replied_to") or references.get("quoted") or None,
        f"https://x.com/{username or 'i'}/status/{post_id}",
        *entity_lists(entities),
        None if history is None else len(history) > 1,
        history,
        flag_or_none(post.get("possibly_sensitive")),
        texts(withheld.get("country_codes")) if isinstance(withheld, dict) else None,
        collected_at,
        media_types,
        media_urls,
        title_of(post.get("article_title"), post.get("article")),
        place_of(post, page),
    )


def either(item: JsonObject, names: tuple[str, ...]) -> Any:
    """The value under the first of these names that is there."""
    for name in names:
        if name in item:
            return item[name]
    return None


def is_id(value: str) -> bool:
    """1 to 19 digits of ASCII."""
    return len(value) <= ID_DIGITS and value.isdecimal() and value.isascii()


def id_of(item: JsonObject, name: str, *, required: bool = False) -> str | None:
    """An id as text, all 19 digits: as a float, the last ones would be lost. A whole JSON number is taken as it is."""
    value = item.get(name)
    if type(value) is str and len(value) <= ID_DIGITS and value.isdecimal() and value.isascii():
        return value  # as X writes it
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= 10**ID_DIGITS else ""  # str() refuses thousands of digits
    if isinstance(value, str) and is_id(value):
        return value
    if value is None and not required:
        return None
    raise RowError(f"{name} is missing" if value is None else f"{name} isn't a number of 1 to 19 digits")


def id_list(value: Any) -> list[str] | None:
    """A list of ids, or None if there is none."""
    if not isinstance(value, list):
        return None
    return [item for item in map(str, value) if is_id(item)]


def time_of(value: Any, name: str) -> datetime:
    """An ISO 8601 time with its zone, with or without a fraction, as UTC in milliseconds."""
    if value is None:
        raise RowError(f"{name} is missing")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not UTC:
            if moment.tzinfo is None:
                raise ValueError("no zone")
            moment = moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise RowError(f"{name} isn't an ISO 8601 time with a zone") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment.microsecond else moment


def count_of(value: Any, name: str) -> int | None:
    """One public metric. Numbers as text are accepted; anything else that isn't whole is refused."""
    if value is None or (type(value) is int and 0 <= value <= INT64_MAX):
        return value
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > INT64_MAX:
        raise RowError(f"{name} isn't a whole number")
    return value


def text_or_none(value: Any) -> str | None:
    """Text; NUL, which no CSV reader agrees on, becomes U+FFFD."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else None


def flag_or_none(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def texts(value: Any) -> list[str]:
    """The texts in a list, each once, in their order."""
    if not value or not isinstance(value, list):
        return []
    return list(dict.fromkeys(item.replace("\0", "\ufffd") for item in value if isinstance(item, str)))


def references_of(post: JsonObject) -> dict[str, str]:
    """Kind of reference (retweeted, replied_to, quoted) -> id, "" where only the kind is known. New kinds are passed
    over."""
    found: dict[str, str] = {}
    references = either(post, REFERENCED)
    if not references:
        return found
    for reference in objects(references):
        kind = reference.get("type")
        if kind == "reposted":
            kind = "retweeted"
        if isinstance(kind, str):
            found[kind] = id_of(reference, "id") or ""
    return found


def username_of(post: JsonObject, author_id: str | None, page: Page) -> str | None:
    """From the expansion, from a flattened post, or from the account that was asked for."""
    if author_id and (username := page.users.get(author_id)):
        return text_or_none(username)
    author = post.get("author")
    if isinstance(author, dict) and isinstance(author.get("username"), str):
        return text_or_none(author["username"])
    account = page.own.get("account")
    if isinstance(account, dict) and account.get("id") in (None, author_id):
        return text_or_none(account.get("username"))
    return None


def note_and_entities(post: JsonObject) -> tuple[str | None, Any]:
    """The full text of a long post and its entities; `text` and `entities` are cut for those."""
    note = either(post, NOTE)
    if isinstance(note, dict) and isinstance(note.get("text"), str):
        return note["text"], note.get("entities", post.get("entities"))
    return None, post.get("entities")


def text_of(post: JsonObject, note: str | None, original: JsonObject | None) -> str | None:
    """The full text, HTML entities decoded once. A retweet's own text is cut, so "RT @name: " + the original's."""
    text = note if note is not None else post.get("text")
    if original is not None:
        own, full = str(post.get("text") or ""), note if note is not None else original.get("text")
        head, separator, _ = own.partition(": ")
        text = f"{head}: {full}" if separator and head.startswith("RT @") and isinstance(full, str) else own
    return text_or_none(unescape(text)) if isinstance(text, str) else None


def unescape(text: str) -> str:
    """HTML entities decoded once. A text with a number of thousands of digits behind &# stays as it is."""
    try:
        return html.unescape(text)
    except ValueError:
        return text


def entity_lists(entities: Any) -> tuple[list[str] | None, list[str] | None, list[str] | None]:
    """(hashtags, mentions, links), each value once; all None when the API gave no entities."""
    if not isinstance(entities, dict):
        return None, None, None
    hashtags, mentions, urls = entities.get("hashtags"), entities.get("mentions"), entities.get("urls")
    return (
        texts([tag.get("tag") for tag in objects(hashtags)]) if hashtags else [],
        texts([mention.get("username") for mention in objects(mentions)]) if mentions else [],
        texts([url.get("expanded_url") or url.get("url") for url in objects(urls)]) if urls else [],
    )


def media_lists(post: JsonObject, original: JsonObject | None, page: Page) -> tuple[list[str] | None, list[str] | None]:
    """(type, address) of each photo, video and GIF, in their order. Those of a retweet may hang on its original only.

    None when the API gave no attachments, or not what they are.
    """
    attachments = post.get("attachments")
    if attachments is None and original is not None:
        attachments = original.get("attachments")
    if not isinstance(attachments, dict):
        return None, None
    keys = attachments.get("media_keys")
    if "media" in attachments:  # `twarc2 flatten` puts them here
        media = objects(attachments["media"])
    elif isinstance(keys, list):
        media = [page.media[key] for key in keys if isinstance(key, str) and key in page.media]
        if keys and not media:
            return None, None
    else:
        return [], []  # a poll
    types = [text for medium in media if (text := text_or_none(medium.get("type")))]
    return types, texts([address_of(medium) for medium in media])


def address_of(medium: JsonObject) -> Any:
    """Of a photo, of a video's best MP4, or at least of its preview."""
    variants = [v for v in objects(medium.get("variants")) if v.get("content_type") == "video/mp4" and v.get("url")]
    rates = [rate if isinstance(rate := v.get("bit_rate"), int) else 0 for v in variants]
    best = variants[rates.index(max(rates))].get("url") if variants else None
    return medium.get("url") or best or medium.get("preview_image_url")


def title_of(*values: Any) -> str | None:
    """The title of a long article. X describes neither of its fields: it is taken as text, or as `title` within."""
    for value in values:
        title = value.get("title") if isinstance(value, dict) else value
        if isinstance(title, str):
            return text_or_none(unescape(title))
    return None


def place_of(post: JsonObject, page: Page) -> str | None:
    """The full name of the place the author has tagged; `twarc2 flatten` writes it into `geo`."""
    geo = post.get("geo")
    if not isinstance(geo, dict):
        return None
    place_id = geo.get("place_id")
    known = page.places.get(place_id) if isinstance(place_id, str) else None
    return text_or_none(known if known is not None else geo.get("full_name"))


def day_of_post(post: JsonObject) -> date | None:
    """The UTC day of a post that can't be a row: from created_at, else from its id."""
    try:
        return time_of(post.get("created_at"), "created_at").date()
    except RowError:
        pass
    try:
        return day_of_id(int(id_of(post, "id", required=True) or 0))
    except RowError:
        return None


def day_of_id(number: int) -> date | None:
    """The UTC day of a post, by its id; None for those from before ids held their time."""
    moment = time_of_id(number)
    return moment.date() if moment else None
