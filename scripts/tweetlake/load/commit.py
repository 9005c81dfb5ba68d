"""Write one day: CSV, Parquet, raw pages, rejects, and last the manifest, which is the commit point.

The same posts give the same bytes: rows are ordered, nothing carries the time of writing, and `collected_at` (when
the posts were first seen in this state) is kept from the manifest in the lake when nothing else has changed.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ..columns import COLUMN_NAMES
from ..files import sha256_of, temporary_files, write_gzip
from ..raw import JsonObject
from ..times import iso, moment_of
from .destinations import Destination
from .manifest import CSV, MANIFEST, PARQUET, RAW, REJECTED, key_of, read_manifest, replaced_key_of
from .render import write_rows

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


@dataclass(frozen=True)
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
    newer_elsewhere: frozenset[str] = frozenset()  # ids that aren't rows because another day has a newer version
    is_foreign: bool = False  # with --replace: of another source than what is there, raw pages included

    def key(self, name: str) -> str:
        return key_of(self.day, self.source, name)


def commit(partition: Partition, destination: Destination) -> JsonObject:
    """Write the day and return its part of the summary: {date, rows, rejected, files: {name: {uri, bytes}}}."""
    # The destination's own OSErrors are DestinationErrors.
    with temporary_files(), tempfile.TemporaryDirectory(prefix="tweetlake-") as folder:
        landing = Landing(partition, destination, Path(folder))
        landing.render()
        landing.describe()
        landing.keep_replaced_raw()
        landing.withdraw_manifest()
        landing.upload()
        landing.confirm()
        landing.drop_stale()
        return landing.publish()


class Landing:
    """A day on its way into the lake: each step is a method, in the order of `commit`."""

    def __init__(self, partition: Partition, destination: Destination, folder: Path) -> None:
        self.partition = partition
        self.destination = destination
        self.folder = folder
        self.previous = read_manifest(destination, partition.key(MANIFEST), replace=True)  # it was judged before
        self.collected_at = partition.collected_at
        self.content_sha256 = ""
        self.files: list[Path] = []  # what is uploaded
        self.kept_raw: JsonObject | None = None  # raw pages that are in the lake and stay there
        self.described: dict[str, JsonObject] = {}  # the manifest's `files`

    def render(self) -> None:
        """Make the files here: the same posts as in the lake keep their collected_at, and their raw pages."""
        rows = (self.folder / CSV, self.folder / PARQUET)
        self.content_sha256 = write_rows(self.partition.chunks(), *rows)
        first_seen = moment_of(self.previous.get("collected_at"))
        if self.is_unchanged and None not in (self.collected_at, first_seen) and self.collected_at != first_seen:
            self.collected_at = first_seen
            write_rows(self.partition.chunks(), *rows, collected_at=first_seen)
        self.files += rows
        stays = self.is_unchanged if self.partition.raw_file is not None else not self.partition.is_foreign
        self.kept_raw = self.stored_raw() if stays else None
        if self.partition.raw_file is not None and self.kept_raw is None:
            self.files.append(self.folder / RAW)
            write_gzip(self.partition.raw_file, self.files[-1])
        if self.partition.rejects:
            self.files.append(self.folder / REJECTED)
            with self.files[-1].open("wb") as out:
                out.writelines(self.partition.reject_lines)

    @property
    def is_unchanged(self) -> bool:
        """Does the lake have these very posts already?"""
        return self.previous.get("content_sha256") == self.content_sha256

    def stored_raw(self) -> JsonObject | None:
        """The old manifest's entry for raw pages, if they are in the lake as it says."""
        key = self.partition.key(RAW)
        entry = self.previous.get("files", {}).get(RAW)
        if isinstance(entry, dict) and entry.get("key") == key and self.destination.size(key) == entry.get("bytes"):
            return entry
        return None

    def describe(self) -> None:
        """What the manifest says of each file: key, bytes, sha256."""
        for file in self.files:
            self.described[file.name] = {
                "key": self.partition.key(file.name),
                "bytes": file.stat().st_size,
                "sha256": sha256_of(file),
            }
        if self.kept_raw is not None:
            self.described[RAW] = self.kept_raw

    def keep_replaced_raw(self) -> None:
        """Raw pages were paid for: those that give way to others are copied beside, under their SHA-256. They are
        looked for in the lake: a run killed halfway has removed the manifest already."""
        if RAW not in self.described and not self.partition.is_foreign:
            return
        key, old = self.partition.key(RAW), self.folder / "replaced.gz"
        if self.kept_raw is not None or not self.destination.fetch(key, old):
            return
        sha256 = sha256_of(old)
        if sha256 == self.described.get(RAW, {}).get("sha256"):
            return
        replaced_key = replaced_key_of(key, sha256)
        if self.destination.size(replaced_key) != old.stat().st_size:
            self.destination.put(replaced_key, old, CONTENT_TYPES[".gz"])
        self.destination.confirm(replaced_key, old.stat().st_size, sha256)
        log.info("The raw pages that were there are kept in %s.", self.destination.uri(replaced_key))

    def withdraw_manifest(self) -> None:
        """Without its manifest a day counts as not there, which is what it is while its files are being replaced."""
        if not self.previous or self.previous.get("files") == self.described:
            return
        if not self.destination.delete(self.partition.key(MANIFEST)):
            day = self.partition.day
            log.warning("The old manifest of %s can't be removed: readers may see it beside new files.", day)

    def upload(self) -> None:
        for file in self.files:
            self.destination.put(self.partition.key(file.name), file, CONTENT_TYPES[file.suffix])

    def confirm(self) -> None:
        """Look at what is there now, the raw pages that were kept included."""
        for entry in self.described.values():
            self.destination.confirm(entry["key"], entry["bytes"], entry["sha256"])

    def drop_stale(self) -> None:
        """Rejects that are no more, and raw pages of another source. Looked for in the lake, not in the old manifest: a
        run killed halfway has removed that one already."""
        for name, stale in ((REJECTED, not self.partition.rejects), (RAW, self.partition.is_foreign)):
            key = self.partition.key(name)
            if not stale or name in self.described or self.destination.size(key) is None:
                continue
            if not self.destination.delete(key):
                log.warning("%s is from an earlier run and can't be removed.", self.destination.uri(key))

    def publish(self) -> JsonObject:
        """Write the manifest: now the day is there. Returns its part of the summary."""
        partition, described = self.partition, self.described
        manifest = {
            "date": partition.day.isoformat(),
            "source": partition.source,
            "rows": partition.rows,
            "rejected": partition.rejects,
            "collected_at": iso(self.collected_at),
            **partition.facts,
            "columns": list(COLUMN_NAMES),
            "content_sha256": self.content_sha256,
            "files": described,
        }
        file = self.folder / MANIFEST
        file.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
        self.destination.put(partition.key(MANIFEST), file, CONTENT_TYPES[file.suffix])
        told = described | {MANIFEST: {"key": partition.key(MANIFEST), "bytes": file.stat().st_size}}
        return {
            "date": partition.day.isoformat(),
            "rows": partition.rows,
            "rejected": partition.rejects,
            "files": {
                name: {"uri": self.destination.uri(entry["key"]), "bytes": entry["bytes"]}
                for name, entry in told.items()
            },
        }
