"""What Arrow says of rows is what pandera would say; and pandera is asked only where something is wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tweetlake.columns import COLUMNS, arrow_schema, arrow_type
from tweetlake.transform import schema

from tests.fuzz.landing import land
from tests.fuzz.pages import PROFILE, good_post, line_of
from tests.helpers.etl import SCRIPT

DAY = date(2026, 3, 1)
SCHEMAS = {day: schema.row_schema(day) for day in (None, DAY)}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.none() | st.sampled_from(["7", "0" * 19, "1" * 20, "x", "", "7\n", "\u0661", "-1"]),
    "int64": st.none() | st.sampled_from([0, 1, -1, 2**63 - 1]),
    "bool_": st.none() | st.booleans(),
    "list_": st.none() | st.lists(st.sampled_from(["a", ""]), max_size=2),
    "timestamp": st.none() | st.sampled_from([1772323200000, 1772409599999, 1772409600000, 0]),
}


@settings(PROFILE, max_examples=25)
@given(data=st.data(), rows=st.integers(1, 4), day=st.sampled_from([None, DAY]), usual=st.booleans())
def test_arrow_and_pandera_have_one_verdict(data: st.DataObject, rows: int, day: date | None, usual: bool) -> None:
    """Arrow alone decides that nothing is wrong: it never says so where pandera sees a fault."""
    columns = {}
    for column in COLUMNS:
        values: list[Any] = [data.draw(VALUES[column.kind.arrow]) for _ in range(rows)]
        if usual and column.is_checked:
            values = {"timestamp": [1772323200000] * rows, "int64": [1] * rows}.get(
                column.kind.arrow, list(map(str, range(rows)))
            )
        columns[column.name] = pa.array(values, arrow_type(column.kind))
    table = pa.table(columns, schema=arrow_schema())
    passing, failures = schema.validate(table, SCHEMAS[day])
    assert schema.is_flawless(table, day) == (not failures and passing.num_rows == rows)


@pytest.mark.parametrize("name", [column.name for column in COLUMNS if column.is_checked])
def test_arrow_sees_each_fault_alone(name: str) -> None:
    good: dict[str, list[Any]] = {
        "string": ["1", "2"],
        "int64": [1, 2],
        "bool_": [True, None],
        "list_": [["a"], None],
        "timestamp": [1772323200000, 1772323200001],
    }
    columns = {column.name: pa.array(good[column.kind.arrow], arrow_type(column.kind)) for column in COLUMNS}
    assert schema.is_flawless(pa.table(columns, schema=arrow_schema()), DAY)
    (column,) = [column for column in COLUMNS if column.name == name]
    faults: list[list[Any]] = [[good[column.kind.arrow][0], None]] * (not column.nullable)
    faults += [[good[column.kind.arrow][0]] * 2] * column.unique
    wrong: dict[str | None, list[list[Any]]] = {"digits": [["1", "x"], ["1", ""]], "not negative": [[1, -1]]}
    faults += wrong.get(column.kind.check, [])
    assert faults
    for values in faults:
        broken = columns | {name: pa.array(values, arrow_type(column.kind))}
        assert not schema.is_flawless(pa.table(broken, schema=arrow_schema()), DAY), values


def test_a_portion_of_rejects_only_is_a_portion() -> None:
    columns = {column.name: pa.nulls(2, arrow_type(column.kind)) for column in COLUMNS}
    passing, failures = schema.check(pa.table(columns, schema=arrow_schema()), None)
    assert passing.num_rows == 0 and sorted(failures) == [0, 1]


def test_a_good_day_needs_no_pandas(tmp_path: Path) -> None:
    """Half a second and 100 MB of every daily run."""
    (tmp_path / "pages.jsonl").write_bytes(line_of(*(good_post(n) for n in range(9))))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import twitter_etl; "
        "code = twitter_etl.main(sys.argv[2:]); assert 'pyarrow' in sys.modules; "
        "sys.exit(code or 100 * bool({'pandas', 'pandera'} & set(sys.modules)))"
    )
    arguments = ["--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake")]
    done = subprocess.run([sys.executable, "-c", code, str(SCRIPT.parent), *arguments], check=False, timeout=60)
    assert done.returncode == 0


def copy(text: str, likes: int) -> dict[str, Any]:
    """A copy of one post; it can't have fewer than 0 likes."""
    return good_post(1, text=text, public_metrics={"like_count": likes})


@pytest.mark.parametrize(
    ("copies", "lands", "rejected", "duplicates"),
    [
        ([copy("good", 5), copy("wrong", -1)], "good", 1, 0),
        ([copy("old", 4), copy("good", 5), copy("wrong", -1), copy("wrong", -2)], "good", 2, 1),
        ([copy("wrong", -1), copy("good", 5)], "good", 0, 1),
        ([copy("wrong", -1), copy("wrong", -2)], None, 2, 0),
    ],
    ids=["the last is wrong", "the last two are wrong", "the first is wrong", "all are wrong"],
)
def test_a_wrong_copy_takes_no_place_of_a_good_one(
    copies: list[dict[str, Any]], lands: str | None, rejected: int, duplicates: int
) -> None:
    for pages in (line_of(*copies, good_post(2)), b"".join(line_of(post) for post in [*copies, good_post(2)])):
        landed = land(pages)
        assert landed.texts == ({"2028000000000000001": lands} if lands else {}) | {"2028000000000000002": "post 2"}
        assert {reject["reason"] for reject in landed.rejects} <= {"likes: a metric is below 0"}
        assert (len(landed.rejects), landed.summary["left_out"].get("duplicates", 0)) == (rejected, duplicates)
        assert landed.summary["posts_in"] == len(copies) + 1
