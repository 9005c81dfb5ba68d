"""What reading costs, in one table, and what a run has spent.

X bills reads per object returned (docs.x.com, getting-started/pricing), the same object once per UTC day, and only
successful answers. Media and places, which come with the posts, have no price on that page. All figures are USD.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..raw import Page

PRICES_SEEN_ON = "2026-08-22"
PRICE_USD = {
    "post": 0.005,  # per post returned
    "owned_post": 0.001,  # per post of the app owner's own timeline, read in user context ("owned reads")
    "user": 0.010,  # per user returned
}
MONTHLY_CAP_POSTS = 3_000_000  # X's own cap per billing cycle (docs, 2026-08-13)


@dataclass
class Spend:
    """Counts of what was asked and answered. Only successful answers that return data are billed.

    X bills the same resource once per UTC day, so ids are counted once. Whether expanded objects (`includes`)
    are billed isn't documented: they are counted apart and only in `cost_usd_max`.
    """

    requests: int = 0
    users_billed: int = 0
    post_usd: float = PRICE_USD["post"]
    _post_ids: set[str] = field(default_factory=set)
    _expanded_user_ids: set[str] = field(default_factory=set)
    _expanded_post_ids: set[str] = field(default_factory=set)

    def add_page(self, page: Page) -> float:
        """Count one answered page: its posts, and the users and posts that came with them. Returns what it adds at
        most, in USD."""
        before_usd = self.cost_usd_max
        self._post_ids.update(str(post.get("id")) for post in page.posts)
        self._expanded_user_ids.update(page.users)
        self._expanded_post_ids.update(page.included)
        return self.cost_usd_max - before_usd

    def add_user(self) -> float:
        """Count one answered look-up. Returns its price in USD."""
        self.users_billed += 1
        return PRICE_USD["user"]

    @property
    def posts_billed(self) -> int:
        return len(self._post_ids)

    @property
    def cost_usd(self) -> float:
        return round(self.posts_billed * self.post_usd + self.users_billed * PRICE_USD["user"], 4)

    @property
    def cost_usd_max(self) -> float:
        users, posts = len(self._expanded_user_ids), len(self._expanded_post_ids)
        return round(self.cost_usd + posts * PRICE_USD["post"] + users * PRICE_USD["user"], 4)

    def as_dict(self) -> dict[str, int | float]:
        return {
            "requests": self.requests,
            "posts_billed": self.posts_billed,
            "users_billed": self.users_billed,
            "post_usd": self.post_usd,
            "cost_usd": self.cost_usd,
            "cost_usd_max": self.cost_usd_max,
        }
