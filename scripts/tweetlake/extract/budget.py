"""What a run may spend: --max-cost for itself, a budget for the calendar month (UTC) across runs, and the ledger.

Before a request that X bills, its worst case is written to the ledger; once the answer is kept, the real cost takes
its place. So a run that is killed in between has been counted, two runs at once can't both spend the last dollar, and
asking for the same page again on the same day counts once, as it does at X.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ..errors import BudgetError, EtlError
from ..files import disk_error, write_durably
from ..raw import Page
from ..times import next_month, utc_now
from .prices import Spend

log = logging.getLogger(__name__)

EPSILON_USD = 1e-9  # sums of binary fractions: 0.1 + 0.2 is no more than 0.3
MONTHS_KEPT = 24


class Ledger:
    """spend.json in the state directory: {"YYYY-MM": {"usd", "posts", "pending": {key: {"day", "usd", "posts"}}}}.

    `usd` is the upper bound (`cost_usd_max`). Replaced in one step, fsynced, under a lock for all runs of this user.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "spend.json"

    @contextlib.contextmanager
    def _months(self) -> Iterator[dict[str, Any]]:
        """All months, locked; what is changed in them is on the disk afterwards. Raises BudgetError, UsageError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                months = self._read()
                before = json.dumps(months)
                yield months
                if json.dumps(months) != before:
                    write_durably(self.path, months)
        except OSError as error:
            raise disk_error(f"The ledger {self.path}", error) from None

    def _read(self) -> dict[str, Any]:
        try:
            months = json.loads(self.path.read_text(encoding="utf-8"))
            for month in months.values():
                sum([month["usd"], month["posts"], *(entry["usd"] + entry["posts"] for entry in pending_in(month))])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise disk_error(f"The ledger {self.path}", error) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BudgetError(
                f"{self.path} isn't a ledger any more: nobody knows what was spent.",
                hint="Restore it, or remove it to begin at 0 (X's console has the true figure).",
            ) from None
        return {name: months[name] for name in sorted(months)[-MONTHS_KEPT:]}

    def spent(self, now: datetime, *, beside: str = "") -> tuple[float, int]:
        """(USD, posts) of this month, what is under way included; `beside`: but for today's reservation of this key,
        which the next one replaces."""
        month = self._read().get(f"{now:%Y-%m}", empty_month())
        if month["pending"].get(beside, {}).get("day") == str(now.date()):
            del month["pending"][beside]
        return sums_of(month)

    def reserve(self, key: str, usd: float, posts: int, room_usd: Callable[[float, int], float], now: datetime) -> bool:
        """Note the worst case of a request. `room_usd`: what is left when (USD, posts) are spent. False: too little.

        A reservation of the same key and UTC day is replaced: X bills the same objects once a day.
        """
        with self._months() as months:
            month = months.setdefault(f"{now:%Y-%m}", empty_month())
            today = str(now.date())
            earlier = month["pending"].get(key)
            if earlier and earlier["day"] != today:  # perhaps billed then; it will be billed again
                month["usd"] = round(month["usd"] + earlier["usd"], 6)
                month["posts"] += earlier["posts"]
            month["pending"].pop(key, None)
            if usd > room_usd(*sums_of(month)) + EPSILON_USD:
                if earlier and earlier["day"] == today:
                    month["pending"][key] = earlier
                return False
            month["pending"][key] = {"day": today, "usd": round(usd, 6), "posts": posts}
            return True

    def settle(self, key: str, usd: float, posts: int) -> None:
        """Put what it really was in the place of a reservation; nothing if there is none."""
        with self._months() as months:
            for month in months.values():
                if month["pending"].pop(key, None):
                    month["usd"] = round(month["usd"] + usd, 6)
                    month["posts"] += posts

    def pending(self, prefix: str) -> list[str]:
        """Keys of reservations that a killed run has left."""
        with self._months() as months:
            return [key for month in months.values() for key in month["pending"] if key.startswith(prefix)]


def empty_month() -> dict[str, Any]:
    return {"usd": 0.0, "posts": 0, "pending": {}}


def pending_in(month: dict[str, Any]) -> list[dict[str, Any]]:
    return list(month["pending"].values())


def sums_of(month: dict[str, Any]) -> tuple[float, int]:
    """(USD, posts) of a month, reservations included."""
    waiting = pending_in(month)
    usd = month["usd"] + sum(entry["usd"] for entry in waiting)
    return round(usd, 6), month["posts"] + sum(entry["posts"] for entry in waiting)


class Asker(Protocol):
    """What the budget has to know of the client."""

    spend: Spend  # of the run
    maybe_billed: bool  # was an answer of the last request lost on its way? X may have billed it

    def posts_this_month(self) -> int | None:
        """How many posts X has counted; None if it doesn't say."""


@dataclass
class Bill:
    """What the answers within one bracket cost, counted for the run and for the window at once."""

    run: Spend
    window: Spend
    posts: int = 0
    usd: float = 0.0

    def add_page(self, page: Page) -> None:
        before = self.run.posts_billed
        self.usd += self.run.add_page(page)
        self.posts += self.run.posts_billed - before
        self.window.add_page(page)

    def add_user(self) -> None:
        self.usd += self.run.add_user()
        self.window.add_user()


