"""What has landed, as tables for a terminal."""

import csv
import io
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

COLUMNS = ("created_at", "username", "text", "likes", "retweets")
ROWS = 5


def console() -> Console:
    """The terminal; as wide as the tables where the output is a file or a pipe."""
    return Console(width=None if sys.stdout.isatty() else 130)


def table_of_files(title: str, sizes: Mapping[str, int]) -> Table:
    """Names of objects or files, with their bytes."""
    table = Table("object", "bytes", title=title)
    for name, size in sorted(sizes.items()):
        table.add_row(name, f"{size:,}")
    return table


def rows_of(refined_csv: str) -> list[dict[str, str]]:
    """All posts of a refined_tweets.csv."""
    return list(csv.DictReader(io.StringIO(refined_csv)))


def table_of_posts(day: str, rows: list[dict[str, str]]) -> Table:
    """The first posts of a day, each on one line."""
    table = Table(
        *(Column(name, no_wrap=name != "text") for name in COLUMNS),
        title=f"{len(rows)} posts of {day}, the first {min(ROWS, len(rows))}",
    )
    for row in rows[:ROWS]:
        # Text: [words in brackets] are words, not rich's markup. What the terminal has no room for is cut.
        cells = (Text(" ".join(row[name].split()), no_wrap=True, overflow="ellipsis") for name in COLUMNS)
        table.add_row(*cells)
    return table
