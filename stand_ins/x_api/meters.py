"""What X counts: requests per 15 minutes, and money."""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

WINDOW_SECONDS = 900

LIMITS: dict[str, tuple[int, int | None]] = {
    "timeline": (10_000, 900),
    "user": (300, 900),
    "search_recent": (450, 300),
    "search_all": (300, None),
    "counts_recent": (300, None),
    "usage": (50, None),
    "credits": (30, None),
}
"""Requests per 15 minutes and endpoint: as an app, as a user (None: an app only)."""

POST_USD = 0.005
OWNED_POST_USD = 0.001
USER_USD = 0.010
COUNTS_REQUEST_USD = 0.005
MONTHLY_CAP_POSTS = 3_000_000


class RateLimiter:
    """Fixed windows of 15 minutes from the first request on; search/all also takes one request a second only.

    A second request within the second is refused with the headers of the 15 minutes: some are left, and the reset is
    theirs (twitter-api-typescript-sdk#4)."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        self._last_search_all: float = -math.inf

    def admit(self, endpoint: str, caller: str, now: float) -> tuple[bool, dict[str, str]]:
        """Whether the request may pass, and the x-rate-limit-* headers of its answer; `now` in seconds since 1970."""
        as_app, as_user = LIMITS[endpoint]
        limit = as_user if caller == "user" and as_user is not None else as_app
        opened, used = self._windows.get((endpoint, caller), (now, 0))
        if now - opened >= WINDOW_SECONDS:
            opened, used = now, 0
        if endpoint == "search_all" and now - self._last_search_all < 1:
            return False, rate_headers(limit, limit - used, opened + WINDOW_SECONDS)
        admitted = used < limit
        if admitted:
            used += 1
            if endpoint == "search_all":
                self._last_search_all = now
        self._windows[endpoint, caller] = (opened, used)
        return admitted, rate_headers(limit, limit - used, opened + WINDOW_SECONDS)


def rate_headers(limit: int, remaining: int, reset: float, kind: str = "x-rate-limit") -> dict[str, str]:
    """`reset` in seconds since 1970; X sends whole seconds."""
    return {f"{kind}-limit": str(limit), f"{kind}-remaining": str(remaining), f"{kind}-reset": str(math.ceil(reset))}


@dataclass(slots=True)
class Bill:
    """What was read and what it costs. The same resource is charged once per UTC day; expansions are not charged."""

    posts: int = 0
    users: int = 0
    counts_requests: int = 0
    cost_usd: float = 0.0
    posts_by_day: Counter[date] = field(default_factory=Counter)
    _charged: set[tuple[date, str, str]] = field(default_factory=set)

    def charge_posts(self, ids: list[str], now: datetime, *, owned: bool) -> None:
        new = self._first_today("post", ids, now)
        self.posts += new
        self.posts_by_day[now.date()] += new
        self.cost_usd += new * (OWNED_POST_USD if owned else POST_USD)

    def charge_users(self, ids: list[str], now: datetime) -> None:
        new = self._first_today("user", ids, now)
        self.users += new
        self.cost_usd += new * USER_USD

    def charge_counts(self) -> None:
        self.counts_requests += 1
        self.cost_usd += COUNTS_REQUEST_USD

    def _first_today(self, kind: str, ids: list[str], now: datetime) -> int:
        keys = {(now.date(), kind, resource_id) for resource_id in ids} - self._charged
        self._charged |= keys
        return len(keys)

    def as_json(self) -> dict[str, Any]:
        return {
            "billed_posts": self.posts,
            "billed_users": self.users,
            "counts_requests": self.counts_requests,
            "cost_usd": round(self.cost_usd, 6),
        }
