"""What a valid row is: a pandera schema over the rows, and the Arrow types of the Parquet file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from .errors import BadDataError
from .transform import COLUMNS, CREATED_AT, Batch, Reject

if TYPE_CHECKING:  # pandas, pyarrow and pandera cost 150 MB: imported when the posts are there, not while waiting
    import pandera.pandas as pandera
    import pyarrow as pa

log = logging.getLogger(__name__)

METRIC_COLUMNS = ("likes", "retweets", "replies", "quotes", "bookmarks", "impressions")
FLAG_COLUMNS = ("is_reply", "is_retweet", "is_quote", "edited", "possibly_sensitive")
LIST_COLUMNS = ("hashtags", "mentions", "links", "edit_history_ids", "withheld_countries")
TIME_COLUMNS = ("created_at", "collected_at")


@dataclass(frozen=True)
class Valid:
    """Rows that passed, in order of time, and how to find a day in them."""

    table: pa.Table
    rows_of_day: dict[date, slice]
    rejects: list[Reject]


def arrow_schema() -> pa.Schema:
    """The types of refined_tweets.parquet: timestamp in UTC, int64, bool, list of text, text."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = dict.fromkeys(COLUMNS, pa.string())
    types |= dict.fromkeys(METRIC_COLUMNS, pa.int64())
    types |= dict.fromkeys(FLAG_COLUMNS, pa.bool_())
    types |= dict.fromkeys(LIST_COLUMNS, pa.list_(pa.string()))
    types |= dict.fromkeys(TIME_COLUMNS, pa.timestamp("ms", tz="UTC"))
    return pa.schema([pa.field(name, types[name]) for name in COLUMNS])


def row_schema(window: tuple[datetime, datetime] | None) -> pandera.DataFrameSchema:
    """The pandera schema. `window` is the UTC time [start, end) in which every post must have been created."""
    import pandera.pandas as pandera

    in_window = []
    if window:
        start, end = window
        in_window = [pandera.Check(lambda s: (s >= start) & (s < end), name="created_at is outside the day")]
    not_negative = pandera.Check.ge(0, error="a metric is below 0")
    digits = pandera.Check.str_matches(r"^[0-9]{1,19}$", error="not 1 to 19 digits")
    columns: dict[str, Any] = {
        "id": pandera.Column(str, digits, unique=True),
        "created_at": pandera.Column("datetime64[ms, UTC]", in_window),
        "author_id": pandera.Column(str, digits, nullable=True),
        "conversation_id": pandera.Column(str, digits, nullable=True),
        "referenced_id": pandera.Column(str, digits, nullable=True),
        "text": pandera.Column(str, nullable=True),
        "url": pandera.Column(str),
    }
    columns |= {name: pandera.Column("Int64", not_negative, nullable=True) for name in METRIC_COLUMNS}
    return pandera.DataFrameSchema(columns, strict=True)


def validate(batch: Batch, day: date | None, max_reject_percent: float) -> Valid:
    """Type the rows, check them, and move the failing ones to the rejects.

    `day`: the UTC day all posts must be of, None for any. Raises BadDataError when more than `max_reject_percent` of
    the rows fail: then something is wrong with the source, and a partition of the rest would be a lie.
    """
    import pandas as pd
    import pandera.errors
    import pyarrow as pa

    columns = list(zip(*batch.rows, strict=True)) or [()] * len(COLUMNS)
    schema = arrow_schema()
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    window = None
    if day:
        midnight = datetime.combine(day, time(), UTC)
        window = (midnight, midnight + timedelta(days=1))
    checked = row_schema(window)
    frame = table.select(list(checked.columns)).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    reasons: dict[int, str] = {}
    try:
        checked.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        for failure in errors.failure_cases.itertuples():
            if failure.index is None or pd.isna(failure.index):
                raise BadDataError(f"The rows don't fit the schema: {failure.column}: {failure.check}.") from None
            reasons.setdefault(int(failure.index), f"{failure.column}: {failure.check}")
    rejects = list(batch.rejects)
    if reasons:
        for index, reason in sorted(reasons.items()):
            row = dict(zip(COLUMNS, batch.rows[index], strict=True))
            rejects.append(Reject(row["created_at"].date(), reason, row))
        kept = [index for index in range(len(batch.rows)) if index not in reasons]
        table = table.take(kept)
        batch.rows = [batch.rows[index] for index in kept]
    refuse_too_many(rejects, len(batch.rows), max_reject_percent)
    return Valid(table, _days_of(batch), rejects)


def refuse_too_many(rejects: list[Reject], rows: int, max_reject_percent: float) -> None:
    """Raise BadDataError when the share of rejects is above the limit; a few are only reported."""
    if not rejects:
        return
    percent = 100 * len(rejects) / (rows + len(rejects))
    reason = max({r.reason for r in rejects}, key=lambda text: sum(r.reason == text for r in rejects))
    text = f"{len(rejects)} of {rows + len(rejects)} posts ({percent:.1f} %) don't pass validation, mostly: {reason}"
    if percent > max_reject_percent:
        raise BadDataError(
            f"{text}.",
            kept="Nothing was written to the lake.",
            hint=f"At most {max_reject_percent:g} % are accepted (--max-reject-percent).",
        )
    log.warning("%s. They go to rejected.jsonl.", text)


def _days_of(batch: Batch) -> dict[date, slice]:
    """Where each UTC day begins and ends in the ordered rows."""
    days: dict[date, slice] = {}
    for index, row in enumerate(batch.rows):
        day = row[CREATED_AT].date()
        begin = days[day].start if day in days else index
        days[day] = slice(begin, index + 1)
    return days
