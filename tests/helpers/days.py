"""A day of made-up posts, small or large, into a bucket; and whether what is there is what the manifest promises."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from pathlib import Path

import orjson

from stand_ins.s3_server import S3
from tests.helpers.etl import Run, run_etl

DAY = "2026-08-20"
FIRST_ID = 2_000_000_000_000_000_000
CSV = f"twitter/dt={DAY}/refined_tweets.csv"
MANIFEST = f"twitter/dt={DAY}/_manifest.json"
IN_PARTS = 50_000  # posts of which the CSV is above 8 MiB, so that it is uploaded in parts


def pages(folder: Path, posts: int = 3) -> Path:
    """Raw pages of one day, as one gzip file of JSON Lines."""
    file = folder / "pages.jsonl.gz"
    with gzip.open(file, "wb") as out:
        for number in range(posts):
            post = {"id": str(FIRST_ID + number), "text": os.urandom(70).hex(), "author_id": "11348282"}
            out.write(orjson.dumps({"data": [post | {"created_at": f"{DAY}T12:00:00.000Z"}]}) + b"\n")
    return file


def rebuild(env: dict[str, str], s3: S3, file: Path, *options: str) -> Run:
    return run_etl("--from-raw", str(file), "--date", DAY, "--to", f"s3://{s3.bucket}", *options, env=env)


def ids_in(s3: S3) -> set[str]:
    return {row["id"] for row in csv.DictReader(io.StringIO(s3.read(CSV).decode(), newline=""))}


def check_promise(s3: S3, posts: int) -> None:
    """All that went in is there, and every file is what the manifest says."""
    assert ids_in(s3) == {str(FIRST_ID + number) for number in range(posts)}
    for entry in json.loads(s3.read(MANIFEST))["files"].values():
        assert hashlib.sha256(s3.read(entry["key"])).hexdigest() == entry["sha256"]
