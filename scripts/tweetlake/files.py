"""Files of this machine: written whole or not at all, and a full disk told as what it is."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import DiskFullError, EtlError, UsageError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def disk_error(place: object, error: OSError) -> EtlError:
    """This machine's own disk fails. A full one may have room later; all else another try won't change."""
    kind = DiskFullError if error.errno in NO_ROOM else UsageError
    return kind(
        f"{place} can't be used: {error.strerror or error}.",
        hint="Make room there, or set TWITTER_ETL_STATE_DIR (or TMPDIR) to a folder of this user.",
    )


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise DiskFullError when the folder's disk has less room for this user."""
    disk = os.statvfs(folder)
    free_bytes = disk.f_bavail * disk.f_frsize
    if free_bytes < needed_bytes:
        raise DiskFullError(
            f"{folder} has {free_bytes / 2**20:.1f} MiB of room; the next page may need {needed_bytes / 2**20:.1f} MiB.",
            hint="Make room there, or set TWITTER_ETL_STATE_DIR to a folder on a larger disk.",
        )


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """What fails in here is this machine's disk for temporary files: OSErrors become the error that says so."""
    try:
        yield
    except OSError as error:
        # Not gettempdir(): it tries to write, which is what has just failed.
        place = f"The temporary folder {tempfile.tempdir}" if tempfile.tempdir else "The folder for temporary files"
        raise disk_error(place, error) from None


def write_durably(path: Path, document: Any, mode: int = 0o600) -> None:
    """Replace a JSON file in one step, so that it survives a loss of power: file and folder are fsynced."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_gzip(source: Path, target: Path) -> None:
    """Compress without name and time, so that the same pages give the same bytes."""
    with (
        source.open("rb") as pages,
        target.open("wb") as out,
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed,
    ):
        shutil.copyfileobj(pages, packed)


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
