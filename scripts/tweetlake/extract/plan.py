"""--plan: what a run could cost at worst, said without asking anybody."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

from ..settings import Settings
from ..times import utc_now
from .accounts import known_account
from .budget import Ledger
from .drain import PROOF_POSTS
from .endpoints import TIMELINE, depth_of, endpoint_of, post_usd_of, query_of, window_of, worst_post_usd
from .prices import MONTHLY_CAP_POSTS, PRICE_USD, PRICES_SEEN_ON


def plan_of(settings: Settings) -> dict[str, Any]:
    """The worst case in posts, users, requests and USD, and what bounds it. Raises UsageError for what X can't give."""
    endpoint = endpoint_of(settings)
    query_of(settings)
    days: list[date | None] = list(settings.days) or [None]
    for day in days:
        window_of(settings, day, datetime.now(UTC))
    posts = len(days) * most_posts(settings)
    if endpoint is TIMELINE:
        posts = min(posts, depth_of(settings))  # all days together: it's one timeline
    pages = max(len(days), math.ceil(posts / endpoint.max_results))
    # The proof that the timeline reaches a day: five older posts and, if there are none, the user.
    proofs = len(settings.days) * (endpoint is TIMELINE)
    account = known_account(settings) if settings.source.account else None
    look_ups = int(endpoint is TIMELINE and account is None)
    post_usd = post_usd_of(settings, (account or {}).get("id"))
    worst_usd = worst_post_usd(settings, post_usd)
    usd = posts * worst_usd + proofs * PROOF_POSTS * post_usd + (look_ups + proofs) * PRICE_USD["user"]
    spent_usd = Ledger(settings.state_dir).spent(utc_now())[0]
    plan = {
        "source": settings.source.label,
        "endpoint": endpoint.name,
        "days": len(settings.days),
        "posts": posts + proofs * PROOF_POSTS,
        "users": look_ups + proofs,
        "requests": look_ups + pages + 2 * proofs,
        "post_usd": post_usd,
        "worst_post_usd": round(worst_usd, 4),
        "cost_usd": round(usd, 4),
        "bounded_by": bound(settings),
        "prices_seen_on": PRICES_SEEN_ON,
        "max_cost_usd": settings.max_cost_usd,
        "monthly_budget_usd": settings.monthly_budget_usd,
        "spent_this_month_usd": spent_usd,
    }
    limits = [usd, settings.max_cost_usd]
    if settings.monthly_budget_usd is not None:
        limits.append(max(0.0, settings.monthly_budget_usd - spent_usd))
    return plan | {"at_most_usd": round(min(limit for limit in limits if limit is not None), 4)}


def most_posts(settings: Settings) -> int:
    """How many posts one window can be billed for: the last page may bring more than was still wanted."""
    endpoint = endpoint_of(settings)
    most = depth_of(settings) if endpoint is TIMELINE else MONTHLY_CAP_POSTS
    newest = settings.newest
    if newest is None:
        return most
    # With `newest` - 1 there, one more is asked for, and the smallest page is larger than one.
    rounded = endpoint.min_results if newest <= endpoint.min_results else newest + endpoint.min_results - 1
    return min(most, rounded)


def bound(settings: Settings) -> str:
    """What keeps the number of posts from being higher, in words."""
    if settings.limit or settings.latest:
        return "--latest" if settings.latest and settings.latest <= (settings.limit or math.inf) else "--limit"
    if endpoint_of(settings) is TIMELINE:
        return f"a timeline shows its newest {depth_of(settings):,} posts"
    return f"X's cap of {MONTHLY_CAP_POSTS:,} posts a month: give --limit or --max-cost"


def text_of(plan: dict[str, Any]) -> str:
    """The plan for people."""
    days = {0: "the latest posts", 1: "one day"}.get(plan["days"], f"{plan['days']} days")
    lines = [
        f"Plan: {plan['source']}, {days}, by {plan['endpoint']}. Nobody was asked; prices seen on "
        f"{plan['prices_seen_on']}.",
        f"  at worst  {plan['posts']:,} posts, {plan['users']} users, {plan['requests']:,} requests if pages are full",
        f"  cost      {plan['cost_usd']:,.3f} USD ({plan['worst_post_usd']:g} a post with what comes along, "
        f"{PRICE_USD['user']:g} a user)",
        f"  bound     {plan['bounded_by']}",
    ]
    if plan["max_cost_usd"] is not None:
        lines.append(f"  --max-cost ends the run before it costs more than {plan['max_cost_usd']:.3f} USD")
    if plan["monthly_budget_usd"] is not None:
        lines.append(
            f"  month     {plan['spent_this_month_usd']:.3f} of {plan['monthly_budget_usd']:.3f} USD are spent"
        )
    return "\n".join([*lines, f"At most {plan['at_most_usd']:,.3f} USD. What X has billed today costs nothing more."])
