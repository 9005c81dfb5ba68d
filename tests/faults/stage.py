"""Plays one case of the matrix: the real script, the simulator of X, moto's S3 behind a gate. No clock, no luck:
a kill waits until the server has the very request."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import queue
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import boto3
import orjson

from stand_ins.s3_gate import Gate, S3Fault
from stand_ins.x_api.faults import Fault
from stand_ins.x_api.server import ServerThread
from stand_ins.x_api.simulator import Simulator
from stand_ins.x_api.world import account_named, day_stubs

from . import machine
from .matrix import ACCOUNT, EVERYTHING, Case
from .warm import WarmPython, WarmRun

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "twitter_etl.py"
STAGES = 6  # at once: most of the time a run waits
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
IMPORT_ENV = {"AWS_NEW_RETRIES_2026": "true"}  # botocore: 50 ms instead of 1 s before a retry that isn't throttling


@dataclass
class Outcome:
    """What happened. Everything below `kept_pages` has to be zero (or empty), whatever the case."""

    code: int
    message: str = ""
    hint: str = ""
    kept: str = ""
    asked_again: int | None = None  # requests to X that the next run needed, if there was one
    kept_pages: int = 0
    lost: int = 0
    duplicates: int = 0
    billed_twice: int = 0
    raw_lost: int = 0  # files of raw pages that were paid for by the run before
    lies: list[str] = field(default_factory=list)  # manifests that don't fit their files
    faults: list[str] = field(default_factory=list)  # whatever else isn't as the case says
    seconds: float = 0.0
    log: str = ""

    def problems(self) -> list[str]:
        counted = {"posts lost": self.lost, "duplicates": self.duplicates, "pages billed twice": self.billed_twice}
        counted["raw pages lost"] = self.raw_lost
        return [f"{name}: {n}" for name, n in counted.items() if n] + self.lies + self.faults


class Stage:
    """Servers and a warm Python, for one case after another. `s3_client`, `s3_endpoint`: of moto."""

    def __init__(self, s3_client: Any, s3_endpoint: str) -> None:
        self.s3 = s3_client
        self.simulator = Simulator()
        self.server = ServerThread(self.simulator)
        self.gate = Gate(s3_endpoint)
        self.python = WarmPython(IMPORT_ENV)
        self.server.__enter__()
        self.gate.__enter__()

    def close(self) -> None:
        self.python.close()
        self.gate.__exit__()
        self.server.__exit__()

    def play(self, case: Case) -> Outcome:
        """Land before if the case says so, run into the fault, repair, run again, and count."""
        with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
            began = time.monotonic()
            outcome = Play(self, case, Path(folder)).outcome()
            outcome.seconds = time.monotonic() - began
            return outcome


class Stages:
    """Several stages that play side by side."""

    def __init__(self, s3_endpoint: str, count: int = STAGES) -> None:
        secrets = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret"}
        s3 = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **secrets)
        self._all = [Stage(s3, s3_endpoint) for _ in range(count)]
        self._free: queue.SimpleQueue[Stage] = queue.SimpleQueue()
        for stage in self._all:
            self._free.put(stage)
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for stage in self._all:
            stage.close()

    def play_all(self, cases: Iterable[Case]) -> dict[str, Future[Outcome]]:
        """Begin them all; the outcomes by the names of the cases."""
        return {case.name: self._pool.submit(self._play, case) for case in cases}

    def _play(self, case: Case) -> Outcome:
        stage = self._free.get()
        try:
            return stage.play(case)
        finally:
            self._free.put(stage)


class Play:
    """One case on a stage: its folder, its bucket, its runs."""

    def __init__(self, stage: Stage, case: Case, folder: Path) -> None:
        self.stage, self.case, self.folder = stage, case, folder
        self.simulator, self.gate = stage.simulator, stage.gate
        self.simulator.reset()
        self.gate.reset()
        self.bucket = f"faults-{os.getpid()}-{hashlib.sha256(case.name.encode()).hexdigest()[:20]}"
        stage.s3.create_bucket(Bucket=self.bucket)
        self.day = YESTERDAY - timedelta(days=case.days_back)
        self.raw_key = f"twitter_raw/dt={self.day}/pages.jsonl.gz"
        self.raw_before: bytes | None = None
        self.runs = 0
        self.state_dir = folder / "state"
        self.spool = self.state_dir / "spool"
        self.env = dict(case.env)  # of the run into the fault

    def start(self, *more: str, **env: str) -> WarmRun:
        """Start the script for the case's account and day."""
        self.runs += 1
        arguments = ["--account", ACCOUNT, "--date", str(self.day), "--to", f"s3://{self.bucket}"]
        bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ = bare | {
            "AWS_ENDPOINT_URL": self.gate.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "X_BEARER_TOKEN": self.simulator.credentials.bearer_token,
            "X_API_BASE_URL": self.stage.server.base_url,
            "TWITTER_ETL_STATE_DIR": str(self.state_dir),
            "TWITTER_ETL_RETRY_SECONDS": "0.01",
            "TWITTER_ETL_TIMEOUT_SECONDS": "20",
            "TWITTER_ETL_DEADLINE_SECONDS": "60",
            "TMPDIR": str(self.folder),
            **env,
        }
        return self.stage.python.start(SCRIPT, [*arguments, *more], environ, self.folder / f"run{self.runs}")

    def outcome(self) -> Outcome:
        if self.case.landed_before:
            self.land_before()
        self.arm(self.case.faults)
        for change in self.case.before:
            change(self)
        run = self.start(*EVERYTHING, *self.case.options, **self.env)
        if self.case.kill:
            self.kill(run)
        outcome = Outcome(run.wait())
        summary = run.summary
        outcome.message, outcome.hint = str(summary.get("error") or ""), str(summary.get("hint") or "")
        outcome.kept, outcome.log = str(summary.get("kept") or ""), run.log
        self.judge_first(run, outcome)
        outcome.lies += self.lies()
        if self.case.part_options:
            self.land_part(outcome)
        if run.code != 0 or self.case.is_part:
            self.recover(outcome)
        self.count(outcome)
        return outcome

    def land_before(self) -> None:
        """The same day with fewer posts, unless the case says else: every file will be another."""
        self.start(*self.case.there).wait()
        self.raw_before = self.get(self.raw_key)
        if not self.case.paid_before:
            self.simulator.reset()
            shutil.rmtree(self.state_dir)
        self.gate.reset()

    def put(self, key: str, content: bytes) -> None:
        """An object, past the gate."""
        self.stage.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def set_clocks(self, here: timedelta, at_x: timedelta) -> None:
        """Of this machine and of X, after the midnight that ends the day; until the next run."""
        midnight = datetime.combine(self.day + timedelta(days=1), datetime.min.time(), UTC)
        self.simulator.now = midnight + at_x
        self.env[machine.CLOCK] = str((midnight + here - datetime.now(UTC)).total_seconds())

    def know_as(self, user_id: str, days_ago: int) -> None:
        """The account had this id when it was last looked up."""
        seen_at = (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = {"id": user_id, "username": ACCOUNT, "seen_at": seen_at}
        self.state_dir.mkdir(mode=0o700)
        (self.state_dir / "user_ids.json").write_text(json.dumps({f"{self.stage.server.base_url} {ACCOUNT}": entry}))

    def land_day_before(self, user_id: str) -> None:
        """The bucket has the day before, of an account of this id."""
        manifest = {"files": {}, "account": ACCOUNT, "account_id": user_id, "rows": 1}
        self.put(f"twitter/dt={self.day - timedelta(days=1)}/_manifest.json", json.dumps(manifest).encode())

    def land_part(self, outcome: Outcome) -> None:
        """The fault lasts, and the user makes do with what came."""
        billed = self.simulator.bill.posts
        part = self.start(*EVERYTHING, *self.case.part_options)
        manifest = self.manifest() if part.wait() == 0 else None
        if not manifest or manifest["complete"] or not manifest["rows"] == billed == self.simulator.bill.posts:
            outcome.faults.append(f"the part that came isn't landed, or was billed again: {part.code} {part.log}")
        self.raw_before = self.get(self.raw_key)
        outcome.lies += self.lies()

    def recover(self, outcome: Outcome) -> None:
        """The world is whole again (the disk perhaps not): the command once more."""
        outcome.kept_pages = self.pages_kept()
        self.simulator.now = None
        self.simulator.faults.clear()
        self.gate.armed.clear()
        self.arm(self.case.next_faults)
        if self.case.damage:
            self.case.damage(self.spooled())
        if "--archive" in self.case.options:
            time.sleep(1)  # it takes one request a second: whether the next run comes too early isn't left to luck
        before = len(self.simulator.requests)
        again = self.start(*EVERYTHING, *self.case.next_options)
        if again.wait() != 0:
            outcome.faults.append(f"the next run ends with {again.code}: {again.log}")
        if "Traceback" in again.log or self.case.next_run_says not in again.log:
            outcome.faults.append(f"the next run's log: {again.log}")
        outcome.asked_again = sum(request.status != 0 for request in self.simulator.requests[before:])
        if outcome.asked_again != self.case.asked_again:
            outcome.faults.append(f"the next run asked X {outcome.asked_again} times, not {self.case.asked_again}")
        outcome.lies += self.lies()

    def arm(self, faults: Iterable[Fault | S3Fault]) -> None:
        for fault in faults:
            if isinstance(fault, Fault):
                self.simulator.faults.arm(Fault(fault.name, fault.count, fault.path, fault.seconds, fault.after))
            else:
                self.gate.armed.append(S3Fault(fault.name, fault.method, fault.path, fault.count))

    def fired(self) -> list[str]:
        return self.simulator.faults.fired + self.gate.fired

    def kill(self, run: WarmRun) -> None:
        """When the server holds the request that the case names."""
        deadline = time.monotonic() + 60
        while not self.fired() and time.monotonic() < deadline:
            time.sleep(0.003)
        run.signal(self.case.kill)

    def judge_first(self, run: WarmRun, outcome: Outcome) -> None:
        """Exit code, the three sentences, and that the fault has happened at all."""
        case = self.case
        if outcome.code != case.code:
            outcome.faults.append(f"exit code {outcome.code}, not {case.code}: {run.log}")
        if case.faults and not self.fired():
            outcome.faults.append("the fault never happened")
        if "Traceback" in run.log:
            outcome.faults.append(run.log)
        if case.code > 0:
            if case.says not in outcome.message or not outcome.hint:
                outcome.faults.append(
                    f"the message isn't {case.says!r} and what to do: {outcome.message} {outcome.hint}"
                )
            if ("kept in" in outcome.kept) != bool(self.pages_kept()):
                outcome.faults.append(f"what was kept: {outcome.kept!r}, pages in the spool: {self.pages_kept()}")
        if case.code != 0 and case.commits is False and self.manifest_is_new():
            outcome.faults.append("the manifest is there, and shouldn't")
        if case.is_part:
            outcome.message = " ".join(re.findall(r"WARNING +(.+)", run.log))
            self.raw_before = self.get(self.raw_key)
            if (self.manifest() or {}).get("complete") is not False or case.says not in outcome.message:
                outcome.faults.append(f"a part of the day isn't landed as one, with {case.says!r}: {run.log}")

    def spooled(self) -> Path:
        """The one file of pages."""
        (path,) = self.spool.glob("*.jsonl")
        return path

    def pages_kept(self) -> int:
        """Whole lines of the spool, without the one that only says that the timeline reaches back so far."""
        files = list(self.spool.glob("*.jsonl")) if self.spool.exists() else []
        lines = [line for file in files for line in file.read_bytes().split(b"\n")[:-1]]
        return sum(b'"depth_proven"' not in line for line in lines)

    def get(self, key: str) -> bytes | None:
        """An object, past the gate."""
        try:
            return cast("bytes", self.stage.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except self.stage.s3.exceptions.NoSuchKey:
            return None

    def manifest(self) -> dict[str, Any] | None:
        content = self.get(f"twitter/dt={self.day}/_manifest.json")
        return orjson.loads(content) if content else None

    def manifest_is_new(self) -> bool:
        manifest = self.manifest()
        return manifest is not None and manifest["include"]["replies"]

    def lies(self) -> list[str]:
        """Files that are not what a manifest in the bucket says."""
        wrong = []
        for name, entry in ((self.manifest() or {}).get("files") or {}).items():
            content = self.get(entry["key"])
            if content is None or hashlib.sha256(content).hexdigest() != entry["sha256"]:
                wrong.append(f"the manifest says something else of {name}")
        return wrong

    def every_raw(self) -> list[bytes | None]:
        """The files of raw pages in the bucket, those that were replaced as well."""
        listed = self.stage.s3.list_objects_v2(Bucket=self.bucket, Prefix="twitter_raw/")
        return [self.get(item["Key"]) for item in listed.get("Contents", [])]

    def count(self, outcome: Outcome) -> None:
        """Posts of the day against rows of the CSV and posts of the raw pages; answered pages against themselves."""
        expected = {str(stub.id) for stub in day_stubs(account_named(ACCOUNT), self.day)}
        text = (self.get(f"twitter/dt={self.day}/refined_tweets.csv") or b"").decode()
        rows = [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
        packed = self.get(self.raw_key)
        lines = gzip.decompress(packed).splitlines() if packed else []
        raw = [post["id"] for line in lines for post in orjson.loads(line).get("data", [])]
        outcome.lost = max(len(expected - set(rows)), len(expected - set(raw)))
        outcome.duplicates = max(len(rows) - len(set(rows)), len(raw) - len(set(raw)))
        if set(rows) - expected:
            outcome.faults.append(f"posts that don't exist: {sorted(set(rows) - expected)[:3]}")
        good = Counter(
            (request.path, json.dumps(request.query, sort_keys=True))
            for request in self.simulator.requests
            if request.status == 200 and not request.fault and request.path.endswith(("/tweets", "/search/all"))
        )
        outcome.billed_twice = sum(good.values()) - len(good) - self.case.billed_twice
        if self.simulator.bill.posts != len(expected) + self.case.extra_posts:
            outcome.faults.append(f"{self.simulator.bill.posts} posts billed, {len(expected)} landed")
        if self.raw_before and self.raw_before not in self.every_raw():
            outcome.raw_lost = 1
        if list(self.spool.glob("*.jsonl")):
            outcome.faults.append("the spool is still there")
