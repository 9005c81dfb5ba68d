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
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tweetlake
from tweetlake.credentials import secrets_in
from tweetlake.errors import BadDataError, EtlError, Stopped, StoppedError, UsageError
from tweetlake.extract.prices import PRICES_SEEN_ON, Spend
from tweetlake.load.destinations import Destination, open_destination
from tweetlake.load.guard import Guard
from tweetlake.load.landed import Coming, Kinds, Origin
from tweetlake.load.manifest import RAW
from tweetlake.logs import set_up
from tweetlake.raw import Page, RawCounts
from tweetlake.reading.lines import Lines
from tweetlake.reading.pages import read_pieces
from tweetlake.s3 import S3
from tweetlake.settings import Settings, read_settings
from tweetlake.summary import Summary
from tweetlake.times import utc_now
from tweetlake.transform.rows import Rules

if TYPE_CHECKING:
    from tweetlake.extract.accounts import Accounts
    from tweetlake.extract.drain import Drain
    from tweetlake.load.commit import Partition
    from tweetlake.transform.collect import Harvest

log = logging.getLogger("tweetlake")


@dataclass(frozen=True)
class Recording:
    """Pages to land. What was asked from X comes with its drain and with the file that becomes the day's raw pages."""

    pieces: Iterable[Page | Lines]
    counts: RawCounts  # filled while they are read
    day: date | None = None  # the UTC day that was asked from X; None for the latest posts and for --from-raw
    drain: Drain | None = None
    raw_file: Path | None = None


def main(argv: list[str] | None = None) -> int:
    """Run once and print the summary. Returns the exit code (see tweetlake/errors.py)."""
    formatter = set_up(secrets_in(os.environ))
    signal.signal(signal.SIGTERM, stop)
    summary, spend = Summary(), Spend()
    try:
        settings = read_settings(argv)
        formatter.secrets = secrets_in(os.environ)  # again: --env-file may have brought more
        run(settings, spend, summary)
        summary.succeed()
    except (EtlError, KeyboardInterrupt) as ended:
        error = error_of(ended)
        log.error("%s", error)
        summary.fail(error)
    except Exception as error:  # a fault of this program: its traceback goes to the log, without secrets
        log.exception("Unexpected fault")
        summary.crash(error)
    summary.extra |= spend.as_dict()
    sys.stderr.flush()
    print(formatter.redact(json.dumps(summary.as_dict())), flush=True)
    return summary.exit_code


def run(settings: Settings, spend: Spend, summary: Summary) -> None:
    """Say the plan, rebuild from raw pages, or collect from X."""
    if settings.plan:
        say_plan(settings, summary)
        return
    deadline = time.monotonic() + settings.deadline_seconds
    s3 = S3(settings.timeout_seconds, deadline, settings.encryption)
    destination = open_destination(settings.to, s3)
    destination.check()  # before a post is paid for
    if settings.from_raw:
        counts = RawCounts()
        pieces = read_pieces(settings.from_raw, counts, s3, settings.source.account)
        land(settings, destination, Recording(pieces, counts), summary)
    else:
        run_from_x(settings, destination, deadline, spend, summary)


def say_plan(settings: Settings, summary: Summary) -> None:
    """What it would cost at worst: for people on standard error, for programs in the summary. Asks nobody."""
    from tweetlake.extract.plan import plan_of, text_of

    plan = plan_of(settings)
    summary.extra["plan"] = plan
    print(text_of(plan), file=sys.stderr)


def run_from_x(settings: Settings, destination: Destination, deadline: float, spend: Spend, summary: Summary) -> None:
    """Each day by itself, extracted and landed, so that a failure later on takes nothing back."""
    from tweetlake.extract.accounts import Accounts
    from tweetlake.extract.budget import Budget, Ledger
    from tweetlake.extract.client import XClient
    from tweetlake.extract.drain import extract
    from tweetlake.extract.spool import Spool
    from tweetlake.extract.window import windows_of

    accounts = Accounts(settings.state_dir, settings.base_url, settings.accept_id)
    landed = landed_days(settings, destination, accounts)
    summary.already_landed += map(str, landed)
    windows = windows_of(settings, utc_now(), landed)
    if not windows:
        return
    client = XClient(settings, spend, deadline=deadline)
    spend.post_usd = windows[0].post_usd
    ledger = Ledger(settings.state_dir)
    budget = Budget(ledger, client, settings.max_cost_usd, settings.monthly_budget_usd)
    for window in windows:
        spool = Spool(settings.state_dir, settings.base_url, window)
        try:
            drain = extract(window, client, spool, budget, accounts)
            counts = RawCounts()
            pieces = read_pieces(str(spool.path), counts)
            land(settings, destination, Recording(pieces, counts, window.day, drain, spool.path), summary)
            if drain.has_rest:
                log.info("%s", spool.kept())
            else:
                spool.remove()
        except (EtlError, KeyboardInterrupt) as ended:
            error = error_of(ended)
            error.kept = " ".join(text for text in (error.kept, spool.kept()) if text)
            raise error from None
        finally:
            spool.close()
    summary.extra["spent_this_month_usd"] = ledger.spent(utc_now())[0]


