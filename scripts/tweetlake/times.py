"""Times are UTC everywhere; here is how they are read, written and cut into days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

# Ids of posts hold their time since 2010-11-04: milliseconds since this epoch, above 22 bits of machine and sequence.
SNOWFLAKE_EPOCH_MS = 1288834974657
FIRST_SNOWFLAKE = 29700859247


def utc_now() -> datetime:
    return datetime.now(UTC)


def iso(moment: datetime | None) -> str | None:
    """2026-08-20T12:00:00Z; with milliseconds only if there are any."""
    if moment is None:
        return None
    timespec = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=timespec).removesuffix("+00:00") + "Z"


def moment_of(text: Any) -> datetime | None:
    """A time this program has written, in UTC; None for anything else."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def time_of_id(post_id: int) -> datetime | None:
    """When the post with this id was made; None for the plain numbers of before 2010-11-04."""
    if post_id < FIRST_SNOWFLAKE:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=(post_id >> 22) + SNOWFLAKE_EPOCH_MS)


def bounds_of(day: date) -> tuple[datetime, datetime]:
    """The UTC time [start, end) of a day."""
    midnight = datetime.combine(day, time(), UTC)
    return midnight, midnight + timedelta(days=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
