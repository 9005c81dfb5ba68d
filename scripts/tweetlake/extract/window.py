"""A window: one source on one UTC day, or its latest posts, and all that follows from it, decided once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from ..errors import UsageError
from ..raw import JsonObject
from ..settings import Settings, Source
from ..times import bounds_of
from .endpoints import (
    ARCHIVE_BEGIN,
    RECENT,
    RECENT_SEARCH,
    TIMELINE,
    TIMELINE_BEGIN,
    TIMELINE_DEPTH,
    TIMELINE_DEPTH_WITHOUT_REPLIES,
    Endpoint,
    check_query,
    endpoint_of,
    excluded_of,
    query_of,
)
from .fields import FIELDS, FREE_EXPANSIONS
from .prices import PRICE_USD


@dataclass(frozen=True)
class Window:
    """What X is asked, within [start, end), and what a post of it costs."""

    source: Source
    day: date | None  # None: the latest posts
    run_day: date  # names the latest posts
    latest: int | None
    limit: int | None
    newest: int | None  # how many posts are wanted at most, the newest; None for all
    endpoint: Endpoint
    start: datetime | None  # None: as far back as the endpoint goes
    end: datetime | None  # None: up to now
    post_usd: float
    signer_id: str  # the user that signs with OAuth 1.0a; "" where that isn't known
    land_incomplete: bool = False  # what came before X stopped showing the account

    @classmethod
    def of(cls, settings: Settings, day: date | None, now: datetime) -> Window:
        """The window of that day, None for the latest posts. Raises UsageError for what X can't give."""
        source = settings.source
        endpoint = endpoint_of(source)
        start, end = bounds_at_x(endpoint, day, now) if day else (ARCHIVE_BEGIN if source.archive else None, None)
        window = cls(
            source=source,
            day=day,
            run_day=settings.run_day,
            latest=settings.latest,
            limit=settings.limit,
            newest=settings.newest,
            endpoint=endpoint,
            start=start,
            end=end,
            post_usd=PRICE_USD["owned_post" if endpoint is TIMELINE and is_owned(settings) else "post"],
            signer_id=signer_of(settings),
            land_incomplete=settings.land_incomplete,
        )
        window.refuse_too_much()
        return window

    def refuse_too_much(self) -> None:
        """Raise UsageError for more posts or a longer query than the endpoint takes."""
        if self.depth and self.latest and self.latest > self.depth:
            raise UsageError(
                f"--latest {self.latest}: a timeline gives the newest {self.depth} posts only.",
                hint="Use --archive for more, or --include-replies (3,200).",
            )
        check_query(self.source)

    def priced_for(self, user_id: str | None) -> Window:
        """The same, now that the account's id is known: a signature can show that it belongs to somebody else, whose
        reads aren't the owner's."""
        stranger = bool(self.signer_id) and user_id is not None and user_id != self.signer_id
        return replace(self, post_usd=PRICE_USD["post"]) if stranger else self

    @property
    def label(self) -> str:
        """For people: nasa 2026-08-20."""
        return f"{self.source.label} {self.day or 'latest'}"

    @property
    def depth(self) -> int | None:
        """How many posts back a timeline goes; None for a search, which has no such end."""
        if self.endpoint is not TIMELINE:
            return None
        return TIMELINE_DEPTH if self.source.include_replies else TIMELINE_DEPTH_WITHOUT_REPLIES

    @property
    def excluded(self) -> list[str]:
        """What X leaves out, in the words of a timeline's `exclude`."""
        return excluded_of(self.source)

    @property
    def query(self) -> str | None:
        """The search with its `-is:` operators; None for a timeline."""
        return query_of(self.source)

    @property
    def expansions(self) -> list[str]:
        """Authors only for a search: those of a timeline are known, and expanded users may be billed."""
        authors = self.source.account is None
        return ["author_id"] * authors + ["referenced_tweets.id"] * self.source.include_retweets

    @property
    def worst_post_usd(self) -> float:
        """A post with all that may come along and may be billed: its author, and two posts (answered and quoted)."""
        users, posts = "author_id" in self.expansions, 2 * ("referenced_tweets.id" in self.expansions)
        return self.post_usd + users * PRICE_USD["user"] + posts * PRICE_USD["post"]

    @property
    def parameters(self) -> dict[str, Any]:
        """What every request of the window asks for, in tweepy's words."""
        return FIELDS | {"expansions": [*FREE_EXPANSIONS, *self.expansions]}

    @property
    def identity(self) -> JsonObject:
        """All that makes two runs of one base address ask for the same posts."""
        return {
            "account": (self.source.account or "").lower(),
            "query": self.source.query,
            "name": self.source.name,
            "day": str(self.day or self.run_day),
            "latest": self.latest,
            "limit": self.limit,
            "include": [self.source.include_replies, self.source.include_retweets],
            "archive": self.source.archive,
        }


def windows_of(settings: Settings, now: datetime, landed: Collection[date] = ()) -> list[Window]:
    """A window for each day of the run but those that are landed, oldest first, or one for the latest posts. Raises
    UsageError for what X can't give: before anything is paid, and for the last day as well as for the first."""
    days: list[date | None] = list(settings.days) or [None]
    return [Window.of(settings, day, now) for day in days if day not in landed]


def bounds_at_x(endpoint: Endpoint, day: date, now: datetime) -> tuple[datetime, datetime]:
    """The part [start, end) of a UTC day that X can give now. Raises UsageError when it's none."""
    start, end = bounds_of(day)
    end = min(end, now.replace(microsecond=0) - endpoint.settled)
    if end <= start:
        raise UsageError(f"{day} has only just begun (UTC).", hint="Run it again in a minute.")
    if endpoint is RECENT and start < now - RECENT_SEARCH:
        raise UsageError(
            f"Recent search gives the last 7 days; {day} begins before that.",
            hint="Use --archive (full-archive search, bearer token only, same price).",
        )
    if endpoint is TIMELINE and start < TIMELINE_BEGIN:
        raise UsageError(f"Timelines begin on {TIMELINE_BEGIN:%Y-%m-%d}.", hint="Use --archive for earlier days.")
    return start, end


def is_over(source: Source, day: date, now: datetime) -> bool:
    """Does X give all of this UTC day now?"""
    return now - endpoint_of(source).settled >= bounds_of(day)[1]


def is_owned(settings: Settings) -> bool:
    """Does the account own the X app (X_APP_OWNER), and is it asked as a user? "Owned reads" are cheaper."""
    owner, account = settings.app_owner, settings.source.account
    return bool(owner and account and owner.lower() == account.lower() and settings.credentials.user_context)


def signer_of(settings: Settings) -> str:
    """The id of the user that signs: X puts it in front of an OAuth 1.0a access token. "" where there is none."""
    signer = (settings.credentials.access_token or "").partition("-")[0] if settings.credentials.signs else ""
    return signer if signer.isdecimal() else ""
