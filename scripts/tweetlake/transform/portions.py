"""What becomes of some pages by themselves: a table of rows, and where every other post went.

A portion depends on its pages alone, so that it may be made by another process (see jobs.py). What comes is cut into
portions by its size and never by who makes them: the same pages give the same lake, whatever --jobs says.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..columns import COLUMN_NAMES, Row
from ..raw import JsonObject, Page, RawCounts
from ..reading.lines import Lines
from ..reading.pages import pages_in
from . import schema
from .quick import quick_row_of
from .rejects import rejected_line
from .rows import (
    CREATED_AT,
    EDIT_HISTORY_IDS,
    RowError,
    Rules,
    collected_at_of,
    day_of_id,
    day_of_post,
    reason_to_leave_out,
    row_of,
)

PORTION_POSTS = 20_000  # checked and stored at once: about 15 MB
PORTION_BYTES = 6 << 20  # of lines, which nobody has parsed; one stretch of a long file has that much
PIECE_ROWS = 2_500  # made into columns at once: Python's objects take ten times more than Arrow's
SOURCE = ("account", "query")  # what a page says about whose posts it has
Pieces = list[Lines] | Iterator[Page | Lines]  # of a portion


@dataclass
class Portion:
    """The rows of some pages, checked, each id once; and what else was there."""

    table: pa.Table
    posts_in: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    rejects: list[tuple[date | None, str, bytes]] = field(default_factory=list)  # day, reason, line of rejected.jsonl
    first_of: dict[int, int] = field(default_factory=dict)  # what the last copy of each post says: id -> first version
    superseded: dict[date, set[str]] = field(default_factory=dict)  # by day of an edit: older versions of other days
    counts: RawCounts = field(default_factory=RawCounts)  # of lines
    faults: list[str] = field(default_factory=list)  # the first of what can't be read in them, in words
    sources: list[JsonObject] = field(default_factory=list)  # what the pages say about theirs, each once


def cut(pieces: Iterable[Page | Lines]) -> Iterator[Pieces]:
    """The pieces in portions: lists of lines, or, as soon as there is a page, what is read while the portion is made.
    Such a portion has to be read to its end before the next."""
    waiting = iter(pieces)
    lines: list[Lines] = []
    for piece in waiting:
        if isinstance(piece, Lines):
            lines.append(piece)
            if sum(len(one.text) for one in lines) < PORTION_BYTES:
                continue
            yield lines
        else:
            yield portion_of([*lines, piece], waiting)
        lines = []
    if lines:
        yield lines


def portion_of(first: list[Page | Lines], others: Iterator[Page | Lines]) -> Iterator[Page | Lines]:
    """These pieces, and as many of the others as make a portion."""
    size = 0.0
    for piece in chain(first, others):
        yield piece
        size += len(piece.text) / PORTION_BYTES if isinstance(piece, Lines) else len(piece.posts) / PORTION_POSTS
        if size >= 1:
            return


def make_portion(pieces: Pieces, rules: Rules, day: date | None) -> Portion:
    """Transform and check these pages. `day`: the UTC day all posts must be of, None for any."""
    maker = Maker(rules)
    with no_search_for_cycles():
        for piece in pieces:
            if isinstance(piece, Lines):
                maker.take_lines(piece)
            else:
                maker.take(piece)
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

    def take_lines(self, lines: Lines) -> None:
        """Read them, and transform their pages."""
        for page in pages_in(lines, self._portion.counts, self._portion.faults):
            self.take(page)

    def take(self, page: Page) -> None:
        """Transform a page. Its rows are kept, all else is counted or rejected."""
        self._portion.posts_in += len(page.posts)
        self._note_source(page)
        collected_at = collected_at_of(page)
        make: Callable[..., Row] = quick_row_of if page.is_plain else row_of
        for index, post in enumerate(page.posts):
            try:
                row = make(post, page, collected_at)
            except RowError as error:
                self._reject(day_of_post(post), str(error), page.whole_post(index))
                continue
            if reason := reason_to_leave_out(row, self._rules):
                self._portion.left_out[reason] += 1
                continue
            self._rows.append(row)
            if history := row[EDIT_HISTORY_IDS]:  # not every copy has one
                self._note_versions(int(row[0]), row[CREATED_AT].date(), history)
        if len(self._rows) >= PIECE_ROWS:
            self._make_piece()

    def finish(self, day: date | None) -> Portion:
        """Of each post the last copy that passes the checks: wrong ones after it are rejected, others duplicates."""
        self._make_piece()
        portion, copies, passed = self._portion, pa.concat_tables(self._pieces).combine_chunks(), []
        portion.left_out["duplicates"] += copies.num_rows
        while True:
            is_last = are_last(copies)
            last = copies if pc.all(is_last).as_py() else copies.filter(is_last)
            portion.left_out["duplicates"] -= last.num_rows
            table, failures = schema.check(last, day)
            passed.append(table)
            if not failures:
                portion.table = pa.concat_tables(passed)
                return portion
            for index, reason in failures.items():
                (row,) = last.slice(index, 1).to_pylist()
                self._reject(row["created_at"].date(), reason, {name: row[name] for name in COLUMN_NAMES})
            wrong = last.column("id").take(pa.array(failures)).combine_chunks()
            copies = copies.filter(pc.and_not(pc.is_in(copies.column("id"), value_set=wrong), is_last))

    def _note_source(self, page: Page) -> None:
        source = {name: page.own.get(name) for name in SOURCE}
        if page.posts and source not in self._portion.sources:
            self._portion.sources.append(source)

    def _note_versions(self, post_id: int, day: date, history: list[str]) -> None:
        """A copy says which versions its post has, oldest first. `day`: of the copy."""
        self._portion.first_of[post_id] = int(history[0])
        if len(history) > 1:
            older = {version for version in history if int(version) < post_id}
            of_other_days = {version for version in older if day_of_id(int(version)) not in (day, None)}
            self._portion.superseded.setdefault(day, set()).update(of_other_days)

    def _make_piece(self) -> None:
        self._pieces.append(schema.table_of(self._rows))
        self._rows.clear()

    def _reject(self, day: date | None, reason: str, post: JsonObject) -> None:
        """Keep a post that can't be a row, unless it is of a day that isn't asked for."""
        if day and self._rules.days and day not in self._rules.days:
            self._portion.left_out["other_days"] += 1
        else:
            self._portion.rejects.append((day, reason, rejected_line(reason, post)))


def are_last(table: pa.Table) -> pa.Array:
    """Whether no row after it has the same id, of each row: metrics of a later copy are newer."""
    ids: Any = table.column("id").cast(pa.uint64()).to_numpy()
    _, from_the_end = np.unique(ids[::-1], return_index=True)
    last = np.zeros(len(ids), np.bool_)
    last[len(ids) - 1 - from_the_end] = True
    return pa.array(last)
