"""Rows on the disk, in memory only their ids and times: millions of rows in the memory of some thousands.

Rows come in portions, in the order of reading, and each portion is sorted and written to one temporary file in small
blocks. When all are there, `decide` says which of them stay; then days are read back in order, a chunk at a time. For a
chunk only the blocks that hold its rows are read: a few when pages came in order of time, as X gives them, and some
from each portion when they didn't.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .rows import Rules

BLOCK_ROWS = 500  # what is read at least to get a row back
CHUNK_ROWS = 20_000  # what is handed out at once: about 15 MB; a row group of Parquet
BLOCKS_AT_HAND = CHUNK_ROWS // BLOCK_ROWS
DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1)

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]


class RowStore:
    """Rows of one landing in a temporary file. Rows are numbered as they are stored, across all portions."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._file = file
        self._schema = schema
        self._starts: list[int] = []  # of each portion: the number of its first row
        self._ids: list[UInt64s] = []  # of each portion, in its order: by time and id
        self._times: list[Int64s] = []  # milliseconds since 1970 (UTC)
        self._places: list[tuple[int, int]] = []  # of each block in the file: offset, bytes
        self._first_rows: list[int] = []  # number of each block's first row
        self._first_of: dict[int, int] = {}  # id of an edited post -> the id of its first version
        self._rows = 0
        self._gone: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)  # by number: not part of the result
        self._block = functools.lru_cache(maxsize=BLOCKS_AT_HAND)(self._read_block)

    def add(self, table: pa.Table) -> None:
        """Store a portion, in which no id is twice."""
        if not table.num_rows:
            return
        ids = table.column("id").cast(pa.uint64()).to_numpy()
        times = table.column("created_at").cast(pa.int64()).to_numpy()
        order = np.lexsort((ids, times))
        self._starts.append(self._rows)
        self._ids.append(ids[order])
        self._times.append(times[order])
        for block in table.take(order).combine_chunks().to_batches(max_chunksize=BLOCK_ROWS):
            content = block.serialize()
            self._places.append((self._file.tell(), content.size))
            self._first_rows.append(self._rows)
            self._file.write(content)
            self._rows += block.num_rows

    def note_versions(self, first_of: Mapping[int, int]) -> None:
        """Copies of these posts say that they are versions of others, or (both ids the same) that they aren't."""
        for post_id, first_id in first_of.items():
            if post_id != first_id:
                self._first_of[post_id] = first_id
            elif self._first_of:
                self._first_of.pop(post_id, None)

    def decide(self, rules: Rules) -> Counter[str]:
        """Decide which rows stay, and return how many don't, by reason."""
        self._file.flush()
        self._gone = np.zeros(self._rows, np.bool_)
        left_out = Counter(duplicates=self._drop(self._earlier_copies()))
        left_out["older_versions"] = self._drop(self._older_versions())
        # Only now, so that a day rebuilt alone holds no version that an edit after midnight has replaced.
        if rules.days:
            left_out["other_days"] = self._drop(self._not_of(rules.days))
        if rules.newest is not None and self.rows > rules.newest:
            left_out["beyond_limit"] = self._drop(self._in_order(None)[: self.rows - rules.newest])
        return +left_out  # without the zeros

    @property
    def rows(self) -> int:
        """How many rows stay."""
        return self._rows - int(self._gone.sum())

    def rows_of_days(self) -> Counter[date]:
        """How many rows stay of each UTC day."""
        found: Counter[date] = Counter()
        for start, times in zip(self._starts, self._times, strict=True):
            staying = times[~self._gone[start : start + len(times)]]
            for day, rows in zip(*np.unique(staying // DAY_MS, return_counts=True), strict=True):
                found[EPOCH + timedelta(days=int(day))] += int(rows)
        return found

    def chunks(self, day: date | None) -> Iterator[pa.Table]:
        """The rows of a UTC day (None: all), ordered by time and id."""
        numbers = self._in_order(day)
        for start in range(0, len(numbers), CHUNK_ROWS):
            yield self._gather(numbers[start : start + CHUNK_ROWS])

    # ---- which rows stay

    def _drop(self, numbers: Int64s) -> int:
        self._gone[numbers] = True
        return len(numbers)

    def _earlier_copies(self) -> Int64s:
        """All but the last copy of posts that came more than once: metrics of a later copy are newer."""
        if len(self._ids) < 2:
            return np.zeros(0, np.int64)
        every_id = np.concatenate(self._ids)
        every_id.sort()
        twice = np.unique(every_id[1:][every_id[1:] == every_id[:-1]])
        del every_id
        numbers, ids = self._find(twice)
        _, last = np.unique(ids[::-1], return_index=True)
        return np.delete(numbers, len(ids) - 1 - last)

    def _older_versions(self) -> Int64s:
        """All versions of edited posts but the newest that is here. Ids grow with time."""
        versions = {*self._first_of, *self._first_of.values()}
        numbers, ids = self._find(np.array(sorted(versions), np.uint64))
        newest: dict[int, tuple[int, int]] = {}  # id of the first version -> (id, number) of the newest
        older = []
        for version in sorted(zip(ids.tolist(), numbers.tolist(), strict=True)):
            if self._gone[version[1]]:
                continue
            first = self._first_of.get(version[0], version[0])
            if first in newest:
                older.append(newest[first][1])
            newest[first] = version
        return np.array(older, np.int64)

    def _not_of(self, days: Collection[date]) -> Int64s:
        wanted = [(day - EPOCH).days for day in days]
        numbers = np.concatenate(
            [np.zeros(0, np.int64)]
            + [
                start + np.flatnonzero(~np.isin(times // DAY_MS, wanted))
                for start, times in zip(self._starts, self._times, strict=True)
            ]
        )
        return numbers[~self._gone[numbers]]

    def _find(self, wanted: UInt64s) -> tuple[Int64s, UInt64s]:
        """Numbers and ids of the rows with these ids (sorted), in the order of reading."""
        numbers, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        if len(wanted):
            for start, of_portion in zip(self._starts, self._ids, strict=True):
                nearest = np.minimum(np.searchsorted(wanted, of_portion), len(wanted) - 1)
                hits = np.flatnonzero(wanted[nearest] == of_portion)
                numbers.append(start + hits)
                ids.append(of_portion[hits])
        return np.concatenate(numbers), np.concatenate(ids)

    # ---- reading them back

    def _in_order(self, day: date | None) -> Int64s:
        """Numbers of the rows of a day (None: all) that stay, ordered by time and id."""
        found: list[tuple[Int64s, Int64s, UInt64s]] = []
        for start, times, ids in zip(self._starts, self._times, self._ids, strict=True):
            first, end = 0, len(times)
            if day:
                midnight = (day - EPOCH).days * DAY_MS
                first, end = np.searchsorted(times, [midnight, midnight + DAY_MS]).tolist()
            staying = first + np.flatnonzero(~self._gone[start + first : start + end])
            found.append((start + staying, times[staying], ids[staying]))
        if not found:
            return np.zeros(0, np.int64)
        numbers, times, ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return numbers[np.lexsort((ids, times))]

    def _gather(self, numbers: Int64s) -> pa.Table:
        """These rows, in this order."""
        block_of_row = np.searchsorted(self._first_rows, numbers, side="right") - 1
        by_block = np.argsort(block_of_row, kind="stable")
        blocks, starts = np.unique(block_of_row[by_block], return_index=True)
        pieces = []
        for block, rows in zip(blocks.tolist(), np.split(numbers[by_block], starts[1:]), strict=True):
            pieces.append(rows_of(self._block(block), rows - self._first_rows[block]))
        table = pa.Table.from_batches(pieces, self._schema)
        if np.all(by_block[:-1] < by_block[1:]):
            return table.combine_chunks()
        return table.combine_chunks().take(pa.array(np.argsort(by_block)))

    def _read_block(self, block: int) -> pa.RecordBatch:
        offset, size = self._places[block]
        self._file.seek(offset)
        return pa.ipc.read_record_batch(pa.py_buffer(self._file.read(size)), self._schema)


def rows_of(block: pa.RecordBatch, numbers: Int64s) -> pa.RecordBatch:
    """These rows of a block, ascending. Mostly they follow each other, and nothing has to be copied."""
    first, last = int(numbers[0]), int(numbers[-1])
    if last - first == len(numbers) - 1:
        return block.slice(first, len(numbers))
    return block.take(pa.array(numbers))
