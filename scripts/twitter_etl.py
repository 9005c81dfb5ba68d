#!/usr/bin/env python3
"""Collect the posts of one account or search and land them, day by day, as clean files in a bucket or a folder.

The story is told from `main` down: extract -> transform -> validate -> load. Its chapters are the modules of
tweetlake/, beside this file. `twitter_etl.py --help` explains options and exit codes; the last line of standard output
is a JSON summary, also when the run fails.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tweetlake
from tweetlake.errors import BadDataError, EtlError, RateLimitedError, Stopped, StoppedError
from tweetlake.extract.prices import PRICES_SEEN_ON, Spend
from tweetlake.load.destinations import Destination, open_destination
from tweetlake.logs import set_up
from tweetlake.raw import Page, RawCounts, read_pages
from tweetlake.settings import Settings, read_settings, secrets_in
from tweetlake.times import utc_now
from tweetlake.transform.rows import Rules

if TYPE_CHECKING:
    from tweetlake.extract.drain import Drain
    from tweetlake.transform.collect import Harvest

log = logging.getLogger("tweetlake")

Summary = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Run once and print the summary. Returns the exit code (see tweetlake/errors.py)."""
    formatter = set_up(secrets_in(os.environ))
    signal.signal(signal.SIGTERM, stop)
    summary: Summary = {"status": "failed", "exit_code": 1, "days": [], "partial_errors": Counter()}
    spend = Spend()
    try:
        settings = read_settings(argv)
        formatter.secrets = secrets_in(os.environ)  # again: --env-file may have brought more
        if settings.plan:
            say_plan(settings, summary)
        else:
            destination = open_destination(settings.to)
            destination.check()  # before a post is paid for
            if settings.from_raw:
                run_from_raw(settings, settings.from_raw, destination, summary)
            else:
                run_from_x(settings, destination, spend, summary)
        summary |= {"status": "ok", "exit_code": 0}
    except KeyboardInterrupt as stopped:
        fail(summary, stopped_error(stopped))
    except EtlError as error:
        fail(summary, error)
    except Exception as error:  # a fault of this program: its traceback goes to the log, without secrets
        log.exception("Unexpected fault")
        summary |= {"error": f"Unexpected fault: {type(error).__name__}", "hint": "Please report the log above."}
    summary |= spend.as_dict()
    sys.stderr.flush()
    print(formatter.redact(json.dumps(summary)), flush=True)
    return int(summary["exit_code"])


def say_plan(settings: Settings, summary: Summary) -> None:
    """What it would cost at worst: for people on standard error, for programs in the summary. Asks nobody."""
    from tweetlake.extract.plan import plan_of, text_of

    summary["plan"] = plan_of(settings)
    print(text_of(summary["plan"]), file=sys.stderr)


def run_from_x(settings: Settings, destination: Destination, spend: Spend, summary: Summary) -> None:
    """Each day by itself, extracted and landed, so that a failure later on takes nothing back."""
    from tweetlake.extract.budget import Budget, Ledger
    from tweetlake.extract.client import XClient
    from tweetlake.extract.drain import extract, spool_of
    from tweetlake.extract.endpoints import post_usd_of, query_of, window_of

    days: list[date | None] = list(settings.days) or [None]
    query_of(settings)
    for day in days:  # what X can't give is said before anything is paid
        window_of(settings, day, datetime.now(UTC))
    client = XClient(settings, spend, deadline=time.monotonic() + settings.deadline_seconds)
    spend.post_usd = post_usd_of(settings)
    ledger = Ledger(settings.state_dir)
    budget = Budget(ledger, spend, settings.max_cost_usd, settings.monthly_budget_usd, client.posts_this_month)
    for day in days:
        spool = spool_of(settings, day)
        try:
            drain = extract(settings, day, client, spool, budget)
            counts = RawCounts()
            pages = read_pages(str(spool.path), counts)
            land(settings, destination, pages, counts, summary, day=day, drain=drain, raw_file=spool.path)
            spool.remove()
        except (EtlError, KeyboardInterrupt) as ended:
            error = ended if isinstance(ended, EtlError) else stopped_error(ended)
            error.kept = " ".join(text for text in (error.kept, spool.kept()) if text)
            raise error from None
        finally:
            spool.close()
    summary["spent_this_month_usd"] = ledger.spent(utc_now())[0]


def run_from_raw(settings: Settings, path: str, destination: Destination, summary: Summary) -> None:
    """The same without X: pages kept earlier, by this program or by others."""
    counts = RawCounts()
    land(settings, destination, read_pages(path, counts), counts, summary)


