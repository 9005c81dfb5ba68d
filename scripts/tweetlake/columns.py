"""The columns of a day, once: name, type, check and how a cell of the CSV is made. All else derives from this table.

The order of the CSV and the Parquet file, the Arrow schema, the pandera checks and the CSV's cells are made from it;
tests hold the Glue table (roles/aws/vars/catalog.yml) and docs/data.md to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # imported when the posts are there: it costs memory while waiting for X
    import pyarrow as pa

Row = tuple[Any, ...]  # one value per column, in the order of COLUMNS


@dataclass(frozen=True)
class Kind:
    """A type of column. `cell`: how the CSV writes it, as it is, as ISO 8601 or as a JSON list."""

    arrow: str  # the Arrow type by the name of its pyarrow function; see arrow_type
    cell: Literal["plain", "iso", "json"] = "plain"
    check: Literal["digits", "not negative"] | None = None


TEXT = Kind("string")
ID = Kind("string", check="digits")
COUNT = Kind("int64", check="not negative")
FLAG = Kind("bool_")
TEXTS = Kind("list_", cell="json")
TIME = Kind("timestamp", cell="iso")


@dataclass(frozen=True)
class Column:
    """One column. What the API didn't say is null, so only what every post has isn't `nullable`."""

    name: str
    kind: Kind
    nullable: bool = True
    unique: bool = False

    @property
    def is_checked(self) -> bool:
        """Does pandera look at it? What can be null and has no check is settled by its Arrow type."""
        return self.kind.check is not None or not self.nullable


COLUMNS = (
    Column("id", ID, nullable=False, unique=True),
    Column("created_at", TIME, nullable=False),
    Column("username", TEXT),
    Column("author_id", ID),
    Column("text", TEXT),
    Column("lang", TEXT),
    Column("likes", COUNT),
    Column("retweets", COUNT),
    Column("replies", COUNT),
    Column("quotes", COUNT),
    Column("bookmarks", COUNT),
    Column("impressions", COUNT),
    Column("is_reply", FLAG),
    Column("is_retweet", FLAG),
    Column("is_quote", FLAG),
    Column("conversation_id", ID),
    Column("referenced_id", ID),
    Column("url", TEXT, nullable=False),
    Column("hashtags", TEXTS),
    Column("mentions", TEXTS),
    Column("links", TEXTS),
    Column("edited", FLAG),
    Column("edit_history_ids", TEXTS),
    Column("possibly_sensitive", FLAG),
    Column("withheld_countries", TEXTS),
    Column("collected_at", TIME),
    # Later ones stand behind it: readers that count columns keep their places.
    Column("media_types", TEXTS),
    Column("media_urls", TEXTS),
    Column("article_title", TEXT),
    Column("place", TEXT),
)
COLUMN_NAMES = tuple(column.name for column in COLUMNS)
CONTENT_NAMES = tuple(name for name in COLUMN_NAMES if name != "collected_at")  # what X says, not when it was asked


def arrow_schema() -> pa.Schema:
    """The types of refined_tweets.parquet: timestamp in UTC, int64, bool, list of text, text."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column.kind)) for column in COLUMNS])


def arrow_type(kind: Kind) -> pa.DataType:
    """The Arrow type of a kind of column. Times are in milliseconds, as X gives them."""
    import pyarrow as pa

    arguments: dict[str, dict[str, Any]] = {
        "list_": {"value_type": pa.string()},
        "timestamp": {"unit": "ms", "tz": "UTC"},
    }
    return getattr(pa, kind.arrow)(**arguments.get(kind.arrow, {}))
