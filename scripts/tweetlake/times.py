"""Times are UTC everywhere; here is how they are read, written and cut into days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any


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


def bounds_of(day: date) -> tuple[datetime, datetime]:
    """The UTC time [start, end) of a day."""
    midnight = datetime.combine(day, time(), UTC)
    return midnight, midnight + timedelta(days=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
