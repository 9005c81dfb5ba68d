"""The files behind --from-raw: a file, a folder, an s3:// prefix, standard input, and what is packed in them.

Compression, archives and encodings are known by their first bytes, for suffixes lie: `.GZ`, no suffix, `.json` that a
browser has unpacked.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import re
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from ..errors import UsageError
from ..raw import REPLACED
from ..s3 import S3
from .documents import ASSIGNMENT, Chunks, DamagedError

EMPTY = "empty"
HEAD_BYTES = 1024
BUFFER_BYTES = 1 << 20
LAYERS = 3  # of packing: a page in a .gz in a .zip in a .zip
PAGE_SUFFIXES = (".jsonl", ".json", ".ndjson")
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zstd")
HELPERS = ("account.js", "manifest.js", "note-tweet.js")  # of X's archive: read first, whatever the order
ZIP = b"PK\x03\x04"
ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"{\0", "utf-16-le"),
    (b"[\0", "utf-16-le"),
    (b"\0{", "utf-16-be"),
    (b"\0[", "utf-16-be"),
)
# What a file without pages begins with. Not by a library: libmagic isn't on every host, and it calls JSON "text".
NO_PAGES = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%PDF", "PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"RIFF", "media"),
    (b"OggS", "media"),
    (b"ID3", "media"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x28\xb5\x2f", "a damaged zstd file"),
)
NOT_LOADED = {".parquet": "Parquet", ".csv": "a table or a text"} | dict.fromkeys(
    (".jpg", ".jpeg", ".png", ".gif", ".mp4", ".webp"), "media"
)


@dataclass(frozen=True)
class Content:
    """One file, unpacked, as UTF-8."""

    name: str
    stream: Chunks
    no_pages: str = ""  # the reason why there can't be pages in it
    is_expected: bool = False  # to have pages: it was named, or has their suffix
    assigned: str = ""  # the JavaScript name its first list is assigned to

    @property
    def folder(self) -> str:
        return folder_of(self.name)


@dataclass(frozen=True)
class _File:
    """A file that can be opened. `was_named`: by the user, not found in a folder."""

    name: str
    open: Callable[[], AbstractContextManager[Any]]
    was_named: bool = False


def folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def is_helper(name: str) -> bool:
    return name.rpartition("/")[2] in HELPERS


def contents_at(path: str, s3: S3 | None) -> Iterator[Content]:
    """Every file there, in the order of names, but what explains an archive first. A Content is read before the next is
    asked for. Raises UsageError when something can't be opened or read."""
    try:
        for file in _files_at(path, s3):
            with file.open() as stream:
                yield from _contents_of(file.name, stream, file.was_named, LAYERS)
    except OSError as error:
        raise UsageError(f"--from-raw {path} can't be read: {error.strerror or error}.") from None


def _files_at(path: str, s3: S3 | None) -> Iterator[_File]:
    if path == "-":
        yield _File("standard input", lambda: nullcontext(sys.stdin.buffer), was_named=True)
        return
    if s3 and path.startswith("s3://"):
        yield from _files_in_s3(path, s3)
        return
    root = Path(path)
    if root.is_dir():
        found = sorted(file for file in root.rglob("*") if file.is_file())
        for file in sorted(found, key=lambda file: file.name not in HELPERS):
            yield _set_aside(str(file)) if was_replaced(str(file.relative_to(root))) else _local(file)
        return
    if root.suffix == ".js":  # one file of an archive: what explains it lies beside it
        for helper in HELPERS:
            if root.name != helper and (file := root.with_name(helper)).is_file():
                yield _local(file)
    yield _File(str(root), lambda: root.open("rb", BUFFER_BYTES), was_named=True)


def was_replaced(name: str) -> bool:
    """Are these, by their path below the folder to be read, pages that others have replaced? They are kept apart."""
    return REPLACED in name.split("/")[:-1]


def _set_aside(name: str) -> _File:
    return _File(name, partial(_not_loaded, "pages that others have replaced"))


def _local(file: Path) -> _File:
    return _File(str(file), lambda: file.open("rb", BUFFER_BYTES))


def _files_in_s3(path: str, s3: S3) -> Iterator[_File]:
    bucket, _, prefix = path.removeprefix("s3://").partition("/")
    for key in sorted(s3.list_keys(bucket, prefix), key=lambda key: not is_helper(key)):
        if was_replaced(key.removeprefix(prefix)):
            yield _set_aside(f"s3://{bucket}/{key}")
        elif not key.endswith("/"):  # a folder that a console has made
            reason = NOT_LOADED.get(Path(key).suffix.lower())
            opened = partial(_not_loaded, reason) if reason else partial(_loaded, s3, bucket, key)
            yield _File(f"s3://{bucket}/{key}", opened)


def _loaded(s3: S3, bucket: str, key: str) -> AbstractContextManager[Any]:
    return closing(s3.open_object(bucket, key))


def _not_loaded(reason: str) -> AbstractContextManager[Any]:
    return nullcontext(_NotLoaded(reason))


