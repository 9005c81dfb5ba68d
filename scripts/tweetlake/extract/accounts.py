"""Which number an X account has: looked up once in 30 days, because a look-up is billed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadDataError, GoneError
from ..raw import JsonObject, Page, error_kind, objects, page_of
from ..settings import Source
from ..times import iso, utc_now
from .prices import PRICE_USD

if TYPE_CHECKING:
    from .drain import Drain

log = logging.getLogger(__name__)

USER_ID_KEPT = timedelta(days=30)  # then looked up again, in case the account has another name now


@dataclass(frozen=True)
class Accounts:
    """The cache: user_ids.json in the state directory. Another base address is another world (a simulator)."""

    state_dir: Path
    base_url: str
    accept_id: str | None = None  # whose the name is now, as the user knows

    def known(self, name: str) -> JsonObject | None:
        """{"id", "username"} of the account if it was looked up lately."""
        entry = self._read().get(self._key(name))
        if self.accept_id and self.last_id(name) != self.accept_id:
            return None
        fresh_since = iso(utc_now() - USER_ID_KEPT) or ""
        if isinstance(entry, dict) and entry.get("id") and str(entry.get("seen_at", "")) > fresh_since:
            return {"id": entry["id"], "username": entry.get("username")}
        return None

    def remember(self, name: str, account: JsonObject) -> None:
        self._write(self._read() | {self._key(name): {**account, "seen_at": iso(utc_now())}})

    def last_id(self, name: str) -> str | None:
        """The id that the account had when it was last looked up, however long ago."""
        entry = self._read().get(self._key(name))
        return str(entry["id"]) if isinstance(entry, dict) and entry.get("id") else None

    def expect(self, name: str, user_id: str) -> None:
        """A manifest knows the id, the cache doesn't: it still has to be looked up."""
        if self.last_id(name) is None:
            self._write(self._read() | {self._key(name): {"id": user_id, "seen_at": ""}})

    def forget(self, name: str) -> None:
        """The id may not be valid any more: look it up next time, and see whether it has changed."""
        known = self._read()
        if isinstance(entry := known.get(self._key(name)), dict):
            self._write(known | {self._key(name): entry | {"seen_at": ""}})

    def _key(self, name: str) -> str:
        """Names are the same in any case."""
        return f"{self.base_url} {name.lower()}"

    @property
    def _file(self) -> Path:
        return self.state_dir / "user_ids.json"

    def _read(self) -> dict[str, Any]:
        """The cache; a missing or damaged one is empty: it costs a look-up, not a run."""
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(known, dict):
                return known
        return {}

    def _write(self, known: dict[str, Any]) -> None:
        """Replace the cache in one step. A cache that can't be written is only reported."""
        partial = self._file.with_suffix(f".{os.getpid()}.partial")
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
            partial.replace(self._file)
        except OSError as error:
            log.warning(
                "The cache of user ids can't be written (%s): the next run pays for the look-up.", error.strerror
            )


def look_up(drain: Drain, name: str) -> JsonObject:
    """{"id", "username"} of the account: known from before, or from X for 0.010 USD. Raises BadDataError for one that
    gives no posts."""
    accounts, window, source = drain.accounts, drain.window, drain.window.source
    if account := accounts.known(name):
        return account
    least, user_usd = window.endpoint.min_results, PRICE_USD["user"]
    # Useless without a page: both must be affordable.
    drain.budget.posts_within(drain.key("user"), least, least, window.worst_post_usd, first_usd=user_usd)
    with drain.bracket("user", user_usd) as bill:
        asked = {"id": source.account_id} if source.account_id else {"username": name}
        document = drain.client.user(**asked, user_fields=["protected"])
        user = next(iter(objects(document.get("data"))), {})
        if not user:
            refuse_errors_only(page_of(document), accounts, source)
        if not user.get("id"):
            raise BadDataError(f"X doesn't know {source.called}.", hint="Check the name in a browser.")
        bill.add_user()
    if user.get("protected") and source.archive:  # a search leaves it out without a word; a timeline says so
        raise BadDataError(
            f"X gives no posts: {source.called} is protected, and the archive shows public posts only.",
            hint="Ask for its timeline, without --archive and as a user that follows it.",
        )
    account = {"id": str(user["id"]), "username": str(user.get("username") or name)}
    refuse_another_id(accounts, name, account["id"])
    accounts.remember(name, account)
    return account


def refuse_another_id(accounts: Accounts, name: str, user_id: str) -> None:
    """Raise BadDataError when the name is somebody else's now: the table would be of two people."""
    if (expected := accounts.accept_id or accounts.last_id(name)) in (None, user_id):
        return
    if accounts.accept_id:
        raise BadDataError(
            f"@{name} is user {user_id}, not user {expected} of --accept-id.",
            kept="No post was asked for, and nothing was written.",
            hint="Look the name up in a browser, and correct --accept-id.",
        )
    raise BadDataError(
        f"@{name} is user {user_id} now; it was user {expected}: another person may have taken the name over.",
        kept="No post was asked for, and nothing was written.",
        hint=f"Look it up in a browser. --accept-id {user_id} goes on with the new user; --account id:{expected} asks "
        "for the old one, whatever its name is.",
    )


def refuse_errors_only(page: Page, accounts: Accounts, source: Source) -> None:
    """HTTP 200 with nothing but `errors` is how X says suspended, unknown or protected: never an empty day."""
    if not page.errors or page.posts or page.meta.get("result_count"):
        return
    kind = error_kind(page.errors[0])
    if kind in ("not-found", "suspended") and source.account:
        accounts.forget(source.account)
    meaning = {
        "not-found": "doesn't exist",
        "suspended": "is suspended",
        "not-authorized": "is protected, or not open to this app",
    }.get(kind, f"got an error of kind {kind}")
    detail = page.errors[0].get("detail") or page.errors[0].get("message") or ""
    raise GoneError(
        f"X gives no posts: {source.called} {meaning} ({detail}).",
        hint="Check the name in a browser; nothing was written.",
    )


def refuse_strangers(drain: Drain, page: Page) -> None:
    """Raise BadDataError for posts of somebody else than the account: its id isn't the one that is known any more."""
    name, known = drain.window.source.account, drain.account.get("id")
    authors = {str(author) for post in page.posts if (author := post.get("author_id"))}
    if not name or not known or not (strangers := sorted(authors - {known})):
        return
    drain.accounts.forget(name)
    raise BadDataError(
        f"X gives posts of user {strangers[0]} for {drain.window.source.called}, who was user {known}.",
        hint=f"Has the name another owner? Look it up in a browser; --accept-id {strangers[0]} goes on with that one.",
    )
