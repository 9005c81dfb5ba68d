"""What a run costs, in one table. X bills reads per resource returned (docs.x.com, getting-started/pricing)."""

from __future__ import annotations

from dataclasses import dataclass, field

PRICES_SEEN_ON = "2026-08-22"
PRICE_USD = {
    "post": 0.005,  # per post returned
    "user": 0.010,  # per user returned
    "counts_request": 0.005,  # per request to counts/recent, whatever it returns
}


@dataclass
class Spend:
    """Counts of what was asked and answered. Only successful answers that return data are billed.

    X bills the same resource once per UTC day, so ids are counted once. Whether expanded objects (`includes`)
    are billed isn't documented: they are counted apart and only in `cost_usd_max`.
    """

    requests: int = 0
    users_billed: int = 0
    expanded_users: int = 0
    expanded_posts: int = 0
    _post_ids: set[str] = field(default_factory=set)

    def add_page(self, post_ids: list[str], expanded_users: int, expanded_posts: int) -> None:
        """Count one answered page."""
        self._post_ids.update(post_ids)
        self.expanded_users += expanded_users
        self.expanded_posts += expanded_posts

    @property
    def posts_billed(self) -> int:
        return len(self._post_ids)

    @property
    def cost_usd(self) -> float:
        return round(self.posts_billed * PRICE_USD["post"] + self.users_billed * PRICE_USD["user"], 4)

    @property
    def cost_usd_max(self) -> float:
        extra = self.expanded_posts * PRICE_USD["post"] + self.expanded_users * PRICE_USD["user"]
        return round(self.cost_usd + extra, 4)

    def as_dict(self) -> dict[str, int | float]:
        return {
            "requests": self.requests,
            "posts_billed": self.posts_billed,
            "users_billed": self.users_billed,
            "cost_usd": self.cost_usd,
            "cost_usd_max": self.cost_usd_max,
        }
