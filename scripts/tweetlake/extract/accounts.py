"""Which number an X account has: looked up once in 30 days, because a look-up is billed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..raw import JsonObject
from ..settings import Settings
from ..times import iso

log = logging.getLogger(__name__)

USER_ID_KEPT = timedelta(days=30)  # then looked up again, in case the account has another name now


def known_account(settings: Settings) -> JsonObject | None:
    """{"id", "username"} of the account if it was looked up lately."""
    entry = cached_users(settings.state_dir).get(cache_key(settings))
    fresh_since = iso(datetime.now(UTC) - USER_ID_KEPT) or ""
    if isinstance(entry, dict) and entry.get("id") and str(entry.get("seen_at", "")) > fresh_since:
        return {"id": entry["id"], "username": entry.get("username")}
    return None


def remember(settings: Settings, account: JsonObject) -> None:
    known = cached_users(settings.state_dir)
    known[cache_key(settings)] = {**account, "seen_at": iso(datetime.now(UTC))}
    write_cache(settings.state_dir, known)


def forget(settings: Settings) -> None:
    """The id isn't valid any more: look it up next time."""
    known = cached_users(settings.state_dir)
    if known.pop(cache_key(settings), None):
        write_cache(settings.state_dir, known)


def cache_key(settings: Settings) -> str:
    """Names are the same in any case; another base address is another world (a simulator)."""
    return f"{settings.base_url} {(settings.source.account or '').lower()}"


def cache_file(state_dir: Path) -> Path:
    return state_dir / "user_ids.json"


def cached_users(state_dir: Path) -> dict[str, Any]:
    """The cache; a missing or damaged one is empty: it costs a lookup, not a run."""
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(cache_file(state_dir).read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def write_cache(state_dir: Path, known: dict[str, Any]) -> None:
    """Replace the cache in one step. A cache that can't be written is only reported."""
    partial = cache_file(state_dir).with_suffix(f".{os.getpid()}.partial")
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        partial.replace(cache_file(state_dir))
    except OSError as error:
        log.warning("The cache of user ids can't be written (%s): the next run pays for the lookup.", error.strerror)
