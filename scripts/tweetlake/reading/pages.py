"""Files that people have become pages: each document by its shape, and everything that isn't a post by its name."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from ..decode import needed_of
from ..errors import UsageError
from ..plain import plain_page
from ..raw import Page, RawCounts, error_kind, page_of, parse_json
from ..s3 import S3
from .documents import Documents, Unreadable
from .files import EMPTY, Content, contents_at, folder_of
from .formats.archive import ARCHIVE_KIND, LEARNED, POSTS, Archive, name_of_section, section_of
from .formats.v1 import is_tweet, page_of_tweets, tweets_in
from .formats.v2 import page_of_v2
from .lines import LineCutter, Lines

log = logging.getLogger(__name__)

NAMED = 20  # more of a kind are only counted


def read_pages(path: str, counts: RawCounts, s3: S3 | None = None, account: str | None = None) -> Iterator[Page]:
    """All pages of a file, a folder, standard input (-) or, with `s3`, an s3:// prefix, in the order of their names.
    `counts` fills as it goes. `account`: whose archive it is, where the archive doesn't say.

    Raises UsageError when there is nothing to read.
    """
    for piece in read_pieces(path, counts, s3, account):
        if isinstance(piece, Lines):
            found = RawCounts()
            faults: list[str] = []
            yield from pages_in(piece, found, faults)
            add_counts(counts, found, faults)
        else:
            yield piece


def read_pieces(
    path: str, counts: RawCounts, s3: S3 | None = None, account: str | None = None
) -> Iterator[Page | Lines]:
    """The same, but of long files of JSON Lines only the lines, for `pages_in`: `counts` lacks them until then. With an
    `account` all are read here: an archive's files are read in the light of those before them."""
    reader = Reader(counts, account)
    for content in contents_at(path, s3):
        yield from reader.pieces_of(content)
    reader.tell_skipped()
    if account and ARCHIVE_KIND not in counts.formats:
        log.warning("--account is for X's own archive, and %s has none: it changes nothing.", path)
    if not counts.documents and not counts.skipped_files and not reader.gave_lines:
        raise UsageError(f"--from-raw {path}: there is no file.")


def pages_in(lines: Lines, counts: RawCounts, faults: list[str]) -> Iterator[Page]:
    """The pages of these lines. `faults` gains the first of what can't be read, in words."""

    def note(fault: str) -> None:
        if len(faults) < NAMED:
            faults.append(fault)

    reader = Reader(counts, None, note)
    yield from reader.pages_in(Content(lines.name, io.BytesIO(lines.text)), None, lines.first_line)


def add_counts(counts: RawCounts, found: RawCounts, faults: list[str]) -> None:
    """Add what was met in some lines, and tell of it what is new."""
    for fault in faults[: max(0, NAMED - counts.unreadable)]:
        log.warning("%s", fault)
    counts.add(found)


def read_page(text: bytes, archive: Archive | None = None) -> Page:
    """The page of one document, read the quick way where that is possible. Raises ValueError when it isn't JSON."""
    if (plain := plain_page(text)) is not None:
        return plain
    if (needed := needed_of(text)) is not None:
        page = page_of(needed)
        if page.posts:
            page.line = text
            return page
    return shaped(parse_json(text), archive)


def shaped(document: Any, archive: Archive | None) -> Page:
    """The page of a parsed document, in whatever format it is. `archive`: of which it's a part, if of any."""
    if isinstance(document, dict) and isinstance(tweet := document.get("tweet"), dict) and is_tweet(tweet):
        return (archive or Archive()).page_of([tweet])
    if (tweets := tweets_in(document)) is None:
        return page_of_v2(document)
    if archive and tweets == [document] and "user" not in document:
        return archive.page_of(tweets)
    return page_of_tweets(tweets, document)


