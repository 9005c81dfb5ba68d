"""Write one day: CSV, Parquet, raw pages, rejects, and last the manifest, which is the commit point.

The same posts give the same bytes: rows are ordered, nothing carries the time of writing, and `collected_at` (when
the posts were first seen in this state) is kept from the manifest in the lake when nothing else has changed.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import logging
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from .destinations import Destination
from .errors import disk_error
from .raw import JsonObject, dump_json, moment_of
from .schema import LIST_COLUMNS, TIME_COLUMNS
from .transform import COLUMNS, Reject

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
    table: pa.Table
    rejects: list[Reject]
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
    try:
        with tempfile.TemporaryDirectory(prefix="tweetlake-") as folder:
            return _commit(partition, destination, Path(folder))
    except OSError as error:  # those of the destination are DestinationErrors
        raise disk_error(f"The temporary folder {tempfile.gettempdir()}", error) from None


def _commit(partition: Partition, destination: Destination, folder: Path) -> JsonObject:
    manifest_key = partition.key("", "_manifest.json")
    previous = read_manifest(destination, manifest_key)
    content = content_sha256(partition.table)
    unchanged = previous.get("content_sha256") == content
    collected_at = iso(partition.collected_at)
    first_seen = moment_of(previous.get("collected_at"))
    if partition.collected_at is not None and unchanged and first_seen is not None:
        collected_at = iso(first_seen)
        partition.table = with_collected_at(partition.table, first_seen)

    files: dict[str, tuple[str, Path]] = {}  # key, local file
    csv_file, parquet_file = folder / "refined_tweets.csv", folder / "refined_tweets.parquet"
    write_csv(partition.table, csv_file)
    write_parquet(partition.table, parquet_file)
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
        rejected_file.write_bytes(b"".join(map(rejected_line, partition.rejects)))
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
        "rows": partition.table.num_rows,
        "rejected": len(partition.rejects),
        "collected_at": collected_at,
        **partition.facts,
        "columns": list(COLUMNS),
        "content_sha256": content,
        "files": described,
    }
    manifest_file = folder / "_manifest.json"
    manifest_file.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
    destination.put(manifest_key, manifest_file, CONTENT_TYPES[".json"])
    described["_manifest.json"] = {"key": manifest_key, "bytes": manifest_file.stat().st_size}
    return {
        "date": partition.day.isoformat(),
        "rows": partition.table.num_rows,
        "rejected": len(partition.rejects),
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


def iso(moment: datetime | None) -> str | None:
    """2026-08-20T12:00:00Z; with milliseconds only if there are any."""
    if moment is None:
        return None
    timespec = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=timespec).removesuffix("+00:00") + "Z"


def with_collected_at(table: pa.Table, moment: datetime) -> pa.Table:
    """The same rows, all collected at this time."""
    import pyarrow as pa

    index = table.schema.get_field_index("collected_at")
    column = pa.array([moment] * table.num_rows, table.schema.field(index).type)
    return table.set_column(index, table.schema.field(index), column)


def csv_table(table: pa.Table) -> pa.Table:
    """All that isn't text or a number as text: times as ISO 8601, lists as JSON."""
    import pyarrow as pa

    def json_text(value: list[str] | None) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    columns = []
    for name in table.column_names:
        column = table.column(name)
        if name in LIST_COLUMNS:
            column = pa.array(map(json_text, column.to_pylist()), pa.string())
        elif name in TIME_COLUMNS:
            column = pa.array(map(iso, column.to_pylist()), pa.string())
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def csv_bytes(table: pa.Table) -> bytes:
    """RFC 4180 with LF: every text in quotes, numbers and booleans bare; null is nothing, an empty text is \"\"."""
    import pyarrow.csv

    out = io.BytesIO()
    out.write(",".join(table.column_names).encode() + b"\n")
    pyarrow.csv.write_csv(csv_table(table), out, pyarrow.csv.WriteOptions(include_header=False))
    return out.getvalue()


def write_csv(table: pa.Table, file: Path) -> None:
    """refined_tweets.csv. Cells are the posts' own text, also when it begins with = + - or @: a leading quote against
    spreadsheet formulas would break every mention. Open the file in a spreadsheet as text."""
    file.write_bytes(csv_bytes(table))


def write_parquet(table: pa.Table, file: Path) -> None:
    """refined_tweets.parquet, zstd. Arrow writes no time of its own into it."""
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, file, compression="zstd")


def write_gzip(source: Path, target: Path) -> None:
    """Compress without name and time, so that the same pages give the same bytes."""
    with (
        source.open("rb") as pages,
        target.open("wb") as out,
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed,
    ):
        shutil.copyfileobj(pages, packed)


def rejected_line(reject: Reject) -> bytes:
    """One line of rejected.jsonl: the reason and the post (or row) it is about."""
    line = {"reason": reject.reason, "id": reject.post.get("id"), "post": reject.post}
    return dump_json(line) + b"\n"


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_sha256(table: pa.Table) -> str:
    """A fingerprint of all columns but collected_at: equal when the posts are the same."""
    return hashlib.sha256(csv_bytes(table.drop_columns(["collected_at"]))).hexdigest()
