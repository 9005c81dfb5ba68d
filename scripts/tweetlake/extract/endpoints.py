"""The ways to ask X for posts: how far each of them reaches, and what a search is in X's query language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from ..errors import UsageError
from ..settings import FIRST_POST_DAY, Source

TIMELINE_DEPTH = 3200  # posts; "Volume limits" of x-api/posts/timelines
TIMELINE_DEPTH_WITHOUT_REPLIES = 800  # the same page: with exclude=replies
TIMELINE_BEGIN = datetime(2010, 11, 6, tzinfo=UTC)  # of start_time on timelines
RECENT_SEARCH = timedelta(days=7)
ARCHIVE_BEGIN = datetime.combine(FIRST_POST_DAY, time(), UTC)  # without start_time, search/all gives 30 days only


@dataclass(frozen=True)
class Endpoint:
    """One way to ask. Sizes are posts per page."""

    name: str
    min_results: int
    max_results: int
    token_name: str
    settled: timedelta  # X shows all posts that are older; end_time must be at least 10 s in the past
    query_characters: int = 0
    ids_beside_times: bool = False  # takes until_id beside start_time; a search answers 400 (node-twitter-api-v2#152)


# New posts come into the index of a search after some 30 s (search/integrate/paginate: its default end_time).
IN_THE_INDEX = timedelta(seconds=60)
TIMELINE = Endpoint("timeline", 5, 100, "pagination_token", timedelta(seconds=15), ids_beside_times=True)
RECENT = Endpoint("recent search", 10, 100, "next_token", IN_THE_INDEX, 512)
ARCHIVE = Endpoint("full-archive search", 10, 500, "next_token", IN_THE_INDEX, 1024)


def endpoint_of(source: Source) -> Endpoint:
    if source.archive:
        return ARCHIVE
    return TIMELINE if source.account else RECENT


def excluded_of(source: Source) -> list[str]:
    """What X leaves out, in the words of a timeline's `exclude`."""
    kinds = {"replies": source.include_replies, "retweets": source.include_retweets}
    return [kind for kind, included in kinds.items() if not included]


def query_of(source: Source) -> str | None:
    """The search with its `-is:` operators; None for a timeline."""
    if endpoint_of(source) is TIMELINE:
        return None
    query = source.query or f"from:{source.account_id or source.account}"
    operators = [{"replies": "-is:reply", "retweets": "-is:retweet"}[kind] for kind in excluded_of(source)]
    if not operators:
        return query
    return " ".join([f"({query})" if " OR " in query else query, *operators])


def check_query(source: Source) -> None:
    """Raise UsageError for a longer query than the endpoint takes."""
    query, endpoint = query_of(source), endpoint_of(source)
    if query and len(query) > endpoint.query_characters:
        raise UsageError(
            f"The query has {len(query)} characters with its operators; {endpoint.name} takes "
            f"{endpoint.query_characters}.",
            hint="Shorten it, or split it into two runs with a --name each.",
        )
