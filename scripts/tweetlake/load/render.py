"""The rows of a day as files: CSV and Parquet, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from ..columns import COLUMN_NAMES, CONTENT_NAMES, arrow_schema
from .cells import csv_cells, csv_header, csv_lines

# What few rows have for themselves needs no dictionary: it would be made and thrown away.
REPETITIVE = [name for name in COLUMN_NAMES if name not in ("id", "text", "url", "conversation_id", "created_at")]


def write_rows(
    chunks: Iterable[pa.Table], csv_file: Path, parquet_file: Path, *, collected_at: datetime | None = None
) -> str:
    """Write refined_tweets.csv and refined_tweets.parquet (zstd; Arrow writes no time of its own into it), with this
    `collected_at` in all rows if it's given.

    Returns the SHA-256 of the CSV without collected_at: equal when the posts are the same.
    """
    content = hashlib.sha256(csv_header(CONTENT_NAMES))
    how: dict[str, Any] = {"compression": "zstd", "use_dictionary": REPETITIVE}
    with (
        ThreadPoolExecutor(1) as beside,  # Arrow writes without Python's lock: both files at once
        csv_file.open("wb") as csv,
        pyarrow.parquet.ParquetWriter(parquet_file, arrow_schema(), **how) as parquet,
    ):
        csv.write(csv_header(COLUMN_NAMES))
        for chunk in chunks:
            table = chunk if collected_at is None else with_collected_at(chunk, collected_at)
            in_parquet = beside.submit(parquet.write_table, table)
            cells = csv_cells(table)
            csv.write(csv_lines(cells))
            content.update(csv_lines(cells.select(CONTENT_NAMES)))
            in_parquet.result()
    return content.hexdigest()


def with_collected_at(table: pa.Table, moment: datetime) -> pa.Table:
    """The same rows, all collected at this time."""
    index = table.schema.get_field_index("collected_at")
    column = pa.array([moment] * table.num_rows, table.schema.field(index).type)
    return table.set_column(index, table.schema.field(index), column)
