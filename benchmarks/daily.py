"""A day of 1,000 posts from the X API simulator into moto's S3, and what the script takes while it waits for X."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

from stand_ins import s3_server
from stand_ins.x_api.faults import Fault
from stand_ins.x_api.server import ServerThread
from stand_ins.x_api.simulator import Simulator

from .measure import CACHE, MIB, Cost, cost_of

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "twitter_etl.py"
POSTS = 1000
PAGES_BEFORE_THE_WAIT = 9  # of 10: what earlier pages leave in memory is there
WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Daily:
    """The run without a wait, and the memory of one that waits."""

    cost: Cost
    waiting_rss_mib: float


def measure_daily() -> Daily:
    """Two runs of the same day, each into a bucket of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto names every request
    simulator = Simulator()
    with s3_server.running() as s3_url, ServerThread(simulator) as x_api:
        env = {
            "AWS_ENDPOINT_URL": s3_url,
            "AWS_ACCESS_KEY_ID": "stand-in",
            "AWS_SECRET_ACCESS_KEY": "stand-in",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "X_BEARER_TOKEN": simulator.credentials.bearer_token,
            "X_API_BASE_URL": x_api.base_url,
            "TWITTER_ETL_STATE_DIR": str(CACHE / "state"),
        }
        waiting: list[float] = []

        def wait(launcher: int) -> None:
            waiting.append(rss_while_waiting(launcher, simulator))

        cost_of(command("warm-up", env), env=env)
        cost = cost_of(command("daily", env), env=env)
        summary = json.loads(cost.output.splitlines()[-1])
        if summary["days"][0]["rows"] != POSTS:
            raise RuntimeError(f"the daily run landed {summary['days'][0]['rows']} posts, not {POSTS}")
        cost_of(command("waiting", env), env=env, while_running=wait)
    return Daily(cost, waiting[0])


def command(bucket: str, env: dict[str, str]) -> list[str]:
    """A run as the DAG starts it, with nothing left of an earlier one."""
    shutil.rmtree(CACHE / "state", ignore_errors=True)
    keys = {name.lower(): env[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    client = boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)
    client.create_bucket(Bucket=f"bench-{bucket}")
    yesterday = str((datetime.now(UTC) - timedelta(days=1)).date())
    options = ["--account", "thousand", "--date", yesterday, "--to", f"s3://bench-{bucket}"]
    return [sys.executable, str(SCRIPT), *options, "--include-replies", "--include-retweets"]


def rss_while_waiting(launcher: int, simulator: Simulator) -> float:
    """Let X keep the script waiting before its last page, and see how much memory it has then (MiB)."""
    simulator.reset()
    while sum(request.path.endswith("/tweets") for request in simulator.requests) < PAGES_BEFORE_THE_WAIT:
        time.sleep(0.0005)
    simulator.faults.arm(Fault("rate_limit", count=1, path="/tweets", seconds=WAIT_SECONDS))
    time.sleep(WAIT_SECONDS / 2)
    script = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().strip()
    resident_pages = int(Path(f"/proc/{script}/statm").read_text().split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE") / MIB
