"""Write one day: CSV, Parquet, raw pages, rejects, and last the manifest, which is the commit point.

The same posts give the same bytes: rows are ordered, nothing carries the time of writing, and `collected_at` (when
the posts were first seen in this state) is kept from the manifest in the lake when nothing else has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ..columns import COLUMN_NAMES, CONTENT_NAMES, arrow_schema
from ..files import sha256_of, temporary_files, write_gzip
from ..raw import JsonObject
from ..times import iso, moment_of
from .cells import csv_cells, csv_header, csv_lines
from .destinations import Destination

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
}


@dataclass
class Partition:
    """One day to be written. `facts` go into the manifest as they are."""

    day: date
    source: str | None
    rows: int
    chunks: Callable[[], Iterator[pa.Table]]  # the rows in their order, as often as asked
    rejects: int
    reject_lines: Iterable[bytes]
    raw_file: Path | None  # JSON Lines of the pages; None with --from-raw: then they are kept already
    collected_at: datetime | None  # one time for all rows of an API run; None: each row has its own
    facts: JsonObject = field(default_factory=dict)

    def key(self, kind: str, name: str) -> str:
        """twitter[_KIND]/[source=NAME/]dt=D/NAME"""
        table = f"twitter_{kind}" if kind else "twitter"
        source = f"source={self.source}/" if self.source else ""
        return f"{table}/{source}dt={self.day}/{name}"


def commit(partition: Partition, destination: Destination) -> JsonObject:
    """Write the day and return its part of the summary: {date, rows, rejected, files: {name: {uri, bytes}}}."""
    # The destination's own OSErrors are DestinationErrors.
    with temporary_files(), tempfile.TemporaryDirectory(prefix="tweetlake-") as folder:
        return _commit(partition, destination, Path(folder))


def _commit(partition: Partition, destination: Destination, folder: Path) -> JsonObject:
    manifest_key = partition.key("", "_manifest.json")
    previous = read_manifest(destination, manifest_key)
    csv_file, parquet_file = folder / "refined_tweets.csv", folder / "refined_tweets.parquet"
    content = write_rows(partition.chunks(), csv_file, parquet_file)
    unchanged = previous.get("content_sha256") == content
    collected_at = partition.collected_at
    first_seen = moment_of(previous.get("collected_at"))
    if unchanged and None not in (collected_at, first_seen) and collected_at != first_seen:
        collected_at = first_seen
        write_rows(partition.chunks(), csv_file, parquet_file, collected_at=first_seen)

    files: dict[str, tuple[str, Path]] = {}  # key, local file
    files["refined_tweets.csv"] = (partition.key("", csv_file.name), csv_file)
    files["refined_tweets.parquet"] = (partition.key("parquet", parquet_file.name), parquet_file)
    raw_key = partition.key("raw", "pages.jsonl.gz")
    kept_raw = stored_raw(destination, raw_key, previous) if unchanged or partition.raw_file is None else None
    if partition.raw_file is not None and kept_raw is None:
        raw_file = folder / "pages.jsonl.gz"
        write_gzip(partition.raw_file, raw_file)
        files["pages.jsonl.gz"] = (raw_key, raw_file)
    rejected_key = partition.key("rejected", "rejected.jsonl")
    if partition.rejects:
        rejected_file = folder / "rejected.jsonl"
        with rejected_file.open("wb") as out:
            out.writelines(partition.reject_lines)
        files["rejected.jsonl"] = (rejected_key, rejected_file)

    described: dict[str, JsonObject] = {
        name: {"key": key, "bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for name, (key, file) in files.items()
    }
    if kept_raw is not None:
        described["pages.jsonl.gz"] = kept_raw
    if previous and previous.get("files") != described and not destination.delete(manifest_key):
        # Without its manifest a day counts as not there, which is what it is while its files are being replaced.
        log.warning("The old manifest of %s can't be removed: readers may see it beside new files.", partition.day)
    for key, file in files.values():
        destination.put(key, file, CONTENT_TYPES[file.suffix])
    for entry in described.values():
        destination.confirm(entry["key"], entry["bytes"], entry["sha256"])
    # Looked for in the lake, not in the old manifest: a run killed halfway has removed that one already.
    stale = not partition.rejects and destination.size(rejected_key) is not None
    if stale and not destination.delete(rejected_key):
        log.warning("%s is from an earlier run and can't be removed.", destination.uri(rejected_key))

    manifest = {
        "date": partition.day.isoformat(),
        "source": partition.source,
        "rows": partition.rows,
        "rejected": partition.rejects,
        "collected_at": iso(collected_at),
        **partition.facts,
        "columns": list(COLUMN_NAMES),
        "content_sha256": content,
        "files": described,
    }
    manifest_file = folder / "_manifest.json"
    manifest_file.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
    destination.put(manifest_key, manifest_file, CONTENT_TYPES[".json"])
    described["_manifest.json"] = {"key": manifest_key, "bytes": manifest_file.stat().st_size}
    return {
        "date": partition.day.isoformat(),
        "rows": partition.rows,
        "rejected": partition.rejects,
        "files": {
            name: {"uri": destination.uri(entry["key"]), "bytes": entry["bytes"]} for name, entry in described.items()
        },
    }


def read_manifest(destination: Destination, key: str) -> JsonObject:
    """The manifest in the lake; empty when there is none or it isn't one."""
    content = destination.read(key)
    if content is None:
        return {}
    with contextlib.suppress(orjson.JSONDecodeError):
        manifest = orjson.loads(content)
        if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict):
            return manifest
    log.warning("%s isn't a manifest; it is replaced.", destination.uri(key))
    return {}


def stored_raw(destination: Destination, key: str, previous: JsonObject) -> JsonObject | None:
    """The manifest's entry for raw pages that are in the lake already and stay there."""
    entry = previous.get("files", {}).get("pages.jsonl.gz")
    if isinstance(entry, dict) and entry.get("key") == key and destination.size(key) == entry.get("bytes"):
        return entry
    return None


def with_collected_at(table: pa.Table, moment: datetime) -> pa.Table:
    """The same rows, all collected at this time."""
    import pyarrow as pa

    index = table.schema.get_field_index("collected_at")
    column = pa.array([moment] * table.num_rows, table.schema.field(index).type)
    return table.set_column(index, table.schema.field(index), column)


def write_rows(
    chunks: Iterable[pa.Table], csv_file: Path, parquet_file: Path, *, collected_at: datetime | None = None
) -> str:
    """Write refined_tweets.csv and refined_tweets.parquet (zstd; Arrow writes no time of its own into it), with this
    `collected_at` in all rows if it's given.

    Returns the SHA-256 of the CSV without collected_at: equal when the posts are the same.
    """
    import pyarrow.parquet

    content = hashlib.sha256(csv_header(CONTENT_NAMES))
    with (
        csv_file.open("wb") as csv,
        pyarrow.parquet.ParquetWriter(parquet_file, arrow_schema(), compression="zstd") as parquet,
    ):
        csv.write(csv_header(COLUMN_NAMES))
        for chunk in chunks:
            table = chunk if collected_at is None else with_collected_at(chunk, collected_at)
            parquet.write_table(table)
            cells = csv_cells(table)
            csv.write(csv_lines(cells))
            content.update(csv_lines(cells.select(CONTENT_NAMES)))
    return content.hexdigest()
