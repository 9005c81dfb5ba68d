"""Posts that can't become rows, on the disk as they come: a source gone wrong may bring millions of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import IO

from ..errors import BadDataError
from ..raw import JsonObject, dump_json


class Rejects:
    """The lines of rejected.jsonl in a temporary file; in memory only their days and how often each reason came."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._days: list[date | None] = []
        self._known_days: dict[date, date] = {}  # one object per day, not per line
        self.reasons: dict[date | None, Counter[str]] = {}

    def add_lines(self, lines: Iterable[tuple[date | None, str, bytes]]) -> None:
        """Keep these. Of each the UTC day of the post (None if nothing tells), the reason, and its line."""
        for day, reason, line in lines:
            known_day = self._known_days.setdefault(day, day) if day else None
            self._file.write(line)
            self._days.append(known_day)
            self.reasons.setdefault(known_day, Counter())[reason] += 1

    def __len__(self) -> int:
        return len(self._days)

    @property
    def days(self) -> set[date]:
        return set(self._known_days)

    def of(self, days: set[date | None] | None) -> tuple[Counter[str], Iterator[bytes]]:
        """How often each reason came on these days (None: on all), and their lines in the order they came."""
        reasons = (found for day, found in self.reasons.items() if days is None or day in days)
        return sum(reasons, Counter()), self._lines(days)

    def _lines(self, days: set[date | None] | None) -> Iterator[bytes]:
        self._file.seek(0)
        for line, day in zip(self._file, self._days, strict=True):
            if days is None or day in days:
                yield line


def rejected_line(reason: str, post: JsonObject) -> bytes:
    """One line of rejected.jsonl: the reason and the post (or row) it is about."""
    try:
        return dump_json({"reason": reason, "id": post.get("id"), "post": post}) + b"\n"
    except BadDataError:  # nested too deeply to be written: one such post must not stop the others
        return dump_json({"reason": reason, "id": str(post.get("id"))[:40], "post": None}) + b"\n"
