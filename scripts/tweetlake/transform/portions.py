"""What becomes of some pages by themselves: a table of rows, and where every other post went.

A portion depends on its pages alone, so that it may be made by another process (see jobs.py); pages are cut into
portions by their size and never by who makes them: the same pages give the same lake, whatever --jobs says.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from ..columns import COLUMN_NAMES, Row
from ..raw import JsonObject, Page, RawCounts, read_page
from . import schema
from .quick import quick_row_of
from .rejects import rejected_line
from .rows import (
    EDIT_HISTORY_IDS,
    RowError,
    Rules,
    collected_at_of,
    day_of_post,
    reason_to_leave_out,
    row_of,
)

PORTION_BYTES = 16 << 20  # of pages that aren't parsed yet
PORTION_POSTS = 5_000  # of pages that are
PIECE_ROWS = 2_500  # made into columns at once: Python's objects take ten times more than Arrow's


@dataclass
class Portion:
    """The rows of some pages, checked, each id once; and what else was there."""

    table: pa.Table
    posts_in: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    rejects: list[tuple[date | None, str, bytes]] = field(default_factory=list)  # day, reason, line of rejected.jsonl
    first_of: dict[int, int] = field(default_factory=dict)  # what the last copy of each post says: id -> first version
    counts: RawCounts = field(default_factory=RawCounts)  # of the pages that were parsed here
    unreadable: list[tuple[tuple[str, int], str]] = field(default_factory=list)  # (file, line) and the reason


def cut(pages: Iterable[Page]) -> Iterator[list[Page]]:
    """The pages in portions."""
    portion: list[Page] = []
    portion_bytes = posts = 0
    for page in pages:
        portion.append(page)
        portion_bytes += len(page.line) * page.is_deferred
        posts += len(page.posts)
        if portion_bytes >= PORTION_BYTES or posts >= PORTION_POSTS:
            yield portion
            portion, portion_bytes, posts = [], 0, 0
    if portion:
        yield portion


def make_portion(pages: list[Page], rules: Rules, day: date | None) -> Portion:
    """Transform and check these pages. `day`: the UTC day all posts must be of, None for any."""
    maker = Maker(rules)
    with no_search_for_cycles():
        for page in pages:
            maker.take(page)
        return maker.finish(day)


@contextlib.contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Python looks for cycles of objects whenever some thousands were made. Parsed pages have none, and looking through
    them again and again was a fifth of the time."""
    gc.freeze()  # what is there now stays: the look at the end passes it over
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.unfreeze()


class Maker:
    """A portion in the making."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._rows: list[Row] = []
        self._pieces: list[pa.Table] = []
        self._portion = Portion(schema.table_of([]))

    def take(self, page: Page) -> None:
        """Transform a page. Its rows are kept, all else is counted or rejected."""
        if page.is_deferred:
            try:
                page = read_page(page.line)
            except ValueError as error:
                self._portion.unreadable.append((page.origin, str(error)))
                return
            self._portion.counts.note(page)
        self._portion.posts_in += len(page.posts)
        collected_at = collected_at_of(page)
        make: Callable[..., Row] = quick_row_of if page.is_plain else row_of
        for index, post in enumerate(page.posts):
            try:
                row = make(post, page, collected_at)
            except RowError as error:
                whole = page.whole_post(index)
                self._reject(day_of_post(whole), str(error), whole)
                continue
            if reason := reason_to_leave_out(row, self._rules):
                self._portion.left_out[reason] += 1
                continue
            self._rows.append(row)
            if history := row[EDIT_HISTORY_IDS]:  # not every copy has one
                self._portion.first_of[int(row[0])] = int(history[0])
        if len(self._rows) >= PIECE_ROWS:
            self._make_piece()

    def finish(self, day: date | None) -> Portion:
        """Of each post the last copy, checked."""
        self._make_piece()
        portion, everything = self._portion, pa.concat_tables(self._pieces).combine_chunks()
        table = last_copies(everything)
        portion.left_out["duplicates"] += everything.num_rows - table.num_rows
        portion.table, failures = schema.check(table, day)
        for index, reason in failures.items():
            (row,) = table.slice(index, 1).to_pylist()
            self._reject(row["created_at"].date(), reason, {name: row[name] for name in COLUMN_NAMES})
        return portion

    def _make_piece(self) -> None:
        self._pieces.append(schema.table_of(self._rows))
        self._rows.clear()

    def _reject(self, day: date | None, reason: str, post: JsonObject) -> None:
        """Keep a post that can't be a row, unless it is of a day that isn't asked for."""
        if day and self._rules.days and day not in self._rules.days:
            self._portion.left_out["other_days"] += 1
        else:
            self._portion.rejects.append((day, reason, rejected_line(reason, post)))


def last_copies(table: pa.Table) -> pa.Table:
    """Of each id the last row: metrics of a later copy are newer."""
    ids: Any = table.column("id").cast(pa.uint64()).to_numpy()
    _, from_the_end = np.unique(ids[::-1], return_index=True)
    if len(from_the_end) == len(ids):
        return table
    return table.take(pa.array(np.sort(len(ids) - 1 - from_the_end)))
