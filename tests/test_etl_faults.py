"""Whatever breaks wherever, the next run repairs it. The table is tests/faults/matrix.py, its results are in
docs/reliability.md; below are the faults that need more than one run and a repair."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stand_ins.s3_gate import Gate, S3Fault
from stand_ins.s3_server import S3
from tests.faults.matrix import CASES, PHASES, Case
from tests.faults.stage import Outcome, Stages
from tests.helpers.etl import SCRIPT, run_etl

pytestmark = pytest.mark.slow

DAY = str((datetime.now(UTC) - timedelta(days=1)).date())


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, s3_endpoint: str) -> Iterator[dict[str, Future[Outcome]]]:
    """The selected cases, all begun at once: they wait more than they work."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted: list[Any] = [item.callspec.params["case"] for item in items if "outcomes" in item.fixturenames]
    with Stages(s3_endpoint) as stages:
        yield stages.play_all(wanted)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_matrix(case: Case, outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[case.name].result()
    assert outcome.problems() == [], outcome.log


def test_the_matrix_is_as_large_as_promised() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
    assert {case.phase for case in CASES} == set(PHASES), "a phase that isn't listed isn't in the report"


@pytest.fixture
def gate(s3: S3) -> Iterator[Gate]:
    with Gate(s3.endpoint_url) as server:
        yield server


@pytest.fixture
def env(x_env: dict[str, str], s3: S3, gate: Gate) -> dict[str, str]:
    return s3.env | x_env | {"AWS_ENDPOINT_URL": gate.endpoint_url, "TWITTER_ETL_DEADLINE_SECONDS": "20"}


def arguments(s3: S3, account: str = "nasa", day: str = DAY) -> list[str]:
    wanted = ["--include-replies", "--include-retweets"]
    return ["--account", account, "--date", day, *wanted, "--to", f"s3://{s3.bucket}"]


def check_landed(s3: S3, x_api: Any, day: str = DAY) -> None:
    manifest = json.loads(s3.read(f"twitter/dt={day}/_manifest.json"))
    assert manifest["rows"] == x_api.billed_posts > 0 and manifest["complete"] is True


def test_two_runs_at_once(x_api: Any, s3: S3, env: dict[str, str]) -> None:
    x_api.fault("hang", count=1, path="/tweets", seconds=4)
    first = subprocess.Popen([sys.executable, str(SCRIPT), *arguments(s3)], env=env, stdout=subprocess.DEVNULL)
    while not x_api.requests:
        time.sleep(0.005)
    second = run_etl(*arguments(s3), env=env)
    assert second.code == 6 and f"process {first.pid}" in second.summary["error"], second.log
    assert first.wait(30) == 0
    check_landed(s3, x_api)


def spools(env: dict[str, str]) -> list[Path]:
    return list((Path(env["TWITTER_ETL_STATE_DIR"]) / "spool").glob("*.jsonl"))


@pytest.mark.parametrize("bytes_free", [100, 30_000])
def test_a_full_disk(bytes_free: int, x_api: Any, s3: S3, env: dict[str, str]) -> None:
    """A limit on the size of files stands for it: writes fail with an OSError alike."""
    limited = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments(s3, "prolific")],
        env=env | {"PYTHONDONTWRITEBYTECODE": "1"},  # a module cut off there would stay broken for all
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_free, bytes_free)),
    )
    assert limited.returncode == 2 and "Traceback" not in limited.stderr, limited.stderr
    summary = json.loads(limited.stdout.splitlines()[-1])
    assert "room" in summary["hint"]
    assert summary["posts_billed"] == x_api.billed_posts, "what X has billed is said, kept or not"
    assert bool(summary["kept"]) == any(file.stat().st_size for file in spools(env)), "half a page isn't kept"
    assert run_etl(*arguments(s3, "prolific"), env=env).code == 0
    check_landed(s3, x_api)


def test_an_old_day_needs_no_x_for_a_retry(x_api: Any, s3: S3, gate: Gate, env: dict[str, str]) -> None:
    """The proof that the timeline reaches so far back is kept with the pages."""
    day = str((datetime.now(UTC) - timedelta(days=5)).date())
    gate.armed.append(S3Fault("access_denied", path="_manifest.json"))
    assert run_etl(*arguments(s3, day=day), env=env).code == 7
    asked = len(x_api.requests)
    gate.armed.clear()
    assert run_etl(*arguments(s3, day=day), env=env).code == 0
    assert len(x_api.requests) == asked


def test_the_token_is_sent_whatever_netrc_says(x_api: Any, s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("default login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert run_etl(*arguments(s3), env=env | {"HOME": str(tmp_path)}).code == 0
    check_landed(s3, x_api)
