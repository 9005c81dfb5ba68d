"""What has to hold for every file of pages, checked against a second, simple reading of the same bytes.

The whole program runs, `twitter_etl.main(["--from-raw", ...])`, and only its files and its summary are looked at.
"""

from __future__ import annotations

import contextlib
import csv
import html
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.helpers.etl import rows_in, run_here

MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own in it: a run syncs its files, which takes a disk long)
csv.field_size_limit(2**31 - 1)
DIGITS = re.compile(r"[0-9]{1,19}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
PLAIN_KEYS = {"id", "text", "created_at", "author_id", "lang"}


@dataclass
class Landed:
    """How a run ended. `rows` are the cells of the CSV by column, as Python's csv reads them."""

    code: int
    summary: dict[str, Any]
    rows: list[dict[str, str]]
    rejects: list[dict[str, Any]]
    log: str

    @property
    def texts(self) -> dict[str, str]:
        return {row["id"]: row["text"] for row in self.rows}


def land(pages: bytes, *options: str) -> Landed:
    """Run on these pages, with all posts wanted and any share of rejects allowed."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        (folder / "pages.jsonl").write_bytes(pages)
        arguments = ["--from-raw", str(folder / "pages.jsonl"), "--to", str(folder / "lake"), *options]
        run = run_here(*arguments, "--include-replies", "--include-retweets", "--max-reject-percent", "100")
        rejects = []
        for file in sorted((folder / "lake/twitter_rejected").glob("dt=*/rejected.jsonl")):
            rejects += [json.loads(line) for line in file.read_bytes().splitlines()]
        return Landed(run.code, run.summary, rows_in(folder / "lake"), rejects, run.log)


def check(pages: bytes) -> Landed:
    """Land these pages and raise AssertionError for anything that mustn't be."""
    landed = land(pages)
    assert landed.code in (0, 8) and "Traceback" not in landed.log, landed.log
    if landed.code:
        assert landed.summary["error"] and not landed.rows
    ids = [row["id"] for row in landed.rows]
    assert len(ids) == len(set(ids)), "a post has two rows"
    documents = list(documents_in(pages))
    known = {found for document in documents for found in ids_in(document)}
    unknown = set(ids) - known - set(re.findall("[0-9]+", pages.decode("utf-8", "replace")))
    assert not unknown, f"ids that nobody sent: {unknown}"
    if landed.code:
        return landed
    summary = landed.summary
    left_out = summary["left_out"]
    where = len(ids) + sum(left_out.values()) + summary["rejected"]
    assert summary["posts_in"] == where, f"{summary['posts_in']} posts came, {where} are accounted for"
    assert len(landed.rejects) == summary["rejected"]
    assert all(reject["reason"] for reject in landed.rejects)
    sent: dict[str, set[str]] = {}
    for post in (post for document in documents for post in plain_posts_in(document)):
        sent.setdefault(post["id"], set()).add(text_as_it_lands(post["text"]))
    if "older_versions" not in left_out:
        assert sent.keys() <= set(ids), f"valid posts are lost: {sent.keys() - set(ids)}"
    return landed


def documents_in(pages: bytes) -> list[Any]:
    """Every line that is JSON, however broken its characters are. Documents of many lines are not looked for."""
    documents = []
    for line in pages.split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            documents.append(json.loads(line.decode("utf-8", "replace")))
    return documents


def ids_in(value: Any) -> set[str]:
    """Every id in a document, at any depth."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            found |= {str(item[key]) for key in ("id", "id_str") if isinstance(item.get(key), str | int)}
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return found


def plain_posts_in(document: Any) -> list[dict[str, Any]]:
    """The posts of a page in which there is nothing to doubt: they must become rows."""
    data = document.get("data") if isinstance(document, dict) else None
    return [post for post in data if is_plain(post)] if isinstance(data, list) else []


def is_plain(post: Any) -> bool:
    if not isinstance(post, dict) or not post.keys() <= PLAIN_KEYS:
        return False
    if not all(isinstance(post.get(key), str) for key in ("id", "text", "created_at")):
        return False
    author = post.get("author_id", "1")
    if not (DIGITS.fullmatch(post["id"]) and isinstance(author, str) and DIGITS.fullmatch(author)):
        return False
    if not TIME.fullmatch(post["created_at"]):
        return False
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(post["created_at"]).year >= 1970
    return False


def text_as_it_lands(text: str) -> str:
    """HTML entities decoded once; what UTF-8 or CSV can't hold (lone surrogates, NUL) is U+FFFD."""
    with contextlib.suppress(ValueError):
        text = html.unescape(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return text.replace("\0", "\ufffd")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, check(Path(name).read_bytes()).summary)
