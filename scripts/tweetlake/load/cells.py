"""Rows as CSV: RFC 4180 with LF, every text in quotes, numbers and booleans bare; null is nothing, an empty text is "".

Cells are the posts' own text, also when it begins with = + - or @: a leading quote against spreadsheet formulas would
break every mention. Open the file in a spreadsheet as text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ..columns import COLUMNS
from ..times import iso

ESCAPED_IN_JSON = r'[\x00-\x1f"\\]'


def csv_header(names: Iterable[str]) -> bytes:
    """The first line."""
    return ",".join(names).encode() + b"\n"


def csv_lines(cells: pa.Table) -> bytes:
    """The other lines, of a table as csv_cells makes it."""
    out = io.BytesIO()
    pyarrow.csv.write_csv(cells, out, pyarrow.csv.WriteOptions(include_header=False))
    return out.getvalue()


def csv_cells(table: pa.Table) -> pa.Table:
    """All that isn't text or a number as text: times as ISO 8601, lists as JSON."""
    columns = []
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        columns.append(CELLS[CELL_OF[name]](column))
    return pa.table(columns, names=table.column_names)


def iso_times(column: pa.Array) -> pa.Array:
    """What `iso` gives, for a column of whole seconds in one step."""
    milliseconds = column.cast(pa.int64())
    seconds = pc.divide(milliseconds, 1000)
    if pc.any(pc.not_equal(pc.multiply(seconds, 1000), milliseconds)).as_py():
        return pa.array(map(iso, column.to_pylist()), pa.string())
    text = seconds.cast(pa.timestamp("s")).cast(pa.string())  # 2026-08-20 12:00:00
    return pc.binary_join_element_wise(pc.replace_substring(text, " ", "T"), "Z", "")


def json_lists(column: pa.Array) -> pa.Array:
    """Lists of text as JSON: in one step, unless a text needs escaping."""
    if pc.any(pc.match_substring_regex(column.flatten(), ESCAPED_IN_JSON)).as_py():
        return pa.array((None if v is None else orjson.dumps(v).decode() for v in column.to_pylist()), pa.string())
    filled = pc.binary_join_element_wise('["', pc.binary_join(column, '","'), '"]', "")
    return pc.if_else(pc.equal(pc.list_value_length(column), 0), "[]", filled)


CELL_OF = {column.name: column.kind.cell for column in COLUMNS}
CELLS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "plain": lambda column: column,
    "iso": iso_times,
    "json": json_lists,
}