def landed_days(settings: Settings, destination: Destination, accounts: Accounts) -> list[date]:
    """The days that need X no more. Raises UsageError, before anything is paid, for one that must not be replaced."""
    from tweetlake.extract.spool import Spool
    from tweetlake.extract.window import Window, is_over

    source, guard = settings.source, guard_of(settings, destination)
    known = accounts.known(source.account) if source.account else None
    account_id = source.account_id or (known or {}).get("id")
    origin = Origin.of(None if source.account_id else source.account, account_id, source.query)
    coming = Coming(origin, kinds_of(settings), bool(settings.latest), settings.newest)
    landed = []
    if source.account and not accounts.last_id(source.account):
        before = [settings.days[0] - timedelta(days=1)] if settings.days else []
        if user_id := guard.id_of(source.account, [*settings.days, *before]):
            accounts.expect(source.account, user_id)
    for day in settings.days or (settings.run_day,):
        if manifest := guard.landed_manifest(day, replace(coming, is_over=is_over(source, day, utc_now()))):
            landed.append(day)
            with suppress(UsageError):  # X doesn't reach back so far: then no run of it is unfinished either
                spool = Spool(settings.state_dir, settings.base_url, Window.of(settings, day, utc_now()))
                spool.remove_landed(manifest["files"].get(RAW, {}).get("sha256", ""))
    return landed


def guard_of(settings: Settings, destination: Destination) -> Guard:
    return Guard(destination, settings.source.name, replace=settings.replace, again=settings.again)


def kinds_of(settings: Settings) -> Kinds:
    return Kinds(settings.source.include_replies, settings.source.include_retweets)


def land(settings: Settings, destination: Destination, recording: Recording, summary: Summary) -> None:
    """Transform, validate, load."""
    from tweetlake.load.commit import commit  # with pandas, pyarrow and pandera: only now that the posts are there
    from tweetlake.transform.collect import collected, refuse_too_many
    from tweetlake.transform.jobs import jobs_for_this_machine

    summary.read.append(recording.counts)
    rules, jobs = rules_of(settings, recording), settings.jobs or jobs_for_this_machine()
    with collected(recording.pieces, rules, recording.day, counts=recording.counts, jobs=jobs) as harvest:
        summary.add_posts(
            recording.counts, posts_in=harvest.posts_in, rejected=len(harvest.rejects), left_out=harvest.left_out
        )
        if recording.drain is None:
            refuse_nothing(settings, harvest, recording.counts)
        refuse_too_many(harvest, recording.counts.unreadable, settings.max_reject_percent)
        partitions: Iterable[Partition] = partitions_of(settings, recording, harvest)
        if recording.drain is None:
            origin = origin_of(settings, harvest)
            coming = Coming(origin, kinds_of(settings), bool(settings.latest), settings.newest, from_raw=True)
            partitions = guard_of(settings, destination).admitted(partitions, coming)
        for partition in partitions:
            landed = commit(partition, destination)
            summary.days.append(landed)
            manifest_uri = landed["files"]["_manifest.json"]["uri"]
            log.info("%s: %d rows, %d rejected -> %s", *map(landed.get, ("date", "rows", "rejected")), manifest_uri)


def origin_of(settings: Settings, harvest: Harvest) -> Origin:
    """Whose raw pages these are: as they say, else as --account says; unknown when they are several sources'."""
    origins = list(dict.fromkeys(map(Origin.of_page, harvest.sources)))
    if origins and all(origin.is_same(origins[-1]) for origin in origins) and origins[-1].is_known:
        return origins[-1]
    return Origin.of(settings.source.account, None, None)


