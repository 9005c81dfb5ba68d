"""The ways to ask X for posts, and how far each of them reaches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
