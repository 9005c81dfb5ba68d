"""What a valid row is: a pandera schema over the rows, and the Arrow types of the Parquet file."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from .errors import BadDataError
from .transform import COLUMNS, Row

if TYPE_CHECKING:  # pandas, pyarrow and pandera cost 150 MB: imported when the posts are there, not while waiting
    import pandera.pandas as pandera
    import pyarrow as pa

METRIC_COLUMNS = ("likes", "retweets", "replies", "quotes", "bookmarks", "impressions")
FLAG_COLUMNS = ("is_reply", "is_retweet", "is_quote", "edited", "possibly_sensitive")
LIST_COLUMNS = ("hashtags", "mentions", "links", "edit_history_ids", "withheld_countries")
TIME_COLUMNS = ("created_at", "collected_at")


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


def window_of(day: date | None) -> tuple[datetime, datetime] | None:
    """The UTC time [start, end) of a day."""
    if day is None:
        return None
    midnight = datetime.combine(day, time(), UTC)
    return midnight, midnight + timedelta(days=1)


def validate(rows: list[Row], schema: pandera.DataFrameSchema) -> tuple[pa.Table, dict[int, str]]:
    """Type the rows and check them: (those that pass, the index of each that fails and the reason)."""
    import pandas as pd
    import pandera.errors
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    types = arrow_schema()
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, types, strict=True)], schema=types)
    frame = table.select(list(schema.columns)).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    failures: dict[int, str] = {}
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        for failure in errors.failure_cases.itertuples():
            if failure.index is None or pd.isna(failure.index):
                raise BadDataError(f"The rows don't fit the schema: {failure.column}: {failure.check}.") from None
            failures.setdefault(int(failure.index), f"{failure.column}: {failure.check}")
        table = table.take([index for index in range(len(rows)) if index not in failures])
    return table, dict(sorted(failures.items()))
