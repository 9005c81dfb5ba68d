"""What the lake's objects are called, and the manifest that says what a day is. Nothing heavy is imported: the manifest
is asked before X is."""

from __future__ import annotations

import contextlib
import logging
from datetime import date

import orjson

from ..errors import UsageError
from ..raw import REPLACED, JsonObject
from .destinations import Destination

log = logging.getLogger(__name__)

CSV, PARQUET = "refined_tweets.csv", "refined_tweets.parquet"
RAW, REJECTED, MANIFEST = "pages.jsonl.gz", "rejected.jsonl", "_manifest.json"
TABLES = {
    CSV: "twitter",
    PARQUET: "twitter_parquet",
    RAW: "twitter_raw",
    REJECTED: "twitter_rejected",
    MANIFEST: "twitter",
}


def key_of(day: date, source: str | None, name: str) -> str:
    """twitter[_KIND]/[source=NAME/]dt=D/NAME"""
    return f"{TABLES[name]}/{f'source={source}/' if source else ''}dt={day}/{name}"


def replaced_key_of(raw_key: str, sha256: str) -> str:
    """Where raw pages are kept that others have replaced: beside them, out of the way of readers (see raw.py)."""
    return f"{raw_key.removesuffix(RAW)}{REPLACED}/{sha256}.jsonl.gz"


def read_manifest(destination: Destination, key: str, *, replace: bool = False) -> JsonObject:
    """The manifest in the lake; empty when there is none, or with `replace` when it isn't one.

    Raises UsageError for one that can't be read: nobody knows then what would be replaced.
    """
    content = destination.read(key)
    if content is None:
        return {}
    with contextlib.suppress(orjson.JSONDecodeError):
        manifest = orjson.loads(content)
        if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict):
            return manifest
    if replace:
        log.warning("%s isn't a manifest; it is replaced.", destination.uri(key))
        return {}
    raise UsageError(
        f"{destination.uri(key)} isn't a manifest, so nothing says what the day holds.",
        kept="Nothing was asked of X, and nothing was written.",
        hint="Look at it; say --replace if the day may be written anew.",
    )


def files_are_there(destination: Destination, manifest: JsonObject) -> bool:
    """Has the lake every file of the manifest, in its size?"""
    return all(
        isinstance(entry, dict) and destination.size(str(entry.get("key"))) == entry.get("bytes")
        for entry in manifest["files"].values()
    )
