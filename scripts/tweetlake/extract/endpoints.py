"""The questions X takes: endpoints, their limits, the window of a day, and what an answer may cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ..errors import UsageError
from ..settings import Settings, Source
from .prices import PRICE_USD

TIMELINE_DEPTH = 3200  # posts; "Volume limits" of x-api/posts/timelines
TIMELINE_DEPTH_WITHOUT_REPLIES = 800  # the same page: with exclude=replies
TIMELINE_BEGIN = datetime(2010, 11, 6, tzinfo=UTC)  # of start_time on timelines
RECENT_SEARCH = timedelta(days=7)
ARCHIVE_BEGIN = datetime(2006, 3, 26, tzinfo=UTC)  # without start_time, search/all gives 30 days only
SETTLED = timedelta(seconds=15)  # end_time must be at least 10 s in the past


@dataclass(frozen=True)
class Endpoint:
    """One way to ask. Sizes are posts per page."""

    name: str
    min_results: int
    max_results: int
    token_name: str
    query_characters: int = 0


TIMELINE = Endpoint("timeline", 5, 100, "pagination_token")
RECENT = Endpoint("recent search", 10, 100, "next_token", 512)
ARCHIVE = Endpoint("full-archive search", 10, 500, "next_token", 1024)


def endpoint_of(settings: Settings) -> Endpoint:
    return endpoint_for(settings.source)


def endpoint_for(source: Source) -> Endpoint:
    if source.archive:
        return ARCHIVE
    return TIMELINE if source.account else RECENT


def query_of(settings: Settings) -> str | None:
    """As `query_text`, of a run."""
    return query_text(settings.source)


def query_text(source: Source) -> str | None:
    """The search with its `-is:` operators; None for a timeline. Raises UsageError when it's longer than X takes."""
    endpoint = endpoint_for(source)
    if endpoint is TIMELINE:
        return None
    query = source.query or f"from:{source.account}"
    left_out = ["-is:reply"] * (not source.include_replies) + ["-is:retweet"] * (not source.include_retweets)
    if left_out:
        query = " ".join([f"({query})" if " OR " in query else query, *left_out])
    if len(query) > endpoint.query_characters:
        raise UsageError(
            f"The query has {len(query)} characters with its operators; {endpoint.name} takes "
            f"{endpoint.query_characters}.",
            hint="Shorten it, or split it into two runs with a --name each.",
        )
    return query


def window_of(settings: Settings, day: date | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The time [start, end) to ask for; (None, None) for the latest. Raises UsageError for what X can't give."""
    endpoint = endpoint_of(settings)
    depth = depth_of(settings)
    if day is None:
        if endpoint is TIMELINE and settings.latest and settings.latest > depth:
            raise UsageError(
                f"--latest {settings.latest}: a timeline gives the newest {depth} posts only.",
                hint="Use --archive for more, or --include-replies (3,200).",
            )
        return (ARCHIVE_BEGIN if endpoint is ARCHIVE else None), None
    start = datetime.combine(day, time(), UTC)
    end = min(start + timedelta(days=1), now.replace(microsecond=0) - SETTLED)
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


def depth_of(settings: Settings) -> int:
    """How many posts back a timeline goes."""
    return TIMELINE_DEPTH if settings.source.include_replies else TIMELINE_DEPTH_WITHOUT_REPLIES


def expansions_of(settings: Settings) -> list[str]:
    """Authors only for a search: those of a timeline are known, and expanded users may be billed."""
    return ["author_id"] * (settings.source.account is None) + [
        "referenced_tweets.id"
    ] * settings.source.include_retweets


def post_usd_of(settings: Settings, user_id: str | None = None) -> float:
    """The price of a post. The cheaper "owned read": a timeline of the account that owns the X app (X_APP_OWNER), asked
    as that user. With `user_id`, the account's, an OAuth 1.0a token can show that it belongs to somebody else."""
    owner = (
        settings.app_owner and settings.source.account and settings.app_owner.lower() == settings.source.account.lower()
    )
    signer = (settings.credentials.access_token or "").partition("-")[0] if settings.credentials.signs else ""
    stranger = signer.isdecimal() and user_id is not None and signer != user_id  # X puts the user's id in front
    owned = owner and settings.credentials.user_context and endpoint_of(settings) is TIMELINE and not stranger
    return PRICE_USD["owned_post" if owned else "post"]


def worst_post_usd(settings: Settings, post_usd: float) -> float:
    """A post with all that may come along and may be billed: its author, and two posts (answered and quoted)."""
    expansions = expansions_of(settings)
    users, posts = "author_id" in expansions, 2 * ("referenced_tweets.id" in expansions)
    return post_usd + users * PRICE_USD["user"] + posts * PRICE_USD["post"]
