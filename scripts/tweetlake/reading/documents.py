"""The JSON documents in a stream of bytes, however they are laid out, and never more than one of them in memory.

JSON Lines, lists (a post a line, all on one line, pretty-printed, in one another), documents one after the other, and
JavaScript that assigns lists to names: a list is not a document, its elements are. What can't be read is told, and
reading goes on behind it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec

T = TypeVar("T")

READ_BYTES = 1 << 20
LONG_LINE_BYTES = 1 << 16
LINE_BYTES = 16 << 20  # a longer line is no document of JSON Lines: it is searched for documents
DOCUMENT_BYTES = 256 << 20
NAME_BYTES = 256
DEPTH = 500  # of what is in one another; JSON that is torn again and again looks as if it went deeper and deeper
GUESSES = 4  # at where a list's last whole element ends

OBJECT, BRACE = ord("{"), ord("}")
BEHIND = b" \t\r,];"  # what may follow a document on its line
QUOTE = ord('"')
CLOSER = {ord("{"): ord("}"), ord("["): ord("]")}
SEPARATORS = re.compile(rb"(?:[\s,;\x1e\[\]]|\xef\xbb\xbf)*+")  # 0x1e: RFC 7464
ASSIGNMENT = re.compile(rb"(?:(?:var|let|const)\s+)?([A-Za-z_$][\w$]*(?:\.[\w$]+)*)\s*=\s*(?=[\[{])")
# A thousand texts at once, and not as many as there are: a group that may give back remembers every turn, and one that
# may not (`*+`) is at times left at the wrong place by Debian 12's Python (github.com/python/cpython/issues/106052).
UP_TO_BRACKET = re.compile(
    rb'[^"{}\[\]]*+(?:"[^"\\\x00-\x1f]*+(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*+)*+"[^"{}\[\]]*+){0,1000}'
)
OPEN_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+\\?')
SCALAR = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+"|[^\s,;\[\]{}"]++')
JOINT = re.compile(rb'\}\s*,\s*\{\s*"[^"\\\n]{0,64}"')  # from the end of an element to the first key of the next
HEAD = re.compile(rb'\{\s*(?:"[^"\\\n]{0,64}")?')
LIST_OF_RAW = msgspec.json.Decoder(list[msgspec.Raw])


class Chunks(Protocol):
    """Where the bytes come from. `read1`: some of them, at most so many, none at the end."""

    def read1(self, size: int, /) -> bytes: ...


class DamagedError(Exception):
    """The stream breaks off; what came before is good."""


@dataclass(frozen=True)
class Unreadable:
    """What stands where a document should be. `line`: counted from 1."""

    line: int
    reason: str


class Documents(Generic[T]):
    """Iterate over it: each document as `parse` makes it, or Unreadable. `parse` raises ValueError."""

    def __init__(self, stream: Chunks, parse: Callable[[bytes], T]) -> None:
        self._stream, self._parse = stream, parse
        self._readline: Callable[[int], bytes] | None = getattr(stream, "readline", None)
        self._by_line = False  # lines are long: read one by one, none is copied
        self._text = b""
        self._at = 0  # what is before is done with
        self._line = 1
        self._line_starts_here = True
        self._ended = False
        self._damage = ""
        self._reads = 0
        self._lists = 0  # how many are open
        self._joint = b""
        self._reads_at_guess = 0  # when the last block was looked for
        self._fault = ""
        self._told_the_end = False
        self._waiting: deque[bytes] = deque()

    def __iter__(self) -> Iterator[T | Unreadable]:
        while self._waiting or self._to_next():
            if self._waiting:
                yield self._parsed(self._waiting.popleft())
            elif self._text[self._at] != OBJECT:
                yield self._other_line()
            elif (document := self._line_as_document()) is not None:
                yield document
            elif not self._take_block():
                yield self._take_object()
        if not self._told_the_end and (self._damage or self._lists):
            yield Unreadable(self._line, self._damage or "the list is cut off here")

    # ---- the text

    def _more(self) -> bool:
        """Read on. False at the end. `_at` moves to 0."""
        if self._ended:
            return False
        kept = self._text[self._at :]
        if self._by_line and self._readline:
            piece = self._readline(LINE_BYTES)
            self._text, self._ended = kept + piece if kept else piece, not piece
        else:
            self._text = self._read_long(kept)
        self._at = 0
        self._reads += 1
        return len(self._text) > len(kept)

    def _read_long(self, kept: bytes) -> bytes:
        """Twice as much each time: long documents are copied less."""
        pieces, wanted = [kept], max(READ_BYTES, len(kept))
        try:
            while wanted > 0 and (piece := self._stream.read1(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
            self._ended = wanted > 0
        except DamagedError as error:
            self._ended, self._damage = True, str(error)
        return b"".join(pieces)

    def _advance(self, size: int) -> None:
        end = self._at + size
        self._line += self._text.count(b"\n", self._at, end)
        self._line_starts_here = size > 0 and self._text[end - 1] == ord("\n")
        self._at = end

    def _to_next(self) -> bool:
        """Go to the next document, over all that lies between two. False at the end."""
        starts_here = self._line_starts_here
        while True:
            skipped = SEPARATORS.match(self._text, self._at)
            between = skipped.group() if skipped else b""
            self._lists = max(0, self._lists + between.count(b"[") - between.count(b"]"))
            self._advance(len(between))
            starts_here |= b"\n" in between
            here = len(self._text) - self._at
            if here < NAME_BYTES and not self._text.startswith(b"{", self._at) and self._more():
                continue  # a byte order mark or a name may be here in part
            if not here:
                return False
            if not (assigned := ASSIGNMENT.match(self._text, self._at)):
                self._line_starts_here = starts_here
                return True
            self._advance(len(assigned.group()))

    def _line_end(self) -> int:
        """Where this line ends in the text, -1 when it is too long."""
        while (end := self._text.find(b"\n", self._at)) < 0:
            if len(self._text) - self._at > LINE_BYTES:
                return -1
            if not self._more():
                return len(self._text)
        return end

    # ---- documents

    def _parsed(self, text: bytes) -> T | Unreadable:
        try:
            return self._parse(text)
        except ValueError as error:
            return Unreadable(self._line, str(error))

    def _line_as_document(self) -> T | None:
        """JSON Lines, and lists of an element a line: the quickest way, and the usual one."""
        if not self._line_starts_here or (self._lists and self._text.find(b"\n", self._at) < 0):
            return None
        end = self._line_end()
        start = self._at  # only now: reading on moves it
        while end > start and self._text[end - 1] in BEHIND:
            end -= 1
        self._by_line = False
        if end <= start or self._text[end - 1] != BRACE:
            return None
        whole = start == 0 and end >= len(self._text) - 1
        try:
            document = self._parse(self._text if whole else self._text[start:end])
        except ValueError:
            return None
        self._by_line = end - start > LONG_LINE_BYTES
        self._at, self._line_starts_here = end, False  # no line ends in it: counting would take as long as parsing
        return document

    def _take_block(self) -> bool:
        """Of a list, all whole elements that are here at once: ten times quicker than one by one. The last joint is
        where two elements of this list meet, or of a list in it; then the text before it isn't a list."""
        if not (self._lists and self._joint) or self._reads_at_guess == self._reads:
            return False
        self._reads_at_guess, end = self._reads, len(self._text)
        for _ in range(GUESSES):
            end = self._text.rfind(self._joint, self._at, end)
            if end < 0:
                return False
            try:
                elements = LIST_OF_RAW.decode(b"[" + self._text[self._at : end + 1] + b"]")
            except (msgspec.MsgspecError, ValueError, RecursionError):
                continue
            self._waiting.extend(bytes(element) for element in elements)
            self._advance(end + 1 - self._at)
            return True
        return False

    def _take_object(self) -> T | Unreadable:
        """One object, searched for its end bracket by bracket."""
        size = self._size_of_object()
        if size is None:
            fault = Unreadable(self._line, self._fault)
            self._skip_broken()
            return fault
        text = self._text[self._at : self._at + size]
        joint = JOINT.match(self._text, self._at + size - 1)
        self._joint = joint.group() if joint else b""
        document = self._parsed(text)
        swallowed = text.find(b"\n{") if isinstance(document, Unreadable) else -1
        self._advance(size if swallowed < 0 else swallowed + 1)
        return document

    def _size_of_object(self) -> int | None:
        """How long the object is that begins here, in bytes; None, and `_fault`, when it has no end. It has none when
        its brackets don't fit or a value stands where none can be, as where a torn line is followed by a good one."""
        closers, since, here = bytearray(), 0, 0  # since, here: counted from _at, for the text moves while reading on
        while True:
            before = here
            found = UP_TO_BRACKET.match(self._text, self._at + here)
            here = found.end() - self._at if found else here
            if self._at + here == len(self._text) or self._text[self._at + here] == QUOTE:
                if here > before:
                    continue  # there may be more texts than it takes at once
                if self._is_broken_string(self._at + here):
                    self._fault = "a text isn't closed"
                    return None
                if here > DOCUMENT_BYTES:
                    self._fault = f"a single document of more than {DOCUMENT_BYTES >> 20} MiB"
                    return None
                if not self._more():
                    self._fault = self._damage or "the document is cut off"
                    self._told_the_end = True
                    return None
                continue
            byte = self._text[self._at + here]
            if byte in CLOSER:
                if closers and not self._value_may_follow(self._at + since, self._at + here):
                    self._fault = "the document is cut off, or a comma is missing"
                    return None
                closers.append(CLOSER[byte])
            elif closers.pop() != byte:
                self._fault = "its brackets don't fit"
                return None
            here += 1
            since = here
            if not closers:
                return here
            if len(closers) > DEPTH:
                self._fault = "nested too deeply"
                return None

    def _is_broken_string(self, at: int) -> bool:
        """Does a text begin here that can't end, because a line ends in it?"""
        found = OPEN_STRING.match(self._text, at)
        return found is not None and found.end() < len(self._text)

    def _value_may_follow(self, since: int, here: int) -> bool:
        """Between the last bracket and this one: may an object or a list begin here?"""
        before = self._text[since:here].rstrip()
        return before.endswith((b",", b":")) if before else self._text[since - 1] == ord("[")

    def _skip_broken(self) -> None:
        """To where the next document may begin: at a line of its own, or with the same key as this one."""
        head = HEAD.match(self._text, self._at)
        begins = re.escape(head.group()) if head else b"{"
        begin = re.compile(rb"\n(?=[\[{])|" + (rb"[\n,]" if self._lists else rb"\n") + rb"\s*+(?=" + begins + b")")
        self._advance(1)
        while not (found := begin.search(self._text, self._at)):
            if self._ended:
                self._advance(len(self._text) - self._at)
                return
            self._advance(max(0, len(self._text) - self._at - len(begins)))
            self._more()
        self._told_the_end = False
        self._advance(found.end() - self._at)

    def _other_line(self) -> T | Unreadable:
        """Not an object: a number or a text, alone or in a list, or a line that isn't JSON at all."""
        end = self._line_end()
        line = self._text[self._at : end if end >= 0 else None].rstrip(BEHIND)
        document = self._parsed(line)
        if isinstance(document, Unreadable) and self._lists:
            scalar = SCALAR.match(self._text, self._at)
            alone = self._parsed(scalar.group()) if scalar else document
            if scalar and not isinstance(alone, Unreadable):
                line, document = scalar.group(), alone
        self._advance(len(line))
        return document
