"""python -m benchmarks.shares OPTIONS: run the script in this process and print the CPU seconds of its steps.

As JSON, each step without the steps it calls.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import pyarrow.csv
import pyarrow.parquet
import twitter_etl
from tweetlake.load import commit as load
from tweetlake.load import render
from tweetlake.reading import pages
from tweetlake.transform import portions, schema, store

seconds: defaultdict[str, float] = defaultdict(float)
steps: list[str] = ["imports"]
switched = 0.0


def timed(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its time added to the step."""

    @functools.wraps(function)
    def inner(*arguments: Any, **options: Any) -> Any:
        charge()
        steps.append(step)
        try:
            return function(*arguments, **options)
        finally:
            charge()
            steps.pop()

    return inner


def charge() -> None:
    """Time since the last call was the current step's."""
    global switched
    now = time.process_time()
    seconds[steps[-1]] += now - switched
    switched = now


def watch(place: Any, name: str, step: str) -> None:
    setattr(place, name, timed(step, getattr(place, name)))


def main() -> int:
    charge()
    steps[:] = ["everything else"]
    watch(pages, "plain_page", "JSON parsing")
    watch(portions.Maker, "take", "transform")
    watch(schema, "table_of", "Arrow columns")
    watch(schema, "check", "checks")
    watch(store.RowStore, "add", "rows to the disk and back")
    watch(store.RowStore, "_gather", "rows to the disk and back")
    watch(render, "csv_cells", "CSV")
    watch(render, "csv_lines", "CSV")
    watch(pyarrow.parquet.ParquetWriter, "write_table", "Parquet")
    watch(load, "sha256_of", "checksums")
    from tweetlake.load.bucket import Bucket
    from tweetlake.load.destinations import Folder

    for place in (Folder, Bucket):
        for name in ("put", "read", "size", "delete", "check"):
            watch(place, name, "bucket")
    with contextlib.redirect_stdout(sys.stderr):
        code = twitter_etl.main(sys.argv[1:])
    charge()
    print(json.dumps(dict(seconds)))
    return code


if __name__ == "__main__":
    sys.exit(main())
