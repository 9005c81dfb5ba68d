"""Before anything is paid or written, the manifests that are there are asked. What they allow is said in landed.py."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..raw import JsonObject
from .destinations import Destination
from .landed import Coming, Landed, Objection, is_landed, objection
from .manifest import MANIFEST, files_are_there, key_of, read_manifest

if TYPE_CHECKING:  # with pyarrow: only where rows have to be looked at
    from .commit import Partition

log = logging.getLogger(__name__)

CARRIED = ("account", "account_id", "query", "window", "complete", "latest")  # by a rebuild from the old manifest


@dataclass(frozen=True)
class Guard:
    """For the days of one source in one place."""

    destination: Destination
    source: str | None  # source=NAME/ in the lake
    replace: bool = False
    again: bool = False

    def manifest_of(self, day: date) -> JsonObject:
        """Empty when there is none. Raises UsageError for one that can't be read, unless it may be replaced."""
        return read_manifest(self.destination, key_of(day, self.source, MANIFEST), replace=self.replace)

    def id_of(self, account: str, days: Iterable[date]) -> str | None:
        """The account's id as the first of these days knows it that is landed."""
        for day in days:
            with contextlib.suppress(UsageError):  # of one that can't be read: who asks for its day is told so
                landed = Landed.of(self.manifest_of(day)).origin
                if landed.account_id and (landed.account or "").lower() == account.lower():
                    return landed.account_id
        return None

    def landed_manifest(self, day: date, coming: Coming) -> JsonObject:
        """The manifest, if all that would be asked from X is there already, else an empty one.

        Raises UsageError when it must not take the place of what is there.
        """
        manifest = self.manifest_of(day)
        if not manifest or self.replace:
            return {}
        landed = self.landed_of(manifest, coming)
        if not self.again and is_landed(landed, coming):
            if files_are_there(self.destination, manifest):
                log.info("%s is landed already, with %d posts; --again reads it anew.", day, landed.rows)
                return manifest
            log.warning("%s has a manifest, but not all of its files: it is read anew.", day)
        elif problem := objection(landed, coming):
            raise self.refusal(day, landed, problem, "Nothing was asked of X, and nothing was written.")
        return {}

    def landed_of(self, manifest: JsonObject, coming: Coming) -> Landed:
        """Where the manifest names no source, the rows may: those of an account have one author."""
        landed = Landed.of(manifest)
        if landed.origin.is_known or not landed.rows or not coming.origin.account:
            return landed
        from .rows_there import author_there  # pyarrow: a day that raw pages of others have made, asked from X

        return dataclasses.replace(landed, origin=author_there(self.destination, manifest))

    def admitted(self, partitions: Iterable[Partition], coming: Coming) -> list[Partition]:
        """The days of raw pages, each knowing what its old manifest knew. Raises UsageError, before any is written,
        for a day that would lose posts or its source."""
        return [self.admit(partition, coming) for partition in partitions]

    def admit(self, partition: Partition, coming: Coming) -> Partition:
        from .rows_there import lost_posts  # pyarrow

        manifest = self.manifest_of(partition.day)
        if not manifest:
            return partition
        landed = Landed.of(manifest)
        lost = lost_posts(self.destination, manifest, partition)
        problem = objection(landed, dataclasses.replace(coming, lost=lost))
        if problem and not self.replace:
            raise self.refusal(partition.day, landed, problem, "Nothing was written.")
        if problem:
            return dataclasses.replace(partition, is_foreign=not coming.origin.is_same(landed.origin))
        carried = {name: manifest[name] for name in CARRIED if name in manifest}
        return dataclasses.replace(partition, facts=partition.facts | carried)

    def refusal(self, day: date, landed: Landed, problem: Objection, kept: str) -> UsageError:
        place = self.destination.uri(key_of(day, self.source, MANIFEST))
        return UsageError(
            f"{day} is in the lake with {landed.rows} posts of {landed.origin}, {problem.why} ({place}).",
            kept=kept,
            hint=f"{problem.instead}, put these beside it with a --name, or in its place with --replace: the raw pages "
            "that are there stay either way.",
        )