def rules_of(settings: Settings, recording: Recording) -> Rules:
    """Which posts are wanted: of X's answers, all days are; of raw pages, those that were asked for."""
    return Rules(
        include_replies=settings.source.include_replies,
        include_retweets=settings.source.include_retweets,
        days=frozenset(settings.days) if recording.drain is None else frozenset(),
        newest=settings.newest,
    )


def partitions_of(settings: Settings, recording: Recording, harvest: Harvest) -> Iterator[Partition]:
    """The days to write. A day that was asked for is one even without a row; the latest posts are all of the run's."""
    from tweetlake.load.commit import Partition

    only_day = recording.day or (settings.run_day if settings.latest else None)
    rows_of = Counter({only_day: harvest.rows.rows}) if only_day else harvest.rows.rows_of_days()
    days = [only_day] if only_day else sorted({*settings.days, *rows_of, *harvest.rejects.days}) or [settings.run_day]
    newer_elsewhere = frozenset().union(*harvest.superseded.values())  # one set for all: a copy a day is half a GB
    for day in days:
        # A reject without any day goes to the last one.
        rejects_of = None if only_day else {day, *[None] * (day == days[-1])}
        reasons, lines = harvest.rejects.of(rejects_of)
        yield Partition(
            day=day,
            source=settings.source.name,
            rows=rows_of[day],
            chunks=partial(harvest.rows.chunks, None if only_day else day),
            rejects=reasons.total(),
            reject_lines=lines,
            raw_file=recording.raw_file,
            collected_at=recording.drain.collected_at if recording.drain else None,
            facts=facts_of(settings, recording, harvest, reasons)
            | {"superseded": sorted(harvest.superseded.get(day, ()))},
            newer_elsewhere=newer_elsewhere,
        )


def refuse_nothing(settings: Settings, harvest: Harvest, counts: RawCounts) -> None:
    """Raw pages without a post, or without one of the days asked for, are a mistake and not an empty day."""
    if not harvest.posts_in:
        raise BadDataError(
            f"--from-raw {settings.from_raw} has no posts{counts.instead()}.",
            hint="docs/data.md lists what can be read. Nothing was written.",
        )
    if settings.days and not harvest.rows.rows and not harvest.rejects.days:
        raise BadDataError(
            f"--from-raw {settings.from_raw} has {harvest.posts_in} posts, but none for these days.",
            hint="Give the pages of these days. Nothing was written: what the lake has for them stays.",
        )


def facts_of(
    settings: Settings, recording: Recording, harvest: Harvest, reject_reasons: Counter[str]
) -> dict[str, Any]:
    """What the manifest says about how the rows came to be."""
    source, drain, counts = settings.source, recording.drain, recording.counts
    if drain:
        account = drain.account.get("username") if source.account_id else source.account
        origin = drain.facts() | {"account": account, "account_id": drain.account.get("id")}
    else:
        origin = {"from_raw": True, **Spend().as_dict(), **origin_of(settings, harvest).facts()}
    if settings.latest:
        origin |= {"complete": False, "latest": settings.latest}
    return {
        "code_version": code_version(),
        "include": {"replies": source.include_replies, "retweets": source.include_retweets},
        "reject_reasons": dict(reject_reasons),
        "prices_seen_on": PRICES_SEEN_ON,
        **origin,
        "posts_in": harvest.posts_in,
        "left_out": dict(harvest.left_out),
        **counts.facts(),
    }


def code_version() -> str:
    """The version and a fingerprint of the very files that run: 0.1.0+3fa91c2e."""
    here = Path(__file__).resolve()
    digest = hashlib.sha256()
    for file in [here, *sorted((here.parent / "tweetlake").rglob("*.py"))]:
        digest.update(file.read_bytes())
    return f"{tweetlake.__version__}+{digest.hexdigest()[:8]}"


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """SIGTERM, as Airflow and systemd send it: end in order, with the pages kept."""
    raise Stopped(signal_number)


def error_of(ended: EtlError | KeyboardInterrupt) -> EtlError:
    """A signal is told like every other end."""
    if isinstance(ended, EtlError):
        return ended
    return StoppedError(ended.signal_number if isinstance(ended, Stopped) else signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
