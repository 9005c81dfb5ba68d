"""Where the paging of a window is: when to stop, what to ask next, and that it moves at all."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from ..errors import BadDataError
from ..raw import Page
from .window import Window

log = logging.getLogger(__name__)

EMPTY_PAGES_IN_A_ROW = 20


class Pager:
    """The paging of [start, end), a part of the window where an earlier run has asked for another."""

    def __init__(self, window: Window, start: datetime | None, end: datetime | None) -> None:
        self.endpoint = window.endpoint
        self.label = window.label
        self.newest = window.newest
        self.start = start
        self.end = end
        self.more = True
        self.cut = False
        self.token: str | None = None
        self.until_id: str | None = None  # instead of `end`, when a token was void
        self.posts = 0
        self._oldest_id: int | None = None
        self._tokens: set[str] = set()
        self._pages: set[tuple[str, ...]] = set()
        self._empty_pages = 0

    def take(self, page: Page) -> None:
        """Note a page. Raises BadDataError when a token or a page comes twice: X would be asked (and paid) forever.

        All posts of a page count for --limit and --latest: X has left out what isn't wanted, and bills the rest.
        """
        ids = ids_of(page)
        token = page.next_token
        if self.has_taken(page) or (token and token in self._tokens):
            what = "next_token" if token and token in self._tokens else "page"
            raise BadDataError(
                f"{self.label}: X gave the same {what} twice; going on would never end.",
                hint="Run it again later; if it happens again, report it to X.",
            )
        self._empty_pages = 0 if ids else self._empty_pages + 1
        if token and self._empty_pages >= EMPTY_PAGES_IN_A_ROW:
            raise BadDataError(f"{self.label}: {self._empty_pages} empty pages in a row, each with a next_token.")
        self._pages.add(ids)
        self.posts += len(ids)
        self.token = token
        self.until_id = page.own.get("until_id") or self.until_id
        numbers = [int(text) for text in ids if text.isascii() and text.isdecimal() and len(text) < 30]
        self._oldest_id = min((n for n in (*numbers, self._oldest_id) if n is not None), default=None)
        if token:
            self._tokens.add(token)
        enough = self.newest is not None and self.posts >= self.newest
        self.cut = enough and (bool(token) or self.posts > (self.newest or 0))
        self.more = bool(token) and not enough

    def has_taken(self, page: Page) -> bool:
        """Did the very same posts come before?"""
        return bool(page.posts) and ids_of(page) in self._pages

    def page_size(self) -> int:
        """As many posts as are still wanted, within what the endpoint takes."""
        wanted = self.endpoint.max_results if self.newest is None else self.newest - self.posts
        return max(self.endpoint.min_results, min(self.endpoint.max_results, wanted))

    def parameters(self, size: int) -> dict[str, Any]:
        """What the next request asks for, in tweepy's words: the page after those that came, of `size` posts."""
        return {
            "max_results": size,
            "start_time": self.start,
            "end_time": None if self.until_id else self.end,
            "until_id": self.until_id,
            self.endpoint.token_name: self.token,
        }

    def go_on_by_id(self) -> None:
        """The token is void: ask for what is older than the oldest post that came. No page is paid for again."""
        self.token = None
        self.until_id = str(self._oldest_id) if self._oldest_id is not None else self.until_id
        log.warning(
            "%s: the token of the next page is void; going on below post %s.",
            self.label,
            self.until_id or "(none came yet)",
        )


def ids_of(page: Page) -> tuple[str, ...]:
    return tuple(str(post.get("id")) for post in page.posts)
