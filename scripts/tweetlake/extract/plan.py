"""--plan: what a run could cost at worst, said without asking anybody."""

from __future__ import annotations

import math
from typing import Any

from ..settings import Settings
from ..times import utc_now
from .accounts import Accounts
from .budget import Ledger
from .depth import PROOF_POSTS, PROOF_REQUESTS
from .prices import MONTHLY_CAP_POSTS, PRICE_USD, PRICES_SEEN_ON
from .window import Window, windows_of


def plan_of(settings: Settings) -> dict[str, Any]:
    """The worst case in posts, users, requests and USD, and what bounds it. Raises UsageError for what X can't give."""
    windows = windows_of(settings, utc_now())
    window, name = windows[0], settings.source.account  # they differ by their day alone
    account = Accounts(settings.state_dir, settings.base_url).known(name) if name else None
    window = window.priced_for((account or {}).get("id"))
    posts = len(windows) * most_posts(window)
    if window.depth:
        posts = min(posts, window.depth)  # all days together: it's one timeline
    pages = max(len(windows), math.ceil(posts / window.endpoint.max_results))
    # The proof that the timeline reaches a day: at most five older posts or, if there are none, the user.
    proofs = len(settings.days) * bool(window.depth)
    look_ups = int(bool(name) and account is None)
    usd = posts * window.worst_post_usd + proofs * PROOF_POSTS * window.post_usd
    usd += (look_ups + proofs) * PRICE_USD["user"]
    spent_usd = Ledger(settings.state_dir).spent(utc_now())[0]
    plan = {
        "source": settings.source.label,
        "endpoint": window.endpoint.name,
        "days": len(settings.days),
        "posts": posts + proofs * PROOF_POSTS,
        "users": look_ups + proofs,
        "requests": look_ups + pages + PROOF_REQUESTS * proofs,
        "post_usd": window.post_usd,
        "worst_post_usd": round(window.worst_post_usd, 4),
        "cost_usd": round(usd, 4),
        "bounded_by": bound(window),
        "prices_seen_on": PRICES_SEEN_ON,
        "max_cost_usd": settings.max_cost_usd,
        "monthly_budget_usd": settings.monthly_budget_usd,
        "spent_this_month_usd": spent_usd,
    }
    limits = [usd, settings.max_cost_usd]
    if settings.monthly_budget_usd is not None:
        limits.append(max(0.0, settings.monthly_budget_usd - spent_usd))
    return plan | {"at_most_usd": round(min(limit for limit in limits if limit is not None), 4)}


def most_posts(window: Window) -> int:
    """How many posts a window can be billed for: the last page may bring more than was still wanted."""
    most = window.depth or MONTHLY_CAP_POSTS
    newest, least = window.newest, window.endpoint.min_results
    if newest is None:
        return most
    # With `newest` - 1 there, one more is asked for, and the smallest page is larger than one.
    return min(most, least if newest <= least else newest + least - 1)


def bound(window: Window) -> str:
    """What keeps the number of posts from being higher, in words."""
    if window.newest:
        return "--latest" if window.newest == window.latest else "--limit"
    if window.depth:
        return f"a timeline shows its newest {window.depth:,} posts"
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
