"""From pages to rows that may land: transformed, checked and stored in portions, so that memory doesn't grow."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import pyarrow as pa

from ..columns import arrow_schema
from ..errors import BadDataError
from ..files import temporary_files
from ..raw import JsonObject, Page, RawCounts
from ..reading.lines import Lines
from ..reading.pages import add_counts
from .jobs import made
from .portions import Portion, cut, make_portion
from .rejects import Rejects
from .rows import Rules
from .store import RowStore

log = logging.getLogger(__name__)


@dataclass
class Harvest:
    """All rows of one landing, and where every post that isn't a row went: the counts add up to `posts_in`."""

    rows: RowStore
    rejects: Rejects
    counts: RawCounts
    posts_in: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    # By day of an edit: its older versions of other days.
    superseded: dict[date, set[str]] = field(default_factory=dict)
    sources: list[JsonObject] = field(default_factory=list)  # what the pages say about theirs, each once

    def bring_in(self, portion: Portion) -> None:
        """Store the rows of a portion, and add up its counts."""
        self.posts_in += portion.posts_in
        self.left_out += portion.left_out
        self.rejects.add_lines(portion.rejects)
        self.rows.note_versions(portion.first_of)
        self.rows.add(portion.table)
        for day, older in portion.superseded.items():
            self.superseded.setdefault(day, set()).update(older)
        self.sources += [source for source in portion.sources if source not in self.sources]
        add_counts(self.counts, portion.counts, portion.faults)


@contextlib.contextmanager
def collected(
    pieces: Iterable[Page | Lines],
    rules: Rules,
    day: date | None = None,
    *,
    counts: RawCounts | None = None,
    jobs: int = 1,
) -> Iterator[Harvest]:
    """Read all pages into rows, ordered by time and id, so that the order of pages doesn't matter.

    `day`: the UTC day all posts must be of, None for any. `counts` gains what is met in lines, which are read only
    here, by as many processes as `jobs`. The rows are on the disk for as long as the context lasts.
    Raises UsageError when the disk is full.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # the one that gives memory back: a tenth less at the peak
    leave_pandas_out()
    with temporary_files(), tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as rejects:
        harvest = Harvest(RowStore(rows, arrow_schema()), Rejects(rejects), counts or RawCounts())
        with contextlib.closing(made(cut(pieces), partial(make_portion, rules=rules, day=day), jobs)) as portions:
            for portion in portions:
                harvest.bring_in(portion)
        harvest.left_out += harvest.rows.decide(rules)
        yield harvest


def leave_pandas_out() -> None:
    """Arrow imports pandas when it first makes an array of Python objects, only to ask whether they are pandas's: 0.3 s
    and 50 MB of a daily run. It looks once, finds nothing, and looks again only when it is asked for a frame."""
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, NoPandas)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(NoPandas)


class NoPandas:
    """Among the finders of modules: pandas isn't installed."""

    @staticmethod
    def find_spec(name: str, *_others: object) -> None:
        if name == "pandas":
            raise ImportError(name)


def refuse_too_many(harvest: Harvest, unreadable: int, max_reject_percent: float) -> None:
    """Raise BadDataError when more than `max_reject_percent` of the posts are rejected: then something is wrong with
    the source, and a partition of the rest would be a lie. A few are only reported. A document that can't be read
    counts like a rejected post, for it holds one at least."""
    rejects = len(harvest.rejects) + unreadable
    if not rejects:
        return
    posts = harvest.rows.rows + rejects
    percent = 100 * rejects / posts
    reasons, _ = harvest.rejects.of(None)
    reasons["can't be read"] += unreadable
    ((reason, _),) = reasons.most_common(1)
    text = f"{rejects} of {posts} posts ({percent:.1f} %) don't pass validation, mostly: {reason}"
    if percent > max_reject_percent:
        raise BadDataError(
            f"{text}.",
            kept="Nothing was written to the lake.",
            hint=f"At most {max_reject_percent:g} % are accepted (--max-reject-percent).",
        )
    log.warning("%s. %s", text, "They go to rejected.jsonl." if harvest.rejects else "What can't be read is left out.")
