"""Files that people have become pages: each document by its shape, and everything that isn't a post by its name."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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

log = logging.getLogger(__name__)

NAMED = 20  # more of a kind are only counted


def read_pages(path: str, counts: RawCounts, s3: S3 | None = None, account: str | None = None) -> Iterator[Page]:
    """All pages of a file, a folder, standard input (-) or, with `s3`, an s3:// prefix, in the order of their names.
    `counts` fills as it goes. `account`: whose archive it is, where the archive doesn't say.

    Raises UsageError when there is nothing to read.
    """
    reader = Reader(counts, account)
    for content in contents_at(path, s3):
        yield from reader.pages_of(content)
    reader.tell_skipped()
    if account and ARCHIVE_KIND not in counts.formats:
        log.warning("--account is for X's own archive, and %s has none: it changes nothing.", path)
    if not counts.documents and not counts.skipped_files:
        raise UsageError(f"--from-raw {path}: there is no file.")


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
    """What is known while one file after the other is read."""

    def __init__(self, counts: RawCounts, account: str | None) -> None:
        self._counts = counts
        self._account = account
        self._archives: dict[str, Archive] = {}  # by folder

    def pages_of(self, content: Content) -> Iterator[Page]:
        """The pages of one file. Raises UsageError when the disk fails."""
        try:
            yield from self._pages_of(content)
        except OSError as error:
            raise UsageError(f"The pages in {content.name} can't be read: {error.strerror or error}.") from None

    def _pages_of(self, content: Content) -> Iterator[Page]:
        if content.no_pages:
            self._skip(content.name, content.no_pages, lost=content.is_expected and content.no_pages != EMPTY)
            return
        section = section_of(content.assigned)
        archive = self._archives.setdefault(content.folder, Archive(self._account)) if section else None
        if archive and section in LEARNED:
            for found in Documents(content.stream, parse_json):
                if isinstance(found, Unreadable):
                    self._unreadable(content.name, found)
                else:
                    archive.learn(found)
        elif section and section not in POSTS:
            self._skip(content.name, name_of_section(section), lost=False)
        else:
            yield from self._pages_in(content, archive)

    def _pages_in(self, content: Content, archive: Archive | None) -> Iterator[Page]:
        counts, before = self._counts, self._counts.documents
        for page in Documents(content.stream, partial(read_page, archive=archive)):
            if isinstance(page, Unreadable):
                self._unreadable(content.name, page)
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
        if archive and archive.username is None:
            log.warning("%s doesn't say whose posts these are: give --account NAME.", content.name)
        if counts.documents == before:
            self._skip(content.name, "an empty list", lost=False)

    def _unreadable(self, name: str, found: Unreadable) -> None:
        self._counts.documents += 1
        self._counts.unreadable += 1
        if self._counts.unreadable <= NAMED:
            log.warning("%s, line %d can't be read and is left out: %s", name, found.line, found.reason)

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
