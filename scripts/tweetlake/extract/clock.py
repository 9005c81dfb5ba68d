"""X's clock, by the `Date` of its answers: it decides whether a day is over. This machine's may be wrong."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from ..errors import UsageError
from ..times import iso, utc_now

log = logging.getLogger(__name__)

WORTH_SAYING = timedelta(minutes=2)
TOO_MUCH = timedelta(hours=1)  # no day can be told from the next one any more
RESOLUTION = timedelta(seconds=1)  # of a Date


class XClock:
    """This machine's clock until X's is known."""

    def __init__(self) -> None:
        self.is_known = False
        self.ahead = timedelta()  # X's clock less this machine's; negative where this machine's is ahead
        self._sent_at = utc_now()
        self._is_said = False

    def note(self, date: str | None, sent_at: datetime) -> None:
        """The Date of an answer to what was sent then. Any moment until now may be the one it names."""
        try:
            at_x = parsedate_to_datetime(date or "").replace(tzinfo=UTC)
        except ValueError:
            return
        self.is_known, self._sent_at = True, sent_at
        earliest, latest = sent_at - RESOLUTION, utc_now()
        self.ahead = at_x - min(max(at_x, earliest), latest)

    @property
    def sent_at(self) -> datetime:
        """When the last request was sent, by X's clock."""
        return self._sent_at + self.ahead

    @property
    def now(self) -> datetime:
        return utc_now() + self.ahead

    def check(self) -> None:
        """Say once that the clocks differ. Raises UsageError where they differ by more than an hour."""
        if abs(self.ahead) <= WORTH_SAYING:
            return
        here = utc_now().replace(microsecond=0)
        at_x = (here + self.ahead).replace(microsecond=0)
        ahead = "ahead of" if self.ahead < timedelta() else "behind"
        minutes = round(abs(self.ahead) / timedelta(minutes=1))
        text = f"This machine's clock ({iso(here)}) is {minutes} minutes {ahead} X's ({iso(at_x)})"
        if abs(self.ahead) > TOO_MUCH:
            raise UsageError(
                f"{text}: which day it is can't be told.",
                hint="Set this machine's clock (timedatectl, chrony), then run it again.",
            )
        if not self._is_said:
            self._is_said = True
            log.warning("%s. X's decides whether a day is over; set this machine's (timedatectl, chrony).", text)
