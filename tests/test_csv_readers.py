"""The CSV, read by others, cell for cell: Python's csv, pandas, DuckDB, Arrow, a spreadsheet's own import; and the
Parquet beside it has the same rows. Texts are the worst that posts can hold (tests/fuzz/pages.py)."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.fuzz.pages import ODD_TEXTS, good_post, line_of
from tests.helpers.etl import run_etl

FORMULAS = ["=1+1", '=HYPERLINK("https://example.org?x="&A1,"click")', "@SUM(1+1)*cmd|' /C calc'!A0", "+1", "-1"]
FORMULAS += ["@nasa hello", "\t=1", "\r=1", "\n=1", "\uff1d1"]
PLAIN = ["", "plain", "NULL", "null", "NA", "nan", "N/A", "None", "\\N", "true", "007", "1e5", "2026-03-01", " blanks "]
PLAIN += ['"', '""', "'", "x" * 280_000, "\ufeffbom"]
TEXTS = [*ODD_TEXTS.values(), *FORMULAS, *PLAIN]
NUMBERS = ("likes", "retweets", "replies", "quotes", "bookmarks", "impressions")
FLAGS = ("is_reply", "is_retweet", "is_quote", "edited", "possibly_sensitive")
LISTS = ("hashtags", "mentions", "links", "edit_history_ids", "withheld_countries")
TIMES = ("created_at", "collected_at")

SPREADSHEET = shutil.which("soffice")
DATA_MD = Path(__file__).resolve().parents[1] / "docs/data.md"
LONGEST_CELL = 32_767  # characters, of any spreadsheet
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Lake:
    """One landed day. `rows` is the Parquet, the truth that the CSV is compared with."""

    csv: Path
    parquet: Path
    rows: Rows


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All texts, each in a post of its own; some posts with everything else, most with nothing else."""
    folder = tmp_path_factory.mktemp("readers")
    full = {
        "public_metrics": {"like_count": 2**63 - 1, "retweet_count": 0, "reply_count": 12},
        "possibly_sensitive": False,
        "lang": "en",
        "conversation_id": "9007199254740993",
        "edit_history_tweet_ids": [good_post(10_000)["id"]],
        "withheld": {"country_codes": ["DE", "TR"]},
    }
    posts = [good_post(n, text=text) for n, text in enumerate(TEXTS)]
    for number, text in enumerate(TEXTS, 1000):
        entities = {
            "hashtags": [{"tag": text}, {"tag": "b,c"}],
            "mentions": [{"username": "nasa"}, {"username": "=x"}],
            "urls": [],
        }
        posts.append(good_post(number, text=text, entities=entities, created_at="2026-03-01T10:00:00.120Z"))
    posts.append(good_post(10_000, **full))
    posts.append({"id": "7", "created_at": "2026-03-01T00:00:00Z", "author_id": "4"})
    (folder / "pages.jsonl").write_bytes(line_of(*posts))
    run = run_etl("--from-raw", str(folder / "pages.jsonl"), "--to", str(folder / "lake"))
    assert (run.code, run.rows) == (0, len(posts)), run.log
    parquet = folder / "lake/twitter_parquet/dt=2026-03-01/refined_tweets.parquet"
    return Lake(
        folder / "lake/twitter/dt=2026-03-01/refined_tweets.csv",
        parquet,
        pyarrow.parquet.read_table(parquet).to_pylist(),
    )


def spreadsheet_text(value: str | None) -> str:
    """What a spreadsheet can hold: one kind of line break, what XML allows, 32,767 characters."""
    text = re.sub(r"_x[0-9A-Fa-f]{4}_", "", value or "").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))[:LONGEST_CELL]


def as_cells(rows: Rows) -> list[dict[str, str | None]]:
    """Rows as the text of their cells; None is a cell with nothing in it, not even quotes."""
    return [{name: as_cell(name, value) for name, value in row.items()} for row in rows]


