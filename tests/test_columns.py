"""The one table of columns, and all that must agree with it: rows, Glue's tables, docs/data.md."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from tweetlake.columns import COLUMN_NAMES, COLUMNS, Column, arrow_schema, arrow_type
from tweetlake.raw import page_of
from tweetlake.transform.rows import row_of
from tweetlake.transform.schema import row_schema

PROJECT = Path(__file__).resolve().parents[1]
COLLECTED_AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
# Arrow's name of each type, and how Glue and docs/data.md call it.
GLUE_TYPES = {
    "string": "string",
    "int64": "bigint",
    "bool": "boolean",
    "list<item: string>": "array<string>",
    "timestamp[ms, tz=UTC]": "timestamp",
}
DOCUMENTED_TYPES = {
    "string": "text",
    "int64": "int64",
    "bool": "bool",
    "list<item: string>": "list of text",
    "timestamp[ms, tz=UTC]": "timestamp(ms, UTC)",
}

# A post in which every column has a value of its own, by the name of its column.
POST = {
    "id": "2028000000000000001",
    "created_at": "2026-03-01T10:00:00.000Z",
    "author_id": "42",
    "text": "RT or not",
    "lang": "en",
    "public_metrics": {
        "like_count": 1,
        "retweet_count": 2,
        "reply_count": 3,
        "quote_count": 4,
        "bookmark_count": 5,
        "impression_count": 6,
    },
    "referenced_tweets": [{"type": "quoted", "id": "99"}],
    "conversation_id": "7",
    "entities": {
        "hashtags": [{"tag": "tag"}],
        "mentions": [{"username": "mentioned"}],
        "urls": [{"expanded_url": "https://example.org/"}],
    },
    "edit_history_tweet_ids": ["2028000000000000000", "2028000000000000001"],
    "possibly_sensitive": False,
    "withheld": {"country_codes": ["DE"]},
    "attachments": {"media_keys": ["3_1"]},
    "article": {"title": "of an article"},
    "geo": {"place_id": "3078869807f9dd36"},
}
ROW: dict[str, Any] = {
    "id": "2028000000000000001",
    "created_at": datetime(2026, 3, 1, 10, tzinfo=UTC),
    "username": "writer",
    "author_id": "42",
    "text": "RT or not",
    "lang": "en",
    "likes": 1,
    "retweets": 2,
    "replies": 3,
    "quotes": 4,
    "bookmarks": 5,
    "impressions": 6,
    "is_reply": False,
    "is_retweet": False,
    "is_quote": True,
    "conversation_id": "7",
    "referenced_id": "99",
    "url": "https://x.com/writer/status/2028000000000000001",
    "hashtags": ["tag"],
    "mentions": ["mentioned"],
    "links": ["https://example.org/"],
    "edited": True,
    "edit_history_ids": ["2028000000000000000", "2028000000000000001"],
    "possibly_sensitive": False,
    "withheld_countries": ["DE"],
    "collected_at": COLLECTED_AT,
    "media_types": ["photo"],
    "media_urls": ["https://pbs.twimg.com/media/1.jpg"],
    "article_title": "of an article",
    "place": "Berlin, Germany",
}
INCLUDES = {
    "users": [{"id": "42", "username": "writer"}],
    "media": [{"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/1.jpg"}],
    "places": [{"id": "3078869807f9dd36", "full_name": "Berlin, Germany"}],
}


def catalog() -> dict[str, Any]:
    text = (PROJECT / "roles/aws/vars/catalog.yml").read_text(encoding="utf-8")
    variables: dict[str, Any] = yaml.safe_load(text)
    return variables


def documented() -> dict[str, str]:
    """Name of each column in docs/data.md -> its type there."""
    table = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    table = table.partition("## Columns")[2].partition("**CSV.**")[0]
    lines = re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.MULTILINE)
    return {name: type_ for names, type_ in lines for name in re.findall(r"`(\w+)`", names)}


def test_a_row_has_its_values_in_the_order_of_the_columns() -> None:
    """row_of makes a tuple by hand, which is quick; so its order is held here."""
    page = page_of({"data": [POST], "includes": INCLUDES})
    row = row_of(page.posts[0], page, COLLECTED_AT)
    assert dict(zip(COLUMN_NAMES, row, strict=True)) == ROW
    table = pa.table(
        [pa.array([value], type_) for value, type_ in zip(row, arrow_schema().types, strict=True)], COLUMN_NAMES
    )
    assert table.to_pylist() == [ROW], "each value fits its Arrow type"


def test_glue_has_the_same_columns_and_types() -> None:
    ours = [(column.name, GLUE_TYPES[str(arrow_type(column.kind))]) for column in COLUMNS]
    assert [(column["Name"], column["Type"]) for column in catalog()["__aws_catalog_columns"]] == ours


def test_the_documentation_has_the_same_columns_and_types() -> None:
    ours = {column.name: DOCUMENTED_TYPES[str(arrow_type(column.kind))] for column in COLUMNS}
    assert list(documented().items()) == list(ours.items())


@pytest.mark.parametrize("column", COLUMNS, ids=COLUMN_NAMES)
def test_pandera_looks_at_what_arrow_cannot_know(column: Column) -> None:
    """Arrow holds the types; what must be there, once, of digits or not negative is pandera's."""
    checked = row_schema(None).columns.get(column.name)
    assert (checked is not None) == (not column.nullable or column.kind.check is not None)
    if checked:
        assert (checked.nullable, checked.unique) == (column.nullable, column.unique)
        assert len(checked.checks) == (column.kind.check is not None)
