"""Where the paging of a window is: when to stop, what to ask next, and that it moves at all."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from ..errors import BadDataError
from ..raw import JsonObject, Page
from ..times import iso, moment_of
from .window import Window

log = logging.getLogger(__name__)

# Without replies a timeline reaches 800 posts; in pages of 5, all of them may be left out.
FRUITLESS_PAGES_IN_A_ROW = 200


class Pager:
    """The paging of [start, end), a part of the window where an earlier run has asked for another."""

    def __init__(self, window: Window, start: datetime | None, end: datetime | None) -> None:
        self.endpoint = window.endpoint
        self.label = window.label
        self.newest = window.newest
        self.start = start
        self.end = end
        self.asked_end = end  # later, where X's clock was behind: tokens belong to what was asked
        self.more = True
        self.cut = False
        self.token: str | None = None
        # Instead of `end`, once a token was void: posts before this one, or before this second.
        self.until_id: str | None = None
        self.until_time: datetime | None = None
        self.posts = 0
        self._ids: set[str] = set()
        self._oldest_id: int | None = None
        self._oldest_time: datetime | None = None
        self._tokens: set[str] = set()
        self._pages: set[tuple[str, ...]] = set()
        self._fruitless_pages = 0
        self._posts_before: int | None = None  # how many there were when a token was void the last time

    def take(self, page: Page) -> int:
        """Note a page; returns how many of its posts are new. Raises BadDataError when a token or a page comes twice: X
        would be asked (and paid) forever.

        All new posts of a page count for --limit and --latest: X has left out what isn't wanted, and bills the rest.
        """
        self._follow(page)
        ids = ids_of(page)
        token = page.next_token
        if self.has_taken(page) or (token and token in self._tokens):
            raise self._endless("next_token" if token and token in self._tokens else "page")
        new = len(set(ids) - self._ids)
        self._fruitless_pages = 0 if new else self._fruitless_pages + 1
        if token and self._fruitless_pages >= FRUITLESS_PAGES_IN_A_ROW:
            raise BadDataError(
                f"{self.label}: {self._fruitless_pages} pages in a row without a new post, each with a next_token.",
                hint="Run it again later; if it happens again, report it to X.",
            )
        self._pages.add(ids)
        self._ids.update(ids)
        self._note_oldest(page)
        self.posts += new
        self.token = token
        if token:
            self._tokens.add(token)
        enough = self.newest is not None and self.posts >= self.newest
        self.cut = enough and (bool(token) or self.posts > (self.newest or 0))
        self.more = bool(token) and not enough
        return new

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
            "end_time": None if self.until_id else self.until_time or self.asked_end,
            "until_id": self.until_id,
            self.endpoint.token_name: self.token,
        }

    @property
    def bounds(self) -> JsonObject:
        """What `parameters` asked for, for the page's own notes: a later run goes on with the same."""
        asked_end = None if self.asked_end == self.end else iso(self.asked_end)
        instead = {"until_id": self.until_id, "until_time": iso(self.until_time), "asked_end": asked_end}
        return {"start": iso(self.start), "end": iso(self.end)} | {k: v for k, v in instead.items() if v}

    def shorten(self, reach: datetime) -> bool:
        """X has nothing after `reach` yet, whatever was asked. Returns whether that is new, which only the first page
        can tell: what comes after it is older."""
        if self.end is None or self.posts or self.token or reach >= self.end:
            return False
        reach = reach.replace(microsecond=0)
        before, self.end = self.end, max(reach, self.start) if self.start else reach
        return self.end < before

    def go_on(self) -> None:
        """The token is void: ask for what is older than the oldest post that came.

        A timeline takes that post's id, and no page comes again. A search takes no id beside a time: it is asked by the
        second, and posts of that second come again, which X doesn't bill again on the same day. Raises BadDataError
        when nothing has come since this was done before.
        """
        if self._posts_before == self.posts:
            raise self._endless("page")
        self._posts_before = self.posts
        self.token = None
        if self.endpoint.ids_beside_times:
            self.until_id = str(self._oldest_id) if self._oldest_id is not None else self.until_id
        elif self._oldest_time:
            self._walk_anew(self._oldest_time.replace(microsecond=0) + timedelta(seconds=1))
        log.warning(
            "%s: the token of the next page is void; going on below post %s.",
            self.label,
            self._oldest_id or "(none came yet)",
        )

    def _follow(self, page: Page) -> None:
        """A page of an earlier run says how it was asked for."""
        self.until_id = page.own.get("until_id") or self.until_id
        self.asked_end = moment_of(page.own.get("asked_end")) or self.asked_end
        if (until_time := moment_of(page.own.get("until_time"))) and until_time != self.until_time:
            self._walk_anew(until_time)

    def _walk_anew(self, until_time: datetime) -> None:
        """From here on, pages are cut in another way: one that was there before is no sign of going in a circle."""
        self.until_time = until_time
        self._pages.clear()
        self._tokens.clear()

    def _note_oldest(self, page: Page) -> None:
        numbers = [int(text) for text in ids_of(page) if text.isascii() and text.isdecimal() and len(text) < 30]
        self._oldest_id = min((n for n in (*numbers, self._oldest_id) if n is not None), default=None)
        times = [moment_of(post.get("created_at")) for post in page.posts]
        self._oldest_time = min((t for t in (*times, self._oldest_time) if t is not None), default=None)

    def _endless(self, what: str) -> BadDataError:
        return BadDataError(
            f"{self.label}: X gave the same {what} twice; going on would never end.",
            hint="Run it again later; if it happens again, report it to X.",
        )


def ids_of(page: Page) -> tuple[str, ...]:
    return tuple(str(post.get("id")) for post in page.posts)
