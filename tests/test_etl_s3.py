"""The script and S3: its limits, what it refuses to believe, what it says when S3 refuses. Real HTTP: moto, a gate."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from stand_ins.s3_gate import Gate
from stand_ins.s3_server import S3
from tests.helpers.etl import Run, run_etl

PROJECT = Path(__file__).resolve().parent.parent
CHECK_BUCKET = PROJECT / "roles" / "twitter_etl" / "files" / "check_bucket.py"
DAY = "2026-08-20"


@pytest.fixture
def gate(s3: S3) -> Any:
    with Gate(s3.endpoint_url) as server:
        yield server


@pytest.fixture
def env(s3: S3, gate: Gate, tmp_path: Path) -> dict[str, str]:
    """Of a run that meets S3 at the gate."""
    return s3.env | {
        "AWS_ENDPOINT_URL": gate.endpoint_url,
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_TIMEOUT_SECONDS": "5",
        "TWITTER_ETL_DEADLINE_SECONDS": "30",
    }


def pages(folder: Path, posts: int = 3) -> Path:
    """Raw pages of one day, as one gzip file of JSON Lines."""
    file = folder / "pages.jsonl.gz"
    moment = datetime.fromisoformat(DAY).replace(hour=12, tzinfo=UTC)
    with gzip.open(file, "wb") as out:
        for number in range(posts):
            post = {
                "id": str(2_000_000_000_000_000_000 + number),
                "text": os.urandom(70).hex(),
                "author_id": "11348282",
            }
            out.write(
                orjson.dumps({"data": [post | {"created_at": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")}]}) + b"\n"
            )
    return file


def rebuild(env: dict[str, str], s3: S3, file: Path, *options: str) -> Run:
    return run_etl("--from-raw", str(file), "--date", DAY, "--to", f"s3://{s3.bucket}", *options, env=env)


def check_bucket(env: dict[str, str], s3: S3, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The check of the role, with the script's modules beside it, as on a host."""
    file = tmp_path / "twitter.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    return subprocess.run(
        [sys.executable, str(CHECK_BUCKET), "--env-file", str(file), "--to", f"s3://{s3.bucket}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT / "scripts")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_timeout_is_the_default_one(s3: S3, env: dict[str, str], tmp_path: Path, blank: str) -> None:
    env |= {"TWITTER_ETL_TIMEOUT_SECONDS": blank}
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0 and run.rows == 3, run.log
    checked = check_bucket(env, s3, tmp_path)
    assert checked.returncode == 0 and "written and read back" in checked.stdout, checked.stderr


def test_a_wrong_timeout_is_named_by_the_check_of_the_role(s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    checked = check_bucket(env | {"TWITTER_ETL_TIMEOUT_SECONDS": "soon"}, s3, tmp_path)
    assert checked.returncode == 2 and "TWITTER_ETL_TIMEOUT_SECONDS='soon'" in checked.stderr, checked.stderr
