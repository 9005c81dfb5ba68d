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

from ..errors import BadDataError
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

    def known(self, name: str) -> JsonObject | None:
        """{"id", "username"} of the account if it was looked up lately."""
        entry = self._read().get(self._key(name))
        fresh_since = iso(utc_now() - USER_ID_KEPT) or ""
        if isinstance(entry, dict) and entry.get("id") and str(entry.get("seen_at", "")) > fresh_since:
            return {"id": entry["id"], "username": entry.get("username")}
        return None

    def remember(self, name: str, account: JsonObject) -> None:
        self._write(self._read() | {self._key(name): {**account, "seen_at": iso(utc_now())}})

    def forget(self, name: str) -> None:
        """The id isn't valid any more: look it up next time."""
        known = self._read()
        if known.pop(self._key(name), None):
            self._write(known)

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
    accounts, window = drain.accounts, drain.window
    if account := accounts.known(name):
        return account
    least, user_usd = window.endpoint.min_results, PRICE_USD["user"]
    # Useless without a page: both must be affordable.
    drain.budget.posts_within(drain.key("user"), least, least, window.worst_post_usd, first_usd=user_usd)
    with drain.bracket("user", user_usd) as bill:
        document = drain.client.user(username=name, user_fields=["protected"])
        user = next(iter(objects(document.get("data"))), {})
        if not user:
            refuse_errors_only(page_of(document), accounts, window.source)
        if not user.get("id"):
            raise BadDataError(f"X knows no account @{name}.", hint="Check the name in a browser.")
        bill.add_user()
    if user.get("protected") and window.source.archive:  # a search leaves it out without a word; a timeline says so
        raise BadDataError(
            f"X gives no posts: @{name} is protected, and the archive shows public posts only.",
            hint="Ask for its timeline, without --archive and as a user that follows it.",
        )
    account = {"id": str(user["id"]), "username": str(user.get("username") or name)}
    accounts.remember(name, account)
    return account


def refuse_errors_only(page: Page, accounts: Accounts, source: Source) -> None:
    """HTTP 200 with nothing but `errors` is how X says suspended, unknown or protected: never an empty day."""
    if not page.errors or page.posts or page.meta.get("result_count"):
        return
    kind = error_kind(page.errors[0])
    if kind in ("not-found", "suspended") and source.account:
        accounts.forget(source.account)
    who = f"@{source.account}" if source.account else "the search"
    meaning = {
        "not-found": "doesn't exist",
        "suspended": "is suspended",
        "not-authorized": "is protected, or not open to this app",
    }.get(kind, f"got an error of kind {kind}")
    detail = page.errors[0].get("detail") or page.errors[0].get("message") or ""
    raise BadDataError(
        f"X gives no posts: {who} {meaning} ({detail}).", hint="Check the name in a browser; nothing was written."
    )


def refuse_strangers(drain: Drain, page: Page) -> None:
    """Raise BadDataError for posts of somebody else than the account: its id isn't the one that is known any more."""
    name, known = drain.window.source.account, drain.account.get("id")
    authors = {str(author) for post in page.posts if (author := post.get("author_id"))}
    if not name or not known or not (strangers := sorted(authors - {known})):
        return
    drain.accounts.forget(name)
    raise BadDataError(
        f"X gives posts of user {strangers[0]} for @{name}, who was user {known}.",
        hint="Has the name another owner now? Look it up in a browser; the next run asks X for the id again.",
    )
