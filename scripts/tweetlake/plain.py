"""The quickest way to read a page: posts of which every value has the type X gives it, and nothing is left to check.

Nearly all pages are such. What isn't is read by decode.py or parse_json and becomes rows in transform/rows.py, which
takes anything; this module only has to know when to leave a page to them. A test holds both to the same rows.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from .raw import Page, collected_at_in, objects

Never = Literal["\0 a value that no key has"]  # of keys that aren't plain: whatever they hold is refused
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
ID_DIGITS = 19
# Each day has its month's length; 29 February is left to the others.
_DAY = r"(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])"
TIMES = re.compile(rf"(?:(?:19|20)\d\d-(?:{_DAY})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{{3}}Z)*", re.ASCII)


class Plain(Struct, gc=False):
    """A JSON object of which only these keys are read. Never part of a cycle: the collector needn't look."""


class Tag(Plain):
    tag: str | None = None


class Mention(Plain):
    username: str | None = None


class Link(Plain):
    expanded_url: str | None = None
    url: str | None = None


class Entities(Plain):
    hashtags: list[Tag] | None = None
    mentions: list[Mention] | None = None
    urls: list[Link] | None = None


class Note(Plain):
    text: str
    entities: Entities | UnsetType | None = UNSET


class Reference(Plain):
    type: str
    id: str


class Attachments(Plain):
    media_keys: list[str] | None = None
    media: Never | None = None


class Metrics(Plain):
    like_count: Count | None = None
    retweet_count: Count | None = None
    reply_count: Count | None = None
    quote_count: Count | None = None
    bookmark_count: Count | None = None
    impression_count: Count | None = None
    repost_count: Never | UnsetType = UNSET


class Withheld(Plain):
    country_codes: list[str] | None = None


class Geo(Plain):
    place_id: str | None = None
    full_name: str | None = None


class Included(Plain):
    """A post as it comes along."""

    id: str
    text: str
    note_tweet: Note | None = None
    entities: Entities | None = None
    attachments: Attachments | None = None
    note_post: Never | UnsetType = UNSET


class Post(Plain):
    id: str
    created_at: str
    text: str
    author_id: str | None = None
    lang: str | None = None
    note_tweet: Note | None = None
    entities: Entities | None = None
    attachments: Attachments | None = None
    public_metrics: Metrics | None = None
    conversation_id: str | None = None
    in_reply_to_user_id: str | None = None
    referenced_tweets: list[Reference] | None = None
    edit_history_tweet_ids: list[str] | None = None
    possibly_sensitive: bool | None = None
    withheld: Withheld | None = None
    article: Any = None
    article_title: Any = None
    geo: Geo | None = None
    note_post: Never | UnsetType = UNSET
    referenced_posts: Never | UnsetType = UNSET
    edit_history_post_ids: Never | UnsetType = UNSET
    author: Never | UnsetType = UNSET
    event_type: Never | UnsetType = UNSET


class User(Plain):
    id: str
    username: str


class Variant(Plain):
    content_type: str | None = None
    url: str | None = None
    bit_rate: int | None = None


class Medium(Plain):
    media_key: str
    type: str | None = None
    url: str | None = None
    preview_image_url: str | None = None
    variants: list[Variant] | None = None


class Place(Plain):
    id: str
    full_name: str


class Includes(Plain):
    users: list[User] | None = None
    tweets: list[Included] | None = None
    posts: list[Included] | None = None
    media: list[Medium] | None = None
    places: list[Place] | None = None


class _Page(Plain):
    data: list[Post]
    includes: Includes | None = None
    errors: Any = None
    meta: Any = None
    own: Any = msgspec.field(default=None, name="__tweetlake")
    twarc: Any = msgspec.field(default=None, name="__twarc")


_NOTHING = Includes()
_DECODER = msgspec.json.Decoder(_Page)


def plain_page(line: bytes) -> Page | None:
    """The page of this line, its posts as `Post`; None when anything in it isn't plain."""
    try:
        found = _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not are_plain(found.data):
        return None
    includes = found.includes or _NOTHING
    return Page(
        posts=found.data,  # type: ignore[arg-type]
        users={user.id: user.username for user in includes.users or ()},
        included={post.id: post for post in (*(includes.tweets or ()), *(includes.posts or ()))},
        media={medium.media_key: medium for medium in includes.media or ()},  # type: ignore[misc]
        places={place.id: place.full_name for place in includes.places or ()},
        errors=objects(found.errors),
        meta=found.meta if isinstance(found.meta, dict) else {},
        own=found.own if isinstance(found.own, dict) else {},
        collected_at=collected_at_in(found.own, found.twarc),
        line=line,
        is_plain=True,
    )


def are_plain(posts: list[Post]) -> bool:
    """Are all ids 1 to 19 digits, and all times as X writes them? Asked of the whole page at once, which is quick."""
    ids = [post.id for post in posts]
    for post in posts:
        if post.author_id is not None:
            ids.append(post.author_id)
        if post.conversation_id is not None:
            ids.append(post.conversation_id)
        if post.referenced_tweets:
            ids += [reference.id for reference in post.referenced_tweets]
        if post.edit_history_tweet_ids:
            ids += post.edit_history_tweet_ids
    digits = "".join(ids)
    if ids and not (digits.isdecimal() and digits.isascii() and all(0 < len(text) <= ID_DIGITS for text in ids)):
        return False
    return TIMES.fullmatch("".join([post.created_at for post in posts])) is not None
