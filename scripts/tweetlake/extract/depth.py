"""The proof that a window isn't cut by the depth of timelines: below it X answers 200 with no posts."""

from __future__ import annotations

import math
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
FIRST_STEP = timedelta(hours=1)
PROOF_REQUESTS = 11  # at most: ten such steps, each four times as long, reach back 40 years; and the user


def prove_depth(drain: Drain) -> None:
    """Raise UsageError when posts of the window may lie below the depth.

    X is asked only when that is possible: when these posts, and as many as an account may have posted since the
    window's end, reach the depth. Where X leaves out replies or retweets, nobody knows how many those were: then it's
    as many as an account may post. One older post is proof (5 are billed at most), or a page that goes on; if there is
    none, an account of fewer posts than the depth is proof as well.
    """
    start, depth, now = drain.start, drain.window.depth, utc_now()
    if start is None or depth is None:
        return
    end = drain.end or now
    posts = most_posts_in(end - start) if drain.window.excluded else drain.posts
    if not may_be_cut(posts, now - end, depth):
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
    """Does the timeline show, or go on to, a post from before the window?

    Looked for backwards in steps that get longer: an empty answer isn't billed, and the first hours are the ones that
    have a post or two rather than five.
    """
    end, step = start, FIRST_STEP
    while end > TIMELINE_BEGIN:
        begin = max(TIMELINE_BEGIN, end - step)
        parameters = {"max_results": PROOF_POSTS, "start_time": begin, "end_time": end, "tweet_fields": ["id"]}
        older = page_of(drain.client.posts(drain.window, drain.account["id"], parameters))
        bill.add_page(older)
        if older.posts or older.next_token:
            return True
        end, step = begin, 4 * step
    return False


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
    return posts + most_posts_in(since_end) >= depth


def most_posts_in(period: timedelta) -> int:
    """How many posts an account may make, those of a portion begun before included."""
    return math.ceil(POSTS_PER_HOUR * (period / timedelta(hours=1) + 1))
