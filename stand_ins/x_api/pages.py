"""One page of posts: which posts stand on it, and what of them is shown."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .parameters import Selection, make_token
from .posts import Post, build, user_body
from .vocabulary import to_post_vocabulary
from .world import Account, Stub, account_with, digest

SCAN_LIMIT = 20_000
"""Posts looked at for one page; a search that finds nothing among them gives a short page and goes on."""

DEFAULT_FIELDS = frozenset({"id", "text", "edit_history_tweet_ids"})
DEFAULT_USER_FIELDS = frozenset({"id", "name", "username"})
DEFAULT_MEDIA_FIELDS = frozenset({"media_key", "type"})
DEFAULT_PLACE_FIELDS = frozenset({"id", "full_name"})
SHOWN_BY_EXPANSION = {
    "author_id": "author_id",
    "in_reply_to_user_id": "in_reply_to_user_id",
    "referenced_tweets.id": "referenced_tweets",
    "referenced_tweets.id.author_id": "referenced_tweets",
    "edit_history_tweet_ids": "edit_history_tweet_ids",
    "entities.mentions.username": "entities",
    "attachments.media_keys": "attachments",
    "geo.place_id": "geo",
}
"""An expansion shows the field it expands; in the post vocabulary it is the only way to some of them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a page is read: `size` posts at most, of `scan` posts that are looked at; `scope` binds its next_token."""

    size: int
    scope: str
    scan: int = SCAN_LIMIT


def make_page(
    stubs: Iterator[Stub], test: Callable[[Stub], bool], reading: Reading, selected: Selection
) -> dict[str, Any]:
    """The page of matching posts from `stubs` (newest first). With few matches it's short, or empty, and goes on."""
    size = wanted = reading.size
    found: list[Stub] = []
    last_seen: Stub | None = None
    more = False
    for stub in islice(stubs, reading.scan):
        if test(stub):
            if not found:
                wanted = size - _shortfall(size, stub.id)
            if len(found) == wanted:
                more = True
                break
            found.append(stub)
        last_seen = stub
    else:
        more = next(stubs, None) is not None
    body = render([build(stub) for stub in found], selected)
    if more and last_seen is not None:
        body["meta"]["next_token"] = make_token(reading.scope, last_seen.id)
    return body


def _shortfall(size: int, first_id: int) -> int:
    """Every third page or so comes short although more follow, as X's pages do (97 of 100, 474 of 500 recorded)."""
    number = digest("short", first_id)
    return 1 + number % (size // 20 + 1) if size >= 10 and number % 3 == 0 else 0


def empty_page() -> dict[str, Any]:
    """A page without posts: neither `data` nor the ids in `meta`."""
    return {"meta": {"result_count": 0}}


def render(posts: list[Post], selected: Selection) -> dict[str, Any]:
    """The answer for these posts with what was asked for, in the vocabulary that was asked in."""
    if not posts:
        return empty_page()
    shown = DEFAULT_FIELDS | selected.fields
    shown |= {SHOWN_BY_EXPANSION[name] for name in selected.expansions if name in SHOWN_BY_EXPANSION}
    body: dict[str, Any] = {"data": [_only(post.body, shown) for post in posts]}
    includes = _includes(posts, selected, shown)
    if includes:
        body["includes"] = includes
    problems = [p for post in posts for name in sorted(selected.expansions) for p in post.problems.get(name, ())]
    if problems:
        body["errors"] = list({problem["value"]: problem for problem in problems}.values())
    ids = [post["id"] for post in body["data"]]
    body["meta"] = {"result_count": len(posts), "newest_id": ids[0], "oldest_id": ids[-1]}
    return to_post_vocabulary(body) if selected.post else body


def _only(body: dict[str, Any], shown: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name in shown}


def _includes(posts: list[Post], selected: Selection, shown: frozenset[str]) -> dict[str, Any]:
    expansions = selected.expansions
    accounts: list[Account] = []
    tweets: list[dict[str, Any]] = []
    media: list[dict[str, Any]] = []
    places: list[dict[str, Any]] = []
    for post in posts:
        referenced = post.referenced if expansions & _REFERENCED else []
        tweets += referenced
        if "edit_history_tweet_ids" in expansions:
            tweets += post.versions
        if "author_id" in expansions:
            accounts.append(account_with(post.body["author_id"]))
        if "referenced_tweets.id.author_id" in expansions:
            accounts += [account_with(tweet["author_id"]) for tweet in referenced]
        if "in_reply_to_user_id" in expansions and "in_reply_to_user_id" in post.body:
            accounts.append(account_with(post.body["in_reply_to_user_id"]))
        if "entities.mentions.username" in expansions:
            accounts += [account for account in post.mentioned if account.kind != "suspended"]
        if "attachments.media_keys" in expansions:
            media += post.media
        if "geo.place_id" in expansions:
            places += post.places
    user_fields = DEFAULT_USER_FIELDS | selected.user_fields
    media_fields = DEFAULT_MEDIA_FIELDS | selected.media_fields
    place_fields = DEFAULT_PLACE_FIELDS | selected.place_fields
    includes = {
        "users": [_only(user_body(account), user_fields) for account in dict.fromkeys(accounts)],
        "tweets": [_only(tweet, shown) for tweet in _each_once(tweets, "id")],
        "media": [_only(item, media_fields) for item in _each_once(media, "media_key")],
        "places": [_only(place, place_fields) for place in _each_once(places, "id")],
    }
    return {kind: items for kind, items in includes.items() if items}


_REFERENCED = {"referenced_tweets.id", "referenced_tweets.id.author_id"}


def _each_once(items: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return list({item[key]: item for item in items}.values())
