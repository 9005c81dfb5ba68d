"""The rows of a day that is in the lake: whose posts they are, and which of them wouldn't be there any more."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from ..files import temporary_files
from ..raw import JsonObject
from .destinations import Destination
from .landed import Landed, Origin
from .manifest import PARQUET

if TYPE_CHECKING:
    from .commit import Partition


def author_there(destination: Destination, manifest: JsonObject) -> Origin:
    """The account that has written all rows; unknown when there are several, or none."""
    rows = rows_there(destination, manifest, ["author_id", "username"])
    ids = rows.column("author_id").unique().to_pylist() if rows else []
    names = rows.column("username").unique().to_pylist() if rows else []
    if len(ids) != 1 or len(names) > 1:
        return Origin()
    return Origin(names[0], ids[0])


def lost_posts(destination: Destination, manifest: JsonObject, partition: Partition) -> int:
    """How many posts of the day in the lake aren't in the rows to come, in a newer version neither."""
    ids: list[pa.Array] = []
    edited = set(partition.newer_elsewhere)
    for chunk in partition.chunks():
        ids += chunk.column("id").chunks
        edited |= older_versions(chunk)
    there = rows_there(destination, manifest, ["id"])
    if there is None:
        return max(0, Landed.of(manifest).rows - partition.rows)
    known = pa.concat_arrays([*ids, pa.array(sorted(edited), pa.string())])
    return pc.sum(pc.invert(pc.is_in(there.column("id"), value_set=known))).as_py() or 0


def older_versions(rows: pa.Table) -> set[str]:
    """Ids of the posts that these have replaced. Ids grow with time."""
    edited = rows.select(["id", "edit_history_ids"]).filter(pc.fill_null(rows.column("edited"), False))
    return {
        version
        for row in edited.to_pylist()
        for version in row["edit_history_ids"] or ()
        if version.isdecimal() and int(version) < int(row["id"])
    }


def rows_there(destination: Destination, manifest: JsonObject, columns: list[str]) -> pa.Table | None:
    """Columns of the Parquet file in the lake; None when it isn't there."""
    entry = manifest["files"].get(PARQUET)
    if not isinstance(entry, dict):
        return None
    with temporary_files(), tempfile.TemporaryDirectory(prefix="tweetlake-") as folder:
        file = Path(folder) / PARQUET
        if not destination.fetch(str(entry.get("key")), file):
            return None
        return pyarrow.parquet.read_table(file, columns=columns)
