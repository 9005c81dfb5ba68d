"""The proof that a window isn't cut by the depth of timelines: below it X answers 200 with no posts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..raw import page_of
from ..times import utc_now
from .endpoints import TIMELINE_BEGIN
from .prices import PRICE_USD

if TYPE_CHECKING:
    from .budget import Bill
    from .drain import Drain

POSTS_PER_HOUR = 100  # X lets an account post 2,400 times a day, in half-hourly portions (help.x.com, "X limits")
PROOF_POSTS = 5  # the smallest page of a timeline


def prove_depth(drain: Drain) -> None:
    """Raise UsageError when posts of the window may lie below the depth.

    X is asked only when that is possible: when these posts, and as many as an account may have posted since the
    window's end, reach the depth. One older post is proof (a request of 5 posts); if there is none, an account of fewer
    posts than the depth is proof as well.
    """
    start, depth, now = drain.start, drain.window.depth, utc_now()
    if start is None or depth is None or not may_be_cut(drain.posts, now - (drain.end or now), depth):
        return
    with drain.bracket("proof", PROOF_POSTS * drain.window.post_usd + PRICE_USD["user"], PROOF_POSTS) as bill:
        proven = has_older_post(drain, bill, start) or has_few_posts(drain, bill, depth)
    if not proven:
        raise UsageError(
            f"@{drain.account['username']}, {start:%Y-%m-%d}: X's timelines go back {depth:,} posts, and nothing older "
            "than this day can be reached, so posts of it may be missing.",
            hint="Use --archive (full-archive search, bearer token only, same price).",
        )


def has_older_post(drain: Drain, bill: Bill, start: datetime) -> bool:
    """Does the timeline show a post from before the window?"""
    if start <= TIMELINE_BEGIN:
        return False
    parameters = {"max_results": PROOF_POSTS, "end_time": start, "tweet_fields": ["id"]}
    older = page_of(drain.client.posts(drain.window, drain.account["id"], parameters))
    bill.add_page(older)
    return bool(older.posts)


def has_few_posts(drain: Drain, bill: Bill, depth: int) -> bool:
    """Has the account no more posts than a timeline shows?"""
    answer = drain.client.user(id=drain.account["id"], user_fields=["public_metrics"])
    bill.add_user()
    user = answer.get("data")
    metrics = user.get("public_metrics") if isinstance(user, dict) else None
    total = metrics.get("tweet_count", metrics.get("post_count")) if isinstance(metrics, dict) else None
    return isinstance(total, int) and total <= depth


def may_be_cut(posts: int, since_end: timedelta, depth: int) -> bool:
    """Could the depth lie within a window of so many posts, which ended so long ago?"""
    return posts + POSTS_PER_HOUR * (since_end / timedelta(hours=1) + 1) >= depth