@dataclass
class Budget:
    """Asked before every request that X bills. `asker.spend` is what this run has spent.

    X is asked how many posts were read this month once, and only with a budget of the month.
    """

    ledger: Ledger
    asker: Asker
    max_cost_usd: float | None = None
    monthly_usd: float | None = None
    _elsewhere_posts: int | None = None  # read this month, but not in the ledger: other hosts, other tools

    @property
    def run(self) -> Spend:
        return self.asker.spend

    def posts_within(self, key: str, wanted: int, least: int, post_usd: float, first_usd: float = 0.0) -> int:
        """How many posts to ask for: at most `wanted`, less where the money ends. Raises BudgetError under `least`.

        `post_usd`: the worst case per post, with what comes along with it; `first_usd`: what is needed before.
        """
        room_usd, bound = self._room(key)
        affordable = wanted if room_usd == math.inf else int((room_usd - first_usd + EPSILON_USD) / post_usd)
        if affordable < least:
            raise self._refusal(bound, first_usd + least * post_usd)
        return min(wanted, affordable)

    @contextlib.contextmanager
    def bracket(self, key: str, worst_usd: float, posts: int, window: Spend) -> Iterator[Bill]:
        """Ask X inside; what comes is added to the bill, which then takes the place of the worst case in the ledger.

        The worst case stays there when nobody knows what X has billed (an answer was lost, the process was killed), and
        when what was billed couldn't be kept: it is asked for again, and the same key counts once a day, as at X.
        `window`: the spend of the window; its requests are counted here. Raises BudgetError before X is asked.
        """
        self._reserve(key, worst_usd, posts)
        requests = self.run.requests
        bill = Bill(self.run, window)
        try:
            yield bill
        except EtlError:
            if not (self.asker.maybe_billed or bill.usd):
                self.ledger.settle(key, 0, 0)
            raise
        finally:
            window.requests += self.run.requests - requests
        self.ledger.settle(key, bill.usd, bill.posts)

    def catch_up(self, prefix: str, pages: list[Page]) -> None:
        """A run killed between the spool and the ledger has left the worst case of a page that is kept: settle it.
        `prefix`: of the keys of these pages, which end with the page's number."""
        for key in self.ledger.pending(prefix):
            number = key.removeprefix(prefix)
            if number.isdecimal() and int(number) < len(pages):
                kept = Spend(post_usd=self.run.post_usd)
                usd = kept.add_page(pages[int(number)])
                self.ledger.settle(key, usd, kept.posts_billed)

    def _reserve(self, key: str, usd: float, posts: int) -> None:
        """Note the worst case of the next request. Raises BudgetError if it's too much."""
        room_usd, bound = self._room(key)
        if usd > room_usd + EPSILON_USD:
            raise self._refusal(bound, usd)
        if not self.ledger.reserve(key, usd, posts, self._month_room, utc_now()):
            raise self._refusal("month", usd)  # another run was faster

    def _month_room(self, usd: float, _posts: int) -> float:
        if self.monthly_usd is None:
            return math.inf
        return self.monthly_usd - usd - (self._elsewhere_posts or 0) * self.run.post_usd

    def _room(self, key: str) -> tuple[float, str]:
        """(USD that may still be spent, the name of what bounds it)."""
        room_usd, bound = math.inf, ""
        if self.max_cost_usd is not None:
            room_usd, bound = self.max_cost_usd - self.run.cost_usd_max, "run"
        if self.monthly_usd is not None:
            usd, posts = self.ledger.spent(utc_now(), beside=key)
            if self._elsewhere_posts is None and self._month_room(usd, posts) > 0:
                at_x = self.asker.posts_this_month()
                self._elsewhere_posts = max(0, (at_x or 0) - self.ledger.spent(utc_now())[1])
                if self._elsewhere_posts:
                    log.warning("X counts %s posts this month, the ledger %d fewer.", at_x, self._elsewhere_posts)
            if (month_room_usd := self._month_room(usd, posts)) < room_usd:
                room_usd, bound = month_room_usd, "month"
        return room_usd, bound

    def _refusal(self, bound: str, next_usd: float) -> BudgetError:
        next_request = f"the next request could cost {next_usd:.3f} USD, so it isn't sent."
        if bound == "run":
            return BudgetError(
                f"--max-cost {self.max_cost_usd:g}: this run has spent {self.run.cost_usd_max:.3f} USD, and "
                f"{next_request}",
                hint="Run it again to go on: each run may spend --max-cost. For less runs, raise it.",
            )
        usd, _ = self.ledger.spent(utc_now())
        elsewhere_usd = (self._elsewhere_posts or 0) * self.run.post_usd
        elsewhere = f" and {elsewhere_usd:.3f} USD elsewhere, by X's count of posts" if elsewhere_usd else ""
        today = utc_now().date()
        return BudgetError(
            f"The budget of {self.monthly_usd:g} USD for {today:%Y-%m}: {usd:.3f} USD are spent (or under way) here"
            f"{elsewhere}; {next_request}",
            hint=f"Raise TWITTER_ETL_MONTHLY_BUDGET_USD, or run it again from {next_month(today)} (UTC) on.",
        )
