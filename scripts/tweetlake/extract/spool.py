"""Pages on the local disk until the manifest is in the lake: a run that is killed goes on, and pays for no page twice.

The spool is itself a raw file: what --from-raw reads. One file per source, window and filters.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import IO

import orjson

from ..errors import XUnavailableError
from ..files import disk_error, require_room, sha256_of, temporary_files, write_gzip
from ..raw import JsonObject, Page, dump_json, page_of, parse_json
from .window import Window

log = logging.getLogger(__name__)

# A post with all its fields and what it refers to has 2 to 6 kB; a text of 25,000 characters 100 kB, but few of a page.
POST_BYTES = 20_000
STATE_BYTES = 1_000_000  # ledger, tokens, user ids


class Spool:
    """An append-only file of pages, locked while a run uses it (the lock dies with the process)."""

    def __init__(self, state_dir: Path, base_url: str, window: Window) -> None:
        """The same file for a run and its retry, another for every other question."""
        identity = {"base_url": base_url, **window.identity}
        digest = hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
        name = f"{window.source.label}-{window.day or window.run_day}-{digest}.jsonl"
        self.path = state_dir / "spool" / name
        self._file: IO[bytes] | None = None
        self._holder: IO[bytes] | None = None

    def open(self) -> list[Page]:
        """Lock the spool and return the pages an earlier run left. A torn last line is cut off."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock()
            self._file = self.path.open("a+b")
            return self._read(self._file)
        except OSError as error:
            raise disk_error(f"The state directory {self.path.parent}", error) from None

    def _lock(self) -> None:
        """Hold the lock file, or raise XUnavailableError. One that a finishing run has just removed locks nothing."""
        name = self.path.with_suffix(".lock")
        while True:
            holder = name.open("a+b")
            try:
                fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if name.exists() and os.path.samestat(os.fstat(holder.fileno()), name.stat()):
                    break
                holder.close()
            except BlockingIOError:
                holder.seek(0)
                who = holder.read(20).decode(errors="replace") or "unknown"
                holder.close()
                raise XUnavailableError(
                    f"Another run of the same source and day is at work (process {who}).", hint="Let it finish."
                ) from None
        holder.truncate(0)
        holder.write(str(os.getpid()).encode())
        holder.flush()
        self._holder = holder

    def _read(self, file: IO[bytes]) -> list[Page]:
        pages: list[Page] = []
        good_bytes = 0
        file.seek(0)
        for line in file:
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("torn")
                pages.append(page_of(parse_json(line)))
            except ValueError:
                log.warning("%s is damaged after page %d; it is cut there.", self.path, len(pages))
                break
            good_bytes += len(line)
        file.truncate(good_bytes)
        file.seek(good_bytes)
        return pages

    def require_room(self, posts: int) -> None:
        """Before a page of so many posts is asked for and billed. Raises DiskFullError."""
        try:
            require_room(self.path.parent, STATE_BYTES + posts * POST_BYTES)
        except OSError as error:
            raise disk_error(f"The state directory {self.path.parent}", error) from None

    def append(self, document: JsonObject) -> None:
        """Keep a page: on the disk, not only in a buffer, when this returns."""
        if self._file is None:
            raise RuntimeError("the spool isn't open")
        whole_bytes = os.fstat(self._file.fileno()).st_size
        try:
            self._file.write(dump_json(document) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # what was written of the page is not a page that is kept
                os.ftruncate(self._file.fileno(), whole_bytes)
            raise disk_error(self.path, error) from None

    def kept(self) -> str:
        """For messages: where the pages are, if there are any."""
        try:
            if not self.path.stat().st_size:
                return ""
        except OSError:
            return ""
        return (
            f"The pages that came are kept in {self.path}: run it again and it goes on from there without paying for "
            "them twice, or remove that file to begin anew."
        )

    def close(self) -> None:
        """Unlock. The pages stay."""
        if self._file is not None:
            # What couldn't be written would be written again here; the torn line is cut by the next run.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def remove_landed(self, raw_sha256: str) -> None:
        """Remove the pages of a run that was killed once they were in the lake: compressed, they have this SHA-256.
        Others stay: they may have been meant for another lake."""
        if not self.path.exists():
            return
        with contextlib.suppress(XUnavailableError):  # a run that is just about to remove them itself
            self.open()
            with temporary_files(), tempfile.TemporaryDirectory(prefix="tweetlake-") as folder:
                packed = Path(folder) / "pages.jsonl.gz"
                write_gzip(self.path, packed)
                if sha256_of(packed) == raw_sha256:
                    self.remove()
        self.close()

    def remove(self) -> None:
        """The manifest is in the lake: the pages are there, too."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        self.close()
