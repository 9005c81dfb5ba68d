"""Play the whole matrix, print it, and write docs/reliability.md. Exit code 1: something didn't hold."""

from __future__ import annotations

import logging
import platform
import re
import sys
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from stand_ins import s3_server

from .matrix import CASES, PHASES, Case
from .stage import Outcome, Stages

REPORT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
PACKAGES = ("boto3", "moto", "tweepy", "requests", "pyarrow")
HEAD = """# What breaks, and what then

`make test-faults` has written this, and `make test` plays the same table ([matrix.py](../tests/faults/matrix.py)): the
real script against the simulator of X and a real S3 server (moto) behind a gate that checks each upload's SHA-256 as S3
does. A row is one run into a fault, then the same command again on a whole world, with the option that the row names;
where that is `--land-incomplete`, the fault lasts, and a third run finds the account back. A kill waits until the
server holds the very request, so there is no luck in it. A run makes 4 requests to X (the user's id, three pages), then
4 uploads.

{count} rows on {date}, {seconds:.0f} s, Python {python}, {packages}.

| in all rows | |
|---|---|
| posts lost | {lost} |
| posts twice | {duplicates} |
| pages billed again although they were kept | {billed_twice} |
| raw pages that were paid for and aren't in the bucket any more | {raw_lost} |
| manifests whose files aren't what they say, seen after the fault or after the next run | {lies} |
| tracebacks, wrong exit codes, messages without a next step | {faults} |

*Kept* is the number of pages in the spool after the fault; *asks X* is how many requests the next run makes to land
the whole day. `143` is SIGTERM, `-9` SIGKILL, which says nothing. Where the disk has destroyed pages or hadn't taken
one (spools, full disk), the next run asks for those again, and for no others; so it does for a page that was of another
user, which isn't kept. The clocks and the disk are the script's process's own: set, limited and filled for it alone.
"""
VARIES = (
    (r"http://127\.0\.0\.1:[0-9]+", "URL"),
    (r"faults-[0-9]+-[0-9a-f]{20}", "BUCKET"),
    (r"/\S*/faults-[^/ ]+", "DIR"),
    (r"[0-9]{18,19}", "ID"),
    (r"[0-9a-f]{64}", "SHA256"),
    (r"-[0-9a-f]{12}(?=\.jsonl)", "-DIGEST"),
    (r"[-0-9]+T[0-9:]+Z", "TIME"),
    (r"[-0-9]+ [0-9:]+\+00:00", "TIME"),
    (r"until [-0-9]+ [:0-9]+ UTC", "until TIME"),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "DAY"),
)
TABLE = "\n## {phase}\n\n| what happens | exit | message | kept | asks X |\n|---|---|---|---|---|\n"


def main() -> int:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    began = time.monotonic()
    with s3_server.running() as endpoint_url, Stages(endpoint_url) as stages:
        played = stages.play_all(CASES)
        for case in CASES:
            print(line_of(case, played[case.name]), flush=True)
        outcomes = {name: future.result() for name, future in played.items()}
    REPORT.write_text(report(outcomes, time.monotonic() - began), encoding="utf-8")
    failed = sum(bool(outcome.problems()) for outcome in outcomes.values())
    print(f"{len(CASES)} rows, {failed} don't hold; written to {REPORT}")
    return int(failed > 0)


def line_of(case: Case, played: Future[Outcome]) -> str:
    outcome = played.result()
    verdict = "; ".join(outcome.problems()) or "holds"
    return f"{outcome.seconds:5.1f} s  {case.name}: exit {outcome.code}, {verdict}"


def report(outcomes: dict[str, Outcome], seconds: float) -> str:
    """The Markdown of docs/reliability.md."""
    every = outcomes.values()
    text = HEAD.format(
        count=len(outcomes),
        date=datetime.now(UTC).date(),
        seconds=seconds,
        python=platform.python_version(),
        packages=", ".join(f"{name} {version(name)}" for name in PACKAGES),
        lost=sum(outcome.lost for outcome in every),
        duplicates=sum(outcome.duplicates for outcome in every),
        billed_twice=sum(outcome.billed_twice for outcome in every),
        raw_lost=sum(outcome.raw_lost for outcome in every),
        lies=sum(len(outcome.lies) for outcome in every),
        faults=sum(len(outcome.faults) for outcome in every),
    )
    for phase in PHASES:
        text += TABLE.format(phase=phase[0].upper() + phase[1:])
        for case in (case for case in CASES if case.phase == phase):
            outcome = outcomes[case.name]
            after = "|" if outcome.asked_again is None else f"{outcome.kept_pages} | {outcome.asked_again}"
            text += f"| {case.event} | {outcome.code} | {cell(outcome.message)} | {after} |\n"
    return text


def cell(message: str) -> str:
    """A message as it was, without what differs from run to run, in one cell."""
    for pattern, instead in VARIES:
        message = re.sub(pattern, instead, message)
    return message.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
