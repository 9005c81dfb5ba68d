"""From pages to rows that may land: transformed, checked and stored batch by batch, so that memory doesn't grow."""

from __future__ import annotations

import contextlib
import gc
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from ..columns import COLUMN_NAMES, Row, arrow_schema
from ..errors import BadDataError
from ..files import temporary_files
from ..raw import JsonObject, Page
from . import schema
from .quick import quick_row_of
from .rejects import Rejects
from .rows import (
    EDIT_HISTORY_IDS,
    RowError,
    Rules,
    collected_at_of,
    day_of_post,
    reason_to_leave_out,
    row_of,
)
from .store import RowStore

log = logging.getLogger(__name__)

Batch = dict[int, Row]  # by id
BATCH_ROWS = 5_000  # transformed, checked and stored at once: some 50 MB while it lasts


@dataclass
class Harvest:
    """All rows of one landing, and where every post that isn't a row went: the counts add up to `posts_in`."""

    rows: RowStore
    rejects: Rejects
    posts_in: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@contextlib.contextmanager
def collected(pages: Iterable[Page], rules: Rules, day: date | None = None) -> Iterator[Harvest]:
    """Read all pages into rows, ordered by time and id, so that the order of pages doesn't matter.

    `day`: the UTC day all posts must be of, None for any. The rows are on the disk for as long as the context lasts.
    Raises UsageError when the disk is full.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # the one that gives memory back: a tenth less at the peak
    with temporary_files(), tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as rejects:
        harvest = Harvest(RowStore(rows, arrow_schema()), Rejects(rejects))
        check = schema.row_schema(day)
        batch: Batch = {}
        with no_search_for_cycles():
            for page in pages:
                take(page, rules, harvest, batch)
                if len(batch) >= BATCH_ROWS:
                    bring_in(batch, check, rules, harvest)
                    batch.clear()
                    gc.collect()
            bring_in(batch, check, rules, harvest)
        harvest.left_out += harvest.rows.decide(rules)
        yield harvest


@contextlib.contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Python looks for cycles of objects whenever some thousands were made. Parsed pages have none, and looking through
    them again and again was a fifth of the time."""
    gc.freeze()  # what is there now stays: the look after each batch passes it over
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def take(page: Page, rules: Rules, harvest: Harvest, batch: Batch) -> None:
    """Transform a page. Its rows go to the batch, all else is counted or rejected."""
    collected_at = collected_at_of(page)
    make: Callable[..., Row] = quick_row_of if page.is_plain else row_of
    for index, post in enumerate(page.posts):
        harvest.posts_in += 1
        try:
            row = make(post, page, collected_at)
        except RowError as error:
            whole = page.whole_post(index)
            reject(day_of_post(whole), str(error), whole, rules, harvest)
            continue
        if reason := reason_to_leave_out(row, rules):
            harvest.left_out[reason] += 1
            continue
        post_id, history = int(row[0]), row[EDIT_HISTORY_IDS]
        harvest.left_out["duplicates"] += post_id in batch
        batch[post_id] = row  # the later copy: its metrics are newer
        if history:  # not every copy has one
            harvest.rows.note_version(post_id, int(history[0]))


def bring_in(batch: Batch, check: Any, rules: Rules, harvest: Harvest) -> None:
    """Check the rows of a batch and store those that pass."""
    rows = list(batch.values())
    table, failures = schema.validate(rows, check)
    for index, reason in failures.items():
        row = dict(zip(COLUMN_NAMES, rows[index], strict=True))
        reject(row["created_at"].date(), reason, row, rules, harvest)
    harvest.rows.add(table)


def reject(day: date | None, reason: str, post: JsonObject, rules: Rules, harvest: Harvest) -> None:
    """Keep a post that can't be a row, unless it is of a day that isn't asked for."""
    if day and rules.days and day not in rules.days:
        harvest.left_out["other_days"] += 1
    else:
        harvest.rejects.add(day, reason, post)


def refuse_too_many(harvest: Harvest, max_reject_percent: float) -> None:
    """Raise BadDataError when more than `max_reject_percent` of the posts are rejected: then something is wrong with
    the source, and a partition of the rest would be a lie. A few are only reported."""
    rejects = len(harvest.rejects)
    if not rejects:
        return
    posts = harvest.rows.rows + rejects
    percent = 100 * rejects / posts
    reasons, _ = harvest.rejects.of(None)
    ((reason, _),) = reasons.most_common(1)
    text = f"{rejects} of {posts} posts ({percent:.1f} %) don't pass validation, mostly: {reason}"
    if percent > max_reject_percent:
        raise BadDataError(
            f"{text}.",
            kept="Nothing was written to the lake.",
            hint=f"At most {max_reject_percent:g} % are accepted (--max-reject-percent).",
        )
    log.warning("%s. They go to rejected.jsonl.", text)
