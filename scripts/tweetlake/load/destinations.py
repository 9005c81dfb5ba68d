"""Where the lake is: a bucket or a folder, behind one small interface. Keys use '/' in both."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from ..errors import DestinationError
from ..s3 import S3


class Destination(Protocol):
    """What load.py needs of a place. Every method raises DestinationError when the place doesn't answer."""

    def check(self) -> None:
        """Fail now, before posts are paid for, if the place can't be used."""

    def uri(self, key: str) -> str:
        """The whole address of an object, for people."""

    def read(self, key: str) -> bytes | None:
        """The bytes of a small object, None if there is none."""

    def fetch(self, key: str, file: Path) -> bool:
        """Copy an object of any size into a local file. False if there is none."""

    def size(self, key: str) -> int | None:
        """The bytes an object has, None if there is none."""

    def put(self, key: str, file: Path, content_type: str) -> None:
        """Store a local file; readers see the old object or the new one, never half."""

    def confirm(self, key: str, size_bytes: int, sha256: str) -> None:
        """Raise DestinationError unless the object is there as it was put."""

    def delete(self, key: str) -> bool:
        """Remove an object if it's there. False when that isn't permitted."""


def open_destination(to: str, s3: S3) -> Destination:
    """`to` as checked by settings.check_destination; `s3` is asked only if it is a bucket."""
    if to.startswith("s3://"):
        from .bucket import Bucket

        bucket, _, prefix = to.removeprefix("s3://").partition("/")
        return Bucket(s3, bucket, prefix)
    return Folder(Path(to))


class Folder:
    """A folder of the local file system."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def check(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise self._error("can't be written", error) from None

    def uri(self, key: str) -> str:
        return str(self.root / key)

    def read(self, key: str) -> bytes | None:
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(f"can't give {key}", error) from None

    def fetch(self, key: str, file: Path) -> bool:
        try:
            with (self.root / key).open("rb") as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._error(f"can't give {key}", error) from None
        return True

    def size(self, key: str) -> int | None:
        try:
            return (self.root / key).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(f"can't give {key}", error) from None

    def put(self, key: str, file: Path, content_type: str) -> None:
        target = self.root / key
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, partial.open("wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(target)
        except OSError as error:
            raise self._error(f"can't take {key}", error) from None

    def confirm(self, key: str, size_bytes: int, sha256: str) -> None:
        if self.size(key) != size_bytes:
            raise DestinationError(
                f"{self.uri(key)} isn't there as it was written, so the day isn't committed.",
                hint="See who else writes or removes files there; then run it again.",
            )

    def delete(self, key: str) -> bool:
        try:
            (self.root / key).unlink(missing_ok=True)
        except PermissionError:
            return False
        except OSError as error:
            raise self._error(f"can't remove {key}", error) from None
        return True

    def _error(self, what: str, error: OSError) -> DestinationError:
        return DestinationError(
            f"The folder {self.root} {what}: {error.strerror or error}.",
            hint="Check that it exists, has space and is writable for this user; then run it again.",
        )
