"""Pages to measure with: made by the simulator, as large as real ones (3.7 KB a post with every field and expansion).

Always the same bytes for the same number. The first 100,000 posts are made one by one; more are copies of them under
other ids and on other days, so that millions cost seconds. Nothing here is a recorded post.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from stand_ins.x_api.pages import render
from stand_ins.x_api.parameters import MEDIA_FIELDS, USER_FIELDS, Selection
from stand_ins.x_api.posts import build
from stand_ins.x_api.texts import sentence
from stand_ins.x_api.vocabulary import TWEET_EXPANSIONS, TWEET_FIELDS
from stand_ins.x_api.world import Stub, account_named, day_stubs, digest

BASE_POSTS = 100_000
POSTS_PER_PAGE = 100
# Two days whose ids all begin with the same four digits: what makes a copy cheap, see `copies`.
DAYS = (date(2026, 2, 27), date(2026, 2, 28))
ID_PREFIX = b'"2027'
EVERYTHING = Selection(
    post=False,
    fields=frozenset(TWEET_FIELDS),
    expansions=frozenset(TWEET_EXPANSIONS),
    user_fields=frozenset(USER_FIELDS),
    media_fields=frozenset(MEDIA_FIELDS),
)


def base_pages() -> Iterator[bytes]:
    """BASE_POSTS posts of many accounts, newest first, as a search gives them: one page a line."""
    stubs: list[Stub] = []
    account = 0
    while len(stubs) < BASE_POSTS:
        for day in DAYS:
            stubs += day_stubs(account_named(f"bench_{account}"), day)
        account += 1
    stubs = sorted(stubs[:BASE_POSTS], key=lambda stub: stub.id, reverse=True)
    for first in range(0, len(stubs), POSTS_PER_PAGE):
        page = render([build(stub) for stub in stubs[first : first + POSTS_PER_PAGE]], EVERYTHING)
        yield orjson.dumps(as_large_as_real(page)) + b"\n"


def as_large_as_real(page: dict[str, Any]) -> dict[str, Any]:
    """The page with what X's own analysis adds to posts and users, which the simulator leaves out."""
    page = copy.deepcopy(page)
    for post in [*page["data"], *page["includes"].get("tweets", [])]:
        rng = Random(digest("annotations", post["id"]))
        post["context_annotations"] = [annotation(rng) for _ in range(rng.randrange(3, 9))]
        post.setdefault("entities", {})["annotations"] = [
            {"start": 9, "end": 18, "probability": rng.random(), "type": "Place", "normalized_text": "somewhere"}
            for _ in range(rng.randrange(3))
        ]
    for user in page["includes"]["users"]:
        rng = Random(digest("profile", user["id"]))
        user["description"] += " " + sentence(rng) + " " + sentence(rng)
        user["entities"] = {
            "url": {"urls": [link(rng)]},
            "description": {"urls": [link(rng)], "hashtags": [{"start": 9, "end": 16, "tag": "example"}]},
        }
    return page


def annotation(rng: Random) -> dict[str, Any]:
    """What X thinks a post is about."""
    return {
        "domain": {"id": str(rng.randrange(200)), "name": "Subject", "description": sentence(rng)},
        "entity": {"id": str(rng.randrange(10**18)), "name": "Something", "description": sentence(rng)},
    }


def link(rng: Random) -> dict[str, Any]:
    """A link in a profile."""
    short = f"{rng.randrange(10**10):010d}"
    return {
        "start": 0,
        "end": 23,
        "url": f"https://t.co/{short}",
        "expanded_url": f"https://www.example.org/{short}/about",
        "display_url": f"example.org/{short}",
    }


def copies(base: Path, posts: int, *, one_window: bool = False) -> Iterator[bytes]:
    """The base file again and again under other ids until there are so many posts; each copy on days of its own
    (newest first), or all on the same two."""
    number_of_copies = posts // BASE_POSTS
    for number in range(number_of_copies):
        id_prefix = b'"%d' % (int(ID_PREFIX[1:]) + number)
        days_back = timedelta(days=0 if one_window else number * len(DAYS))
        with base.open("rb") as lines:
            for line in lines:
                if number:
                    line = line.replace(ID_PREFIX, id_prefix)
                    for day in DAYS:
                        line = line.replace(b'"%sT' % str(day).encode(), b'"%sT' % str(day - days_back).encode())
                yield line


def write_base(path: Path) -> None:
    """The base file, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        out.writelines(base_pages())
    partial.replace(path)


def main() -> None:
    """python -m benchmarks.pages BASE POSTS --to FILE [--one-window]: write so many posts into a file or a pipe."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("posts", type=int)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--one-window", action="store_true")
    arguments = parser.parse_args()
    with arguments.to.open("wb") as out:
        out.writelines(copies(arguments.base, arguments.posts, one_window=arguments.one_window))


if __name__ == "__main__":
    main()
