"""Never poorer, never foreign: may something be written over a day that is in the lake? No place is asked here.

The same source: the same account (by its id where both are known, else by its name in any case), or else the same
search as it was typed. A complete day gives way to a complete one with the same kinds of posts, or more of them. A day
of unknown completeness, which raw pages of others make, is taken for complete. Of raw pages more is known, the posts
themselves: none that is there may be missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..raw import JsonObject


@dataclass(frozen=True)
class Origin:
    """Whose posts: of an account or of a search. Nothing of it: unknown, as of pages that others have kept."""

    account: str | None = None
    account_id: str | None = None
    query: str | None = None  # as typed, without the operators for replies and retweets

    @classmethod
    def of(cls, account: Any, account_id: Any, query: Any) -> Origin:
        """From what a manifest, a page or a user says; a search of an account's posts is the account's."""
        if account or account_id:
            return cls(str(account) if account else None, str(account_id) if account_id else None)
        return cls(query=typed(query) if isinstance(query, str) and query else None)

    @classmethod
    def of_page(cls, own: JsonObject) -> Origin:
        """From what was noted in a raw page when it came; pages that others have kept say nothing."""
        account = own.get("account")
        known = account if isinstance(account, dict) else {}
        return cls.of(known.get("username"), known.get("id"), own.get("query"))

    def facts(self) -> JsonObject:
        """For the manifest; nothing when it's unknown."""
        facts = {"account": self.account, "account_id": self.account_id, "query": self.query}
        return facts if self.is_known else {}

    @property
    def is_known(self) -> bool:
        return bool(self.account or self.account_id or self.query)

    def is_same(self, other: Origin) -> bool:
        if self.account_id and other.account_id:
            return self.account_id == other.account_id
        if self.account and other.account:
            return self.account.lower() == other.account.lower()
        return not (self.account or other.account) and self.query == other.query

    def __str__(self) -> str:
        if self.account:
            return f"@{self.account}" + (f" (id {self.account_id})" if self.account_id else "")
        if self.account_id:
            return f"the account with the id {self.account_id}"
        return f"the search {self.query!r}" if self.query else "an unknown source"


@dataclass(frozen=True)
class Kinds:
    """Which posts besides the ordinary ones."""

    replies: bool = False
    retweets: bool = False

    @classmethod
    def of(cls, include: Any) -> Kinds:
        """A manifest's `include`."""
        known = include if isinstance(include, dict) else {}
        return cls(bool(known.get("replies")), bool(known.get("retweets")))

    def missing(self, others: Kinds) -> list[str]:
        """What is in others and not in these."""
        return ["replies"] * (others.replies > self.replies) + ["retweets"] * (others.retweets > self.retweets)


@dataclass(frozen=True)
class Landed:
    """A day in the lake, as its manifest says."""

    origin: Origin
    kinds: Kinds = Kinds()
    rows: int = 0
    complete: bool | None = None  # None: nobody knows
    is_latest: bool = False  # the newest posts at some time, landed under that day

    @classmethod
    def of(cls, manifest: JsonObject) -> Landed:
        """Manifests of all versions; what an old one doesn't say is unknown."""
        window, complete = manifest.get("window"), manifest.get("complete")
        # Old versions called the latest posts complete when the account had no more.
        is_latest = bool(manifest.get("latest")) or (isinstance(window, dict) and not window.get("end"))
        left_out, rows = manifest.get("left_out"), manifest.get("rows")
        cut = is_latest or (isinstance(left_out, dict) and bool(left_out.get("beyond_limit")))
        return cls(
            Origin.of(manifest.get("account"), manifest.get("account_id"), manifest.get("query")),
            Kinds.of(manifest.get("include")),
            rows if isinstance(rows, int) else 0,
            False if cut else complete if isinstance(complete, bool) else None,
            is_latest,
        )


@dataclass(frozen=True)
class Coming:
    """What a run would write. `lost` is known of raw pages only; of X's answers it's 0 until they are paid for."""

    origin: Origin
    kinds: Kinds = Kinds()
    is_latest: bool = False
    newest: int | None = None  # at most so many posts
    is_over: bool = True  # the day
    lost: int = 0  # posts that are in the lake and aren't in the raw pages
    from_raw: bool = False

    @property
    def part(self) -> str:
        """Why this is less than a whole day; empty when it's a whole one."""
        if self.newest is not None:
            return f"the newest {self.newest} posts are no whole day"
        return "" if self.is_over else "a day that isn't over is less"


@dataclass(frozen=True)
class Objection:
    """Why not, and how else."""

    why: str
    instead: str


def is_landed(landed: Landed, coming: Coming) -> bool:
    """Is all that would be asked from X in the lake?"""
    return (
        landed.complete is True
        and not (coming.from_raw or coming.is_latest)
        and coming.origin.is_same(landed.origin)
        and not landed.kinds.missing(coming.kinds)
        and (not landed.rows or not coming.kinds.missing(landed.kinds))
        and (coming.newest is None or coming.newest >= landed.rows)
    )


def objection(landed: Landed, coming: Coming) -> Objection | None:
    """Why what comes must not take the place of what is there."""
    if not coming.origin.is_same(landed.origin) and (problem := foreign(landed, coming)):
        return problem
    if coming.from_raw:
        return None if landed.is_latest and coming.is_latest else poorer_pages(landed, coming)
    if not landed.rows:
        return None
    if missing := coming.kinds.missing(landed.kinds):
        options = " ".join(f"--include-{kind}" for kind in missing)
        return Objection(f"with {' and '.join(missing)}, which would be gone", f"Add {options}")
    if landed.is_latest:
        return None
    fewer = coming.newest is not None and coming.newest < landed.rows
    if coming.part and (landed.complete is not False or fewer):
        return Objection(f"and {coming.part}", "Ask for the whole day once it's over")
    return None


def foreign(landed: Landed, coming: Coming) -> Objection | None:
    """Another source, or one of the two is unknown. The posts of raw pages tell for themselves."""
    if landed.origin.is_known and coming.origin.is_known:
        return Objection(f"and these would be of {coming.origin}", "Ask for the same source")
    if coming.from_raw or not landed.rows:
        return None
    return Objection(f"and these would be of {coming.origin}", "Look whose posts they are")


def poorer_pages(landed: Landed, coming: Coming) -> Objection | None:
    if not coming.lost:
        return None
    kinds = coming.kinds.missing(landed.kinds)
    options = " ".join(f"--include-{kind}" for kind in kinds)
    text = f"and {coming.lost} of them aren't in these pages" + (f" without {options}" if kinds else "")
    return Objection(text, f"Add {options}" if kinds else "Give the pages of the whole day")


def typed(query: str) -> str:
    """A search as it was typed: the operators that leave replies and retweets out were put behind it, and it into
    brackets if it has alternatives. Somebody may have typed them, too, so all of them go."""
    bare = re.sub(r"( -is:(reply|retweet))+$", "", query)
    if bare == query:
        return query
    return typed(bare[1:-1] if bare.startswith("(") and bare.endswith(")") and " OR " in bare else bare)