def land(
    settings: Settings,
    destination: Destination,
    pages: Iterable[Page],
    counts: RawCounts,
    summary: Summary,
    *,
    day: date | None = None,
    drain: Drain | None = None,
    raw_file: Path | None = None,
) -> None:
    """Transform, validate, load. `day`: the UTC day that was asked from X, None for the latest posts and for raw."""
    rules = Rules(
        include_replies=settings.source.include_replies,
        include_retweets=settings.source.include_retweets,
        days=frozenset(settings.days) if drain is None else frozenset(),
        newest=settings.newest,
    )
    from tweetlake.load import commit as load
    from tweetlake.transform import collect  # pandas, pyarrow and pandera: only now that the posts are there

    with collect.collected(pages, rules, day) as harvest:
        summary["partial_errors"].update(counts.partial_errors)
        add_up(summary, harvest, counts)
        if drain is None:
            refuse_nothing(settings, harvest, counts)
        collect.refuse_too_many(harvest, settings.max_reject_percent)
        only_day = day or (settings.run_day if settings.latest else None)
        rows_of = Counter({only_day: harvest.rows.rows}) if only_day else harvest.rows.rows_of_days()
        days = [only_day] if only_day else sorted({*settings.days, *rows_of, *harvest.rejects.days})
        last_day = days[-1] if days else settings.run_day
        for partition_day in days or [last_day]:
            # A reject without any day goes to the last one.
            reasons, lines = harvest.rejects.of(
                None if only_day else {partition_day, *[None] * (partition_day == last_day)}
            )
            partition = load.Partition(
                day=partition_day,
                source=settings.source.name,
                rows=rows_of[partition_day],
                chunks=partial(harvest.rows.chunks, None if only_day else partition_day),
                rejects=reasons.total(),
                reject_lines=lines,
                raw_file=raw_file,
                collected_at=drain.collected_at if drain else None,
                facts=facts_of(settings, drain, reasons)
                | {"posts_in": harvest.posts_in, "left_out": dict(harvest.left_out), "bad_lines": counts.bad_lines}
                | {"partial_errors": dict(counts.partial_errors)},
            )
            landed = load.commit(partition, destination)
            summary["days"].append(landed)
            log.info(
                "%s: %d rows, %d rejected -> %s",
                partition_day,
                landed["rows"],
                landed["rejected"],
                landed["files"]["_manifest.json"]["uri"],
            )


def refuse_nothing(settings: Settings, harvest: Harvest, counts: RawCounts) -> None:
    """Raw pages without a post, or without one of the days asked for, are a mistake and not an empty day."""
    if not harvest.posts_in:
        raise BadDataError(
            f"--from-raw {settings.from_raw} has no posts: {counts.lines} lines, {counts.bad_lines} unreadable.",
            hint="Counts, users, lists and pages of errors only make no rows. Nothing was written.",
        )
    if settings.days and not harvest.rows.rows and not harvest.rejects.days:
        raise BadDataError(
            f"--from-raw {settings.from_raw} has {harvest.posts_in} posts, but none for these days.",
            hint="Give the pages of these days. Nothing was written: what the lake has for them stays.",
        )


def facts_of(settings: Settings, drain: Drain | None, reject_reasons: Counter[str]) -> dict[str, Any]:
    """What the manifest says about how the rows came to be."""
    facts: dict[str, Any] = {
        "code_version": code_version(),
        "include": {"replies": settings.source.include_replies, "retweets": settings.source.include_retweets},
        "reject_reasons": dict(reject_reasons),
        "prices_seen_on": PRICES_SEEN_ON,
    }
    if drain is None:
        return facts | {"from_raw": True, **Spend().as_dict()}
    return facts | drain.facts() | {"account": settings.source.account}


def add_up(summary: Summary, harvest: Harvest, counts: RawCounts) -> None:
    """Where every post went: posts_in = rows + left_out + rejected, over all days."""
    summary["posts_in"] = summary.get("posts_in", 0) + harvest.posts_in
    summary["left_out"] = dict(Counter(summary.get("left_out", {})) + harvest.left_out)
    summary["rejected"] = summary.get("rejected", 0) + len(harvest.rejects)
    summary["bad_lines"] = summary.get("bad_lines", 0) + counts.bad_lines
    summary["lines_without_posts"] = summary.get("lines_without_posts", 0) + counts.lines_without_posts


def code_version() -> str:
    """The version and a fingerprint of the very files that run: 0.1.0+3fa91c2e."""
    here = Path(__file__).resolve()
    digest = hashlib.sha256()
    for file in [here, *sorted((here.parent / "tweetlake").rglob("*.py"))]:
        digest.update(file.read_bytes())
    return f"{tweetlake.__version__}+{digest.hexdigest()[:8]}"


def fail(summary: Summary, error: EtlError) -> None:
    """Put the error into the summary and, as one sentence after the other, into the log."""
    log.error("%s", error)
    summary |= {
        "error": error.message,
        "kept": error.kept,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, RateLimitedError) and error.retry_at:
        summary["retry_at"] = error.retry_at.isoformat()


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """SIGTERM, as Airflow and systemd send it: end in order, with the pages kept."""
    raise Stopped(signal_number)


def stopped_error(stopped: KeyboardInterrupt) -> StoppedError:
    return StoppedError(stopped.signal_number if isinstance(stopped, Stopped) else signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