def as_cell(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        millis = f".{value.microsecond // 1000:03}" if value.microsecond else ""
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{millis}Z"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, list) else str(value)


def lists_read(rows: list[dict[Any, Any]]) -> list[dict[str, Any]]:
    """JSON cells as lists: JSON may be written in several ways."""
    return [
        {name: json.loads(value) if name in LISTS and value else value for name, value in row.items()} for row in rows
    ]


def same(found: list[dict[Any, Any]], lake: Lake, *, without_null: bool = False) -> None:
    """Compare cell by cell; `without_null`: for readers that can't tell nothing from an empty text."""
    expected = as_cells(lake.rows)
    if without_null:
        expected = [{name: value or "" for name, value in row.items()} for row in expected]
    found, wanted = lists_read(found), lists_read(expected)
    assert len(found) == len(wanted)
    for row, other in zip(found, wanted, strict=True):
        assert row == other


def test_python_csv(lake: Lake) -> None:
    csv.field_size_limit(1_000_000)  # its own limit of 131,072 characters is five times the longest post of X
    with lake.csv.open(encoding="utf-8", newline="") as stream:
        same(list(csv.DictReader(stream, strict=True)), lake, without_null=True)


def test_pandas_as_text(lake: Lake) -> None:
    frame = pd.read_csv(lake.csv, dtype=str, keep_default_na=False)
    same(frame.to_dict("records"), lake, without_null=True)


def test_pandas_with_the_types_of_the_documentation(lake: Lake) -> None:
    """The lines of docs/data.md, run as they stand there."""
    code = next(part for part in DATA_MD.read_text().split("```python\n")[1:] if "read_csv" in part).split("```")[0]
    names: dict[str, Any] = {"FILE": lake.csv}
    exec(code, names)  # noqa: S102 (our own documentation)
    frame = names["posts"]
    for name in NUMBERS + FLAGS:
        assert [None if value is pd.NA else value for value in frame[name].tolist()] == [r[name] for r in lake.rows], (
            name
        )
    for name in TIMES:
        assert [None if moment is pd.NaT else moment for moment in frame[name]] == [r[name] for r in lake.rows], name
    for name in ("id", "text", "conversation_id"):
        assert frame[name].tolist() == [r[name] or "" for r in lake.rows], name


def test_duckdb(lake: Lake) -> None:
    """The options of docs/data.md: nothing stays null, an empty text stays empty."""
    query = """select * from
        read_csv(?, all_varchar = true, nullstr = '', allow_quoted_nulls = false, hive_partitioning = false)"""
    result = duckdb.execute(query, [str(lake.csv)])
    names = [column[0] for column in result.description]
    same([dict(zip(names, row, strict=True)) for row in result.fetchall()], lake)


def test_duckdb_guesses_the_dialect(lake: Lake) -> None:
    found = duckdb.execute("select id, text from read_csv(?, types = {'id': 'VARCHAR'})", [str(lake.csv)]).fetchall()
    assert [(post_id, text or "") for post_id, text in found] == [(row["id"], row["text"] or "") for row in lake.rows]


def test_arrow(lake: Lake) -> None:
    names = list(lake.rows[0])
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.ReadOptions(block_size=4 * 1024 * 1024)
    same(pyarrow.csv.read_csv(lake.csv, read, parse, convert).to_pylist(), lake)


@pytest.mark.filterwarnings("ignore:Arrow output:UserWarning")  # it would be quicker in another way
def test_duckdb_reads_the_parquet_alike(lake: Lake) -> None:
    """Another implementation of Parquet, with the types of docs/data.md."""
    result = duckdb.execute("select * from read_parquet(?, hive_partitioning = false)", [str(lake.parquet)])
    types = {column[0]: str(column[1]) for column in result.description}
    table: pa.Table = result.to_arrow_table()
    assert as_cells(table.to_pylist()) == as_cells(lake.rows)
    assert types["id"] == "VARCHAR" and types["likes"] == "BIGINT" and types["hashtags"] == "VARCHAR[]"


@pytest.mark.skipif(not SPREADSHEET, reason="LibreOffice isn't installed (apt-get install libreoffice-calc-nogui)")
@pytest.mark.slow
def test_a_spreadsheet_that_imports_as_text(lake: Lake, tmp_path: Path) -> None:
    """LibreOffice's import with all columns as text: no formula, and every cell is what the CSV has."""
    import openpyxl

    text_columns = "/".join(f"{number}/2" for number in range(1, len(lake.rows[0]) + 1))
    command = [
        str(SPREADSHEET),
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        "--convert-to",
        "xlsx",
    ]
    command += [f"--infilter=CSV:44,34,76,1,{text_columns},0,true,false", "--outdir", str(tmp_path), str(lake.csv)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    sheet = openpyxl.load_workbook(tmp_path / "refined_tweets.xlsx").active
    assert sheet is not None
    cells = [[cell for cell in row] for row in sheet.iter_rows()]
    assert not [cell.value for row in cells for cell in row if cell.data_type == "f"], "formulas"
    names = [cell.value for cell in cells[0]]
    found = [dict(zip(names, (spreadsheet_text(cell.value) for cell in row), strict=True)) for row in cells[1:]]
    for row, other in zip(found, as_cells(lake.rows), strict=True):
        assert row == {name: spreadsheet_text(value) for name, value in other.items()}
