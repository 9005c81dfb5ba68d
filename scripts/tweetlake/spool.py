"""Pages on the local disk until the manifest is in the lake: a run that is killed goes on, and pays for no page twice.

The spool is itself a raw file: what --from-raw reads. One file per source, window and filters.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from pathlib import Path
from typing import IO

import orjson

from .errors import UsageError, XUnavailableError
from .raw import JsonObject, Page, dump_json, page_of, parse_json

log = logging.getLogger(__name__)


class Spool:
    """An append-only file of pages, locked while a run uses it (the lock dies with the process)."""

    def __init__(self, folder: Path, label: str, identity: JsonObject) -> None:
        """`identity`: all that makes two runs ask for the same posts."""
        digest = hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
        self.path = folder / f"{label}-{digest}.jsonl"
        self._file: IO[bytes] | None = None

    def open(self) -> list[Page]:
        """Lock the spool and return the pages an earlier run left. A torn last line is cut off."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise UsageError(
                f"The state directory {self.path.parent} can't be written: {error.strerror}.",
                hint="Set TWITTER_ETL_STATE_DIR to a folder of this user.",
            ) from None
        self._lock(self._file)
        pages: list[Page] = []
        good_bytes = 0
        self._file.seek(0)
        for line in self._file:
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("torn")
                pages.append(page_of(parse_json(line)))
            except ValueError:
                log.warning("%s is damaged after page %d; it is cut there.", self.path, len(pages))
                break
            good_bytes += len(line)
        self._file.truncate(good_bytes)
        self._file.seek(good_bytes)
        return pages

    def _lock(self, file: IO[bytes]) -> None:
        holder = self.path.with_suffix(".lock")
        self._holder = holder.open("a+b")
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._holder.seek(0)
            who = self._holder.read(20).decode(errors="replace") or "unknown"
            self._holder.close()
            file.close()
            self._file = None
            raise XUnavailableError(
                f"Another run of the same source and day is at work (process {who}).", hint="Let it finish."
            ) from None
        self._holder.truncate(0)
        self._holder.write(str(os.getpid()).encode())
        self._holder.flush()

    def append(self, document: JsonObject) -> None:
        """Keep a page: on the disk, not only in a buffer, when this returns."""
        if self._file is None:
            raise RuntimeError("the spool isn't open")
        self._file.write(dump_json(document) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def kept(self) -> str:
        """For messages: where the pages are, if there are any."""
        if not self.path.exists() or not self.path.stat().st_size:
            return ""
        return (
            f"The pages that came are kept in {self.path}: run it again and it goes on from there without paying for "
            "them twice, or remove that file to begin anew."
        )

    def close(self) -> None:
        """Unlock. The pages stay."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._holder.close()

    def remove(self) -> None:
        """The manifest is in the lake: the pages are there, too."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        self.close()