class _NotLoaded:
    """An object that isn't worth its download."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _contents_of(name: str, stream: Any, was_named: bool, layers: int) -> Iterator[Content]:
    """What is in a stream: one file, or those of a .zip."""
    expected = was_named or name.lower().removesuffix(_packed_suffix(name)).endswith(PAGE_SUFFIXES)
    if isinstance(stream, _NotLoaded):
        yield Content(name, _Joined(b"", stream), stream.reason)
        return
    source = stream
    head, stream = _peeked(source)
    if head.startswith(ZIP) and source.seekable():
        yield from _contents_of_zip(name, source, layers)
        return
    for _ in range(LAYERS):
        if not (unpack := _unpacker(head)):
            break
        head, stream = _peeked(unpack(stream))
    if head.startswith(ZIP):
        with tempfile.TemporaryFile() as copy:
            copy_to(copy, stream)
            yield from _contents_of_zip(name, copy, layers)
        return
    if encoding := next((encoding for mark, encoding in ENCODINGS if head.startswith(mark)), None):
        head, stream = _peeked(_Recoded(stream, encoding))
    head = head.removeprefix(codecs.BOM_UTF8).lstrip()
    assigned = ASSIGNMENT.match(head)
    yield Content(
        name,
        stream,
        no_pages=_no_pages(head, expected),
        is_expected=expected,
        assigned=assigned[1].decode() if assigned else "",
    )


def _packed_suffix(name: str) -> str:
    return next((suffix for suffix in PACKED_SUFFIXES if name.lower().endswith(suffix)), "")


def _no_pages(head: bytes, expected: bool) -> str:
    """Why there can be no pages in a file that begins like this; "" when there can."""
    if not head:
        return EMPTY
    if head.startswith(b"<"):
        begin = head[:200].lower()
        return "HTML" if b"<html" in begin or b"<!doctype html" in begin else "XML or HTML"
    for mark, name in NO_PAGES:
        if head.startswith(mark):
            return name
    if head[4:8] == b"ftyp":
        return "media"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if expected or head[:1] in b"{[" or ASSIGNMENT.match(head):
        return ""
    return "a table or a text" if _is_text(head) else "no JSON"


def _is_text(head: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    return False


# ---- unpacking


def _unpacker(head: bytes) -> Callable[[Any], _Guarded] | None:
    """What unpacks a stream that begins like this."""
    if head.startswith(b"\x1f\x8b"):
        return _gzip
    if re.match(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", head):
        return _bz2
    if head.startswith(b"\xfd7zXZ\0"):
        return _xz
    if re.match(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", head):
        return _zstd
    return None


def _gzip(stream: Any) -> _Guarded:
    return _Guarded(gzip.GzipFile(fileobj=stream), EOFError, gzip.BadGzipFile, zlib.error)


def _bz2(stream: Any) -> _Guarded:
    import bz2

    return _Guarded(bz2.BZ2File(stream), EOFError, ValueError)


def _xz(stream: Any) -> _Guarded:
    import lzma

    return _Guarded(lzma.LZMAFile(stream), EOFError, lzma.LZMAError)


def _zstd(stream: Any) -> _Guarded:
    import pyarrow

    return _Guarded(pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, mode="r"), "zstd"), ValueError)


class _Joined:
    """A stream with its first bytes put back in front."""

    closed = False

    def __init__(self, head: bytes, stream: Any) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        return self._first(size) or cast("bytes", self._stream.read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._first(size) or cast("bytes", self._stream.read1(size))

    def _first(self, size: int) -> bytes:
        first = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(first) :]
        return first

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Whoever opened the stream closes it."""


class _JoinedLines(_Joined):
    """The same of a file that isn't packed, which can give one line at a time without copying it."""

    def readline(self, size: int) -> bytes:
        return self._first(size) or cast("bytes", self._stream.readline(size))


def _peeked(stream: Any) -> tuple[bytes, _Joined]:
    """The first bytes, and the stream with them."""
    head = b""
    with contextlib.suppress(DamagedError):  # comes again, when it is read
        while len(head) < HEAD_BYTES and (piece := stream.read1(HEAD_BYTES - len(head))):
            head += piece
    return head, _JoinedLines(head, stream) if hasattr(stream, "readline") else _Joined(head, stream)


class _Guarded:
    """Unpacked bytes. What the unpacker raises because the packed ones are wrong becomes a DamagedError."""

    def __init__(self, stream: Any, *damages: type[Exception]) -> None:
        self._stream, self._damages = stream, damages

    def read(self, size: int = -1) -> bytes:
        return self.read1(size)

    def read1(self, size: int = -1) -> bytes:
        try:
            return cast("bytes", self._stream.read1(size))
        except self._damages as error:
            reason = str(error)
        except OSError as error:
            if error.errno is not None:  # the disk's, not the unpacker's
                raise
            reason = str(error)
        raise DamagedError(f"the compressed file is damaged from here on: {reason}")

    def seekable(self) -> bool:
        return False


class _Recoded:
    """UTF-16 or UTF-32 as UTF-8."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._rest = b""

    def read1(self, size: int) -> bytes:
        while not self._rest:
            piece = self._stream.read1(size)
            self._rest = self._decoder.decode(piece, final=not piece).encode()
            if not piece:
                break
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def copy_to(file: IO[bytes], stream: Chunks) -> None:
    """As much as can be read: a .zip that is cut off says so itself."""
    with contextlib.suppress(DamagedError):
        while piece := stream.read1(BUFFER_BYTES):
            file.write(piece)


def _contents_of_zip(name: str, file: IO[bytes], layers: int) -> Iterator[Content]:
    """The files in a .zip, X's whole archive for one."""
    import zipfile

    nothing = _Joined(b"", file)
    if not layers:
        yield Content(name, nothing, "a .zip in a .zip in a .zip", is_expected=True)
        return
    try:
        packed = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError) as error:
        yield Content(name, nothing, f"a .zip that is damaged or cut off ({error})", is_expected=True)
        return
    members = sorted(info.filename for info in packed.infolist() if not info.is_dir())
    for member in sorted(members, key=lambda member: not is_helper(member)):
        try:
            opened = packed.open(member)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:  # a password, a rare method
            yield Content(f"{name}:{member}", nothing, f"can't be unpacked ({error})", is_expected=True)
            continue
        with opened:
            guarded = _Guarded(opened, EOFError, zlib.error, zipfile.BadZipFile)
            yield from _contents_of(f"{name}:{member}", guarded, False, layers - 1)
