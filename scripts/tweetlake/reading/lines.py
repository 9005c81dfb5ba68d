"""Long files of JSON Lines, cut into stretches without being parsed, so that other processes can read them.

A stretch ends behind a line that is a whole document, and each of its lines looks like one. Then it can be read for
itself: a line in it that only looks like a document ends where the next begins (see documents.py), and nothing is left
open at its end. From the first line on that doesn't look like one, a file is read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from .documents import BRACE, OBJECT, READ_BYTES, Chunks, DamagedError

LINES_BYTES = 8 << 20  # of a stretch, and the rest of its last line
BLANKS = b" \t\r"
OBJECT_OF_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Lines:
    """A stretch of a file. `first_line`: its number in the file, counted from 1."""

    name: str
    first_line: int
    text: bytes


class LineCutter:
    """Iterate over it for the stretches; then `rest` is what is to be read as a whole, from `line` on."""

    def __init__(self, name: str, stream: Chunks) -> None:
        self.rest: Chunks | None = None
        self.line = 1
        self._name, self._stream = name, stream
        self._readline: Callable[[int], bytes] | None = getattr(stream, "readline", None)
        self._damage: DamagedError | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Lines]:
        text = self._more(1)
        is_alike = text.startswith(b"{")  # what begins otherwise isn't gathered
        while is_alike:
            text = self._filled(text)
            looked_at, alike = lines_alike(text, self._ended)
            size, dropped = last_whole(text, looked_at)
            is_alike = size > 0 and not self._ended and text.find(b"\n", looked_at) < 0
            if size:
                yield Lines(self._name, self.line, text[:size])
                self.line += alike - dropped
                text = text[size:]
        if text.strip() or not self._ended or self._damage:
            self.rest = Rest(text, self._stream, self._damage)

    def _filled(self, text: bytes) -> bytes:
        pieces, missing = [text], LINES_BYTES - len(text)
        while missing > 0 and (piece := self._more(min(missing, READ_BYTES))):
            pieces.append(piece)
            missing -= len(piece)
        if missing <= 0 and self._readline:
            pieces.append(self._readline(LINES_BYTES))  # up to the line's end: then nothing has to be cut off
        return b"".join(pieces)

    def _more(self, size: int) -> bytes:
        """b"" at the end, and where the stream breaks off."""
        try:
            piece = b"" if self._ended else self._stream.read1(size)
        except DamagedError as error:
            piece, self._damage = b"", error
        self._ended = not piece
        return piece


class Rest:
    """What was read already, and then the stream; or the damage that ended it."""

    def __init__(self, text: bytes, stream: Chunks, damage: DamagedError | None) -> None:
        self._text, self._stream, self._damage = text, stream, damage

    def read1(self, size: int) -> bytes:
        if self._text:
            piece, self._text = self._text[:size], self._text[size:]
            return piece
        if self._damage:
            raise self._damage
        return self._stream.read1(size)


def lines_alike(text: bytes, ended: bool) -> tuple[int, int]:
    """Where the first line begins that doesn't look like a document or isn't here in full, and how many are before."""
    start = lines = 0
    while start < len(text):
        end = text.find(b"\n", start)
        if end < 0 and not ended:
            break
        end = end if end >= 0 else len(text)
        last = end
        while last > start and text[last - 1] in BLANKS:
            last -= 1
        if last > start and not (text[start] == OBJECT and text[last - 1] == BRACE):
            break
        start, lines = min(end + 1, len(text)), lines + 1
    return start, lines


def last_whole(text: bytes, end: int) -> tuple[int, int]:
    """The end of the last line before `end` that is a whole document, 0 when none is; and how many lines are behind."""
    dropped = 0
    while end > 0:
        start = text.rfind(b"\n", 0, end - 1) + 1
        try:
            OBJECT_OF_RAW.decode(text[start:end])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            end, dropped = start, dropped + 1
        else:
            break
    return end, dropped