class Reader:
    """What is known while one file after the other is read. `tell` is given each fault that is found, in words."""

    def __init__(self, counts: RawCounts, account: str | None, tell: Callable[[str], None] | None = None) -> None:
        self.gave_lines = False
        self._counts = counts
        self._account = account
        self._tell = tell or self._log
        self._archives: dict[str, Archive] = {}  # by folder

    def pieces_of(self, content: Content) -> Iterator[Page | Lines]:
        """The pages or lines of one file. Raises UsageError when the disk fails."""
        try:
            yield from self._pieces_of(content)
        except OSError as error:
            raise UsageError(f"The pages in {content.name} can't be read: {error.strerror or error}.") from None

    def _pieces_of(self, content: Content) -> Iterator[Page | Lines]:
        if content.no_pages:
            self._skip(content.name, content.no_pages, lost=content.is_expected and content.no_pages != EMPTY)
            return
        section = section_of(content.assigned)
        archive = self._archives.setdefault(content.folder, Archive(self._account)) if section else None
        if archive and section in LEARNED:
            for found in Documents(content.stream, parse_json):
                if isinstance(found, Unreadable):
                    self._unreadable(content.name, found, 1)
                else:
                    archive.learn(found)
        elif section and section not in POSTS:
            self._skip(content.name, name_of_section(section), lost=False)
        elif archive or self._account:
            yield from self._all_pages_in(content, archive)
        else:
            cutter = LineCutter(content.name, content.stream)
            for lines in cutter:
                self.gave_lines = True
                yield lines
            if cutter.rest and cutter.line > 1:
                yield from self.pages_in(replace(content, stream=cutter.rest), None, cutter.line)
            elif cutter.rest:
                yield from self._all_pages_in(replace(content, stream=cutter.rest), None)

    def _all_pages_in(self, content: Content, archive: Archive | None) -> Iterator[Page]:
        before = self._counts.documents
        yield from self.pages_in(content, archive, 1)
        if archive and archive.username is None:
            log.warning("%s doesn't say whose posts these are: give --account NAME.", content.name)
        if self._counts.documents == before:
            self._skip(content.name, "an empty list", lost=False)

    def pages_in(self, content: Content, archive: Archive | None, first_line: int) -> Iterator[Page]:
        """The pages of a file, or of what of it begins with this line."""
        counts = self._counts
        for page in Documents(content.stream, partial(read_page, archive=archive)):
            if isinstance(page, Unreadable):
                self._unreadable(content.name, page, first_line)
                continue
            counts.documents += 1
            if page.errors:
                counts.partial_errors.update(error_kind(error) for error in page.errors)
            if page.posts:
                counts.formats[page.kind] += len(page.posts)
                counts.dated_by_id += page.dated_by_id
                counts.cut_texts += page.cut_texts
            else:
                counts.without_posts[page.kind] += 1
            yield page

    def _unreadable(self, name: str, found: Unreadable, first_line: int) -> None:
        self._counts.documents += 1
        self._counts.unreadable += 1
        line = first_line + found.line - 1
        self._tell(f"{name}, line {line} can't be read and is left out: {found.reason}")

    def _log(self, fault: str) -> None:
        if self._counts.unreadable <= NAMED:
            log.warning("%s", fault)

    def _skip(self, name: str, reason: str, *, lost: bool) -> None:
        """`lost`: pages were expected there, so it counts as a document that can't be read."""
        self._counts.skipped_files[name] = reason
        self._counts.documents += lost
        self._counts.unreadable += lost

    def tell_skipped(self) -> None:
        """Every file that was passed over, and why; of many of a kind in one folder the number."""
        alike: dict[tuple[str, str], list[str]] = {}
        for name, reason in self._counts.skipped_files.items():
            alike.setdefault((folder_of(name), reason), []).append(name)
        told: dict[str, str] = {}
        for (folder, reason), names in alike.items():
            told |= dict.fromkeys(names if len(names) <= NAMED else [f"{folder}/ ({len(names)} files)"], reason)
        self._counts.skipped_files = told
        for name, reason in told.items():
            log.warning("%s is skipped: %s", name, reason)
