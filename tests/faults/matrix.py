"""The table: where the run is, what happens there, how the run ends, and what the next one needs of X.

A run of this account makes 4 requests to X (the user's id, three pages of posts), then 4 uploads, then drops its spool.
What never appears in a row because it holds for all: no post lost, none twice, no page that was kept is asked for
again, no manifest whose files aren't what it says, no traceback, and every failure names the next step.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stand_ins.s3_gate import S3Fault
from stand_ins.x_api.faults import Fault
from stand_ins.x_api.world import account_named

from .machine import FULL, ROOM

if TYPE_CHECKING:
    from .stage import Play

ACCOUNT = "three_pages"
EVERYTHING = ("--include-replies", "--include-retweets")


@dataclass(frozen=True)
class Case:
    """One row. `code` is the exit code, negative when a signal ends it; `says` is in the message."""

    phase: str
    event: str
    faults: tuple[Fault | S3Fault, ...]
    code: int
    says: str = ""
    asked_again: int = 0  # requests to X by the next run
    kill: int = 0  # this signal, once the (first) fault holds its request
    damage: Callable[[Path], object] | None = None  # done to the spool before the next run
    next_run_says: str = ""
    next_faults: tuple[Fault | S3Fault, ...] = ()
    landed_before: bool = False  # the bucket has this day already, with other rows
    there: tuple[str, ...] = ()  # options of the run that has landed it
    paid_before: bool = False  # that run has paid for this run's posts
    before: tuple[Callable[[Play], object], ...] = ()  # what is otherwise when the run begins
    options: tuple[str, ...] = ()  # of the run
    part_options: tuple[str, ...] = ()  # of a run in between, under the same fault, that lands what came
    is_part: bool = False  # the run lands a part of the day, and the next one the rest
    next_options: tuple[str, ...] = ()  # of the next one
    commits: bool = False  # the manifest may be in the bucket although the run failed
    billed_twice: int = 0  # pages that the damage has destroyed, or that were of another account
    extra_posts: int = 0  # billed, and of another day
    days_back: int = 0
    env: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.phase}: {self.event}"


# ---- X -----------------------------------------------------------------------------------------------------------

X_PHASES = {  # phase: (path, requests of that path before it, requests the next run makes)
    "user look-up": ("/by/username/", 0, 4),
    "first page": ("/tweets", 0, 3),
    "middle page": ("/tweets", 1, 2),
    "last page": ("/tweets", 2, 1),
}
SHORT = {"TWITTER_ETL_TIMEOUT_SECONDS": "0.5"}
X_FAULTS = [  # lasting: (fault, what it is, exit code, message)
    ("rate_limit", "429, reset in an hour", 5, "Rate-limited until"),
    ("rate_limit_no_reset", "429 without a reset", 5, "doesn't say until when"),
    ("rate_limit_24h", "429, reset in 24 h", 5, "Rate-limited until"),
    ("usage_capped", "429 UsageCapExceeded", 4, "monthly cap"),
    ("credits_depleted", "402 CreditsDepleted", 4, "credits first"),
    ("payment_required", "402 Payment Required", 4, "credits first"),
    ("spend_cap", "403 SpendCapReached", 4, "spending limit"),
    ("not_enrolled", "403 client-not-enrolled", 3, "isn't enrolled"),
    ("forbidden", "403 Forbidden", 3, "forbids"),
    ("unauthorized", "401", 3, "doesn't accept the credentials"),
    ("not_found", "404 for every path", 6, "HTTP 404"),
    ("internal_error", "500", 6, "HTTP 500"),
    ("bad_gateway_html", "502 as HTML", 6, "HTTP 502"),
    ("server_error", "503", 6, "HTTP 503"),
    ("hang", "no answer", 6, "no answer within 0.5 s"),
    ("hang_body", "half an answer, then silence", 6, "the answer stopped halfway"),
    ("reset", "connection closed without an answer", 6, "closed without an answer"),
    ("reset_body", "connection reset in the body", 6, "the answer was cut off"),
    ("cut_body", "body cut off", 6, "the answer was cut off"),
    ("invalid_json", "200 with half a JSON", 6, "isn't JSON"),
    ("errors_only", "200 with errors only", 8, "is suspended"),
]
X_PAGE_FAULTS = [
    ("repeated_token", "a next_token that leads back", 8, "twice"),
    ("empty_page", "an empty page that leads back", 8, "twice"),
]
X_PASSING = ["rate_limit", "unauthorized", "not_found", "internal_error", "bad_gateway_html", "server_error", "hang"]
X_PASSING += ["hang_body", "reset", "reset_body", "cut_body", "invalid_json"]


def x_cases() -> Iterator[Case]:
    """Lasting faults at every request; the next run makes the requests that are left. Passing ones are survived."""
    for name, event, code, says in X_FAULTS + X_PAGE_FAULTS:
        for phase, (path, before, asked_again) in X_PHASES.items():
            if path != "/tweets" and (name, event, code, says) in X_PAGE_FAULTS:
                continue
            seconds = 3600 if name == "rate_limit" else None
            fault = Fault(name, 100, path, seconds, before)
            # "Suspended" makes the kept id of the user doubtful; an empty page has nothing that could be kept.
            asked_again += name == "errors_only" and phase == "first page"
            env = SHORT if name.startswith("hang") else {}
            if (name, phase) == ("repeated_token", "first page"):  # the same posts come: the run goes on without it
                yield Case(phase, event, (fault,), 0)
            else:
                yield Case(phase, event, (fault,), code, says, asked_again, env=env)
    phases = list(X_PHASES.items())
    for number, name in enumerate(X_PASSING):
        phase, (path, before, _) = phases[number % len(phases)]
        event = next(event for known, event, *_ in X_FAULTS if known == name)
        fault = Fault(name, 1, path, 1 if name == "rate_limit" else None, before)
        event = "429, reset in a second" if name == "rate_limit" else f"{event}, once"
        yield Case(phase, event, (fault,), 0, env=SHORT if name.startswith("hang") else {})
    for name, event, code, says in X_FAULTS[:1] + X_FAULTS[13:14]:
        fault = Fault(name, 100, "/tweets", 3600, 3)
        yield Case("proof of depth", event, (fault,), code, says, asked_again=1, days_back=4, extra_posts=5)


# ---- S3 ----------------------------------------------------------------------------------------------------------

UPLOADS = {
    "upload of the CSV": "refined_tweets.csv",
    "upload of the Parquet": "refined_tweets.parquet",
    "upload of the raw pages": "pages.jsonl.gz",
    "upload of the manifest": "_manifest.json",
}
S3_FAULTS = [
    ("unavailable", "503 of a proxy", "503"),
    ("internal_error", "500 InternalError", "InternalError"),
    ("access_denied", "403 AccessDenied", "AccessDenied"),
    ("expired_token", "400 ExpiredToken", "ExpiredToken"),
    ("no_such_bucket", "the bucket is gone", "NoSuchBucket"),
    ("reset", "connection reset", "can't be reached"),
    ("reset_stored", "stored, but the answer is lost", "can't be reached"),
    ("hang", "no answer", "can't be reached"),
    ("garble", "bytes changed on the way", "BadDigest"),
]
S3_PASSING = ["slow_down", "unavailable", "internal_error", "reset", "reset_stored", "hang"]
S3_SHORT = {"TWITTER_ETL_TIMEOUT_SECONDS": "1"}


def s3_cases() -> Iterator[Case]:
    """The pages are there: the next run asks X for nothing. A day that was there before is whole or gone."""
    for phase, path in UPLOADS.items():
        manifest = path == "_manifest.json"
        for number, (name, event, says) in enumerate(S3_FAULTS):
            landed = (number + len(path)) % 2 == 0
            commits = manifest and name == "reset_stored"
            env = S3_SHORT if name == "hang" else {}
            fault = S3Fault(name, path=path)
            event = event + " (the day was there before)" * landed
            yield Case(phase, event, (fault,), 7, says, landed_before=landed, commits=commits, env=env)
        for name in S3_PASSING[len(path) % 2 :: 2]:
            event = next((event for known, event, _ in S3_FAULTS if known == name), "503 SlowDown")
            yield Case(phase, f"{event}, once", (S3Fault(name, path=path, count=1),), 0, env=S3_SHORT)
        event = "503 SlowDown"
        yield Case(phase, event, (S3Fault("slow_down", path=path),), 7, "SlowDown")
    for phase, path in list(UPLOADS.items())[:3]:
        lost = S3Fault("lose", path=path)
        yield Case(phase, "answered 200, but lost", (lost,), 7, "isn't there")
    for name, event, says in S3_FAULTS[:6]:
        # HEAD has no word of the reason: GET is asked. Who is denied both may still be allowed to write: POST asks.
        methods = ["POST"] if name == "access_denied" else ["HEAD", "GET"]
        faults = tuple(S3Fault(name, method) for method in methods)
        yield Case("check of the bucket", event, faults, 7, says if name != "internal_error" else "500", 4)
    for name, event, says in S3_FAULTS[1:2] + S3_FAULTS[5:6]:
        yield Case("look at the old manifest", event, (S3Fault(name, "GET", "_manifest.json"),), 7, says, 4)
        fault = S3Fault(name, "DELETE", "_manifest.json")
        yield Case("removal of the old manifest", event, (fault,), 7, says, landed_before=True)


# ---- a day that is there ---------------------------------------------------------------------------------------------

REPLACE = ("--replace",)
NASA: dict[str, Any] = {
    "landed_before": True,
    "there": ("--account", "nasa"),
    "options": REPLACE,
    "next_options": REPLACE,
}


def landed_cases() -> Iterator[Case]:
    """Nothing poorer or foreign takes its place, nothing is paid for twice, and raw pages that were paid for stay."""
    phase, foreign, poorer = "a day that is there", "of @nasa", "no whole day"
    refused: dict[str, Any] = {"code": 2, "faults": (), "commits": True}
    nasa = NASA | {"options": ()}
    yield Case(phase, "another account's; then --replace", says=foreign, asked_again=4, **(refused | nasa))
    whole: dict[str, Any] = {"landed_before": True, "there": EVERYTHING, "paid_before": True}
    limit: dict[str, Any] = {"says": poorer, "options": ("--limit", "5")}
    yield Case(phase, "the whole day, now --limit 5; then without", **refused, **whole, **limit)
    yield Case(phase, "the same day", (), 0, **whole)
    copy = "copy of the raw pages to be replaced"
    fault = S3Fault("unavailable", path=".jsonl.gz")
    yield Case(copy, "503 of a proxy", (fault,), 7, "503", commits=True, **NASA)
    fault = S3Fault("access_denied", path=".jsonl.gz")
    yield Case(copy, "403 AccessDenied", (fault,), 7, "AccessDenied", commits=True, **NASA)
    for name, event in (("hang", "before it is stored"), ("hang_stored", "once it is stored")):
        killed: dict[str, Any] = {"kill": signal.SIGKILL, "env": S3_SHORT, "commits": True, **NASA}
        yield Case(copy, f"SIGKILL {event}", (S3Fault(name, path=".jsonl.gz", count=1),), -signal.SIGKILL, **killed)


# ---- whose a name is, what time it is ------------------------------------------------------------------------------

THIS_ID, OTHER_ID = account_named(ACCOUNT).id, "999999"
ACCEPT = ("--accept-id", THIS_ID)


def known_as(user_id: str, days_ago: int) -> Callable[[Play], object]:
    return lambda play: play.know_as(user_id, days_ago)


def clocks(here: timedelta, at_x: timedelta) -> Callable[[Play], object]:
    """After the midnight that ends the day."""
    return lambda play: play.set_clocks(here, at_x)


def name_cases() -> Iterator[Case]:
    """Another id behind the name: nothing of the new user is asked for, or kept, until the user accepts it."""
    phase = "whose the name is"
    for event, before in (
        ("another user's since it was looked up 40 days ago", known_as(OTHER_ID, 40)),
        ("another user's since the day before, which is landed", lambda play: play.land_day_before(OTHER_ID)),
    ):
        found: dict[str, Any] = {"before": (before,), "next_options": ACCEPT, "asked_again": 4}
        yield Case(phase, f"{event}; then --accept-id", (), 8, f"user {THIS_ID} now; it was user {OTHER_ID}", **found)
    archive: dict[str, Any] = {"options": ("--archive",), "next_options": ("--archive", *ACCEPT), "asked_again": 2}
    archive |= {"before": (known_as(OTHER_ID, 1),), "billed_twice": 1}
    yield Case(
        phase, "the archive gives another user's posts; then --accept-id", (), 8, "gives posts of user", **archive
    )


def clock_cases() -> Iterator[Case]:
    """More than an hour between the clocks ends the run; with less, X's says where the day ends so far."""
    phase, two_hours, noon = "the clocks", timedelta(hours=2), timedelta(hours=12)
    for event, here, at_x in (
        ("two hours ahead of X's", noon + two_hours, noon),
        ("two hours behind X's", noon, noon + two_hours),
    ):
        yield Case(phase, f"this machine's is {event}", (), 2, event[10:], 3, before=(clocks(here, at_x),))
    jump = (known_as(THIS_ID, 1), clocks(noon + two_hours, noon))
    yield Case(phase, "two hours ahead, seen with the first page", (), 2, "ahead of", 2, before=jump)
    midnight = (clocks(timedelta(minutes=10), timedelta(minutes=-20)),)
    part: dict[str, Any] = {"before": midnight, "asked_again": 1}
    event = "00:10 here and 23:40 at X: a part lands, then the rest"
    yield Case(phase, event, (), 0, "minutes ahead of X's", is_part=True, **part)
    fault = S3Fault("unavailable", path="refined_tweets.csv")
    yield Case(phase, "00:10 here and 23:40 at X, and 503 of a proxy before S3", (fault,), 7, "503", **part)


# ---- an account that is gone, a disk that is full ------------------------------------------------------------------

GONE = {"errors_only": "is suspended", "protected": "is protected", "deleted": "doesn't exist"}


def gone_cases() -> Iterator[Case]:
    """X shows the posts no more: what came is landed as a part, and the account may be back later."""
    phase, part = "the account is gone halfway", ("--land-incomplete",)
    for name, says in GONE.items():
        for pages, asked_again in ((1, 2), (2, 1)):
            fault = Fault(name, 100, "/tweets", None, pages)
            event = f"it {says} after {pages} page{'s' * (pages > 1)}; --land-incomplete; then it's back"
            yield Case(phase, event, (fault,), 8, says, asked_again, part_options=part)
    fault = Fault("protected", 100, "/tweets")
    yield Case(
        phase, "it is protected before any page, --land-incomplete", (fault,), 8, "is protected", 3, options=part
    )


def disk_cases() -> Iterator[Case]:
    """Room is looked for before a page is paid for. What others take meanwhile costs the page that didn't fit."""
    phase, no_room = "this machine's disk is full", "No space left on device"
    for pages in range(3):
        before = f"no room before page {pages + 1}"
        yield Case(phase, before, (), 10, "MiB of room", 3 - pages, env={ROOM: str(pages)})
        env = {FULL: f".jsonl:{pages}"}
        yield Case(phase, f"full amid page {pages + 1}", (), 10, no_room, 3 - pages, env=env, billed_twice=1)
    yield Case(phase, "full amid the files to upload", (), 10, no_room, env={FULL: ".jsonl.gz:0"})


# ---- kills and a torn spool ----------------------------------------------------------------------------------------

KILLS = {"SIGKILL": (signal.SIGKILL, -signal.SIGKILL), "SIGTERM": (signal.SIGTERM, 128 + signal.SIGTERM)}


def kill_cases() -> Iterator[Case]:
    for name, (kill, code) in KILLS.items():
        says = "Stopped by a signal" if code > 0 else ""
        for phase, (path, before, asked_again) in X_PHASES.items():
            for fault, event in (("hang", "waiting for the answer"), ("hang_body", "amid the answer")):
                faults: tuple[Fault | S3Fault, ...] = (Fault(fault, 1, path, None, before),)
                yield Case(phase, f"{name} {event}", faults, code, says, asked_again, kill)
        proof = (Fault("hang", 1, "/tweets", None, 3),)
        yield Case("proof of depth", name, proof, code, says, 1, kill, days_back=4, extra_posts=5)
        for phase, path in UPLOADS.items():
            for fault, event, landed in (
                ("hang", "before it is stored", False),
                ("hang_stored", "once it is stored", False),
                ("hang_stored", "once it is stored (the day was there before)", True),
            ):
                stored = path == "_manifest.json" and fault == "hang_stored"
                phase_now = "removal of the spool" if stored else phase
                faults = (S3Fault(fault, path=path, count=1),)
                event = f"{name} {event}" if not stored else f"{name}, manifest stored{' over an old one' * landed}"
                yield Case(
                    phase_now, event, faults, code, says, 0, kill, landed_before=landed, commits=stored, env=S3_SHORT
                )
        gone = (S3Fault("hang_stored", "DELETE", "_manifest.json", 1),)
        yield Case("removal of the old manifest", name, gone, code, says, 0, kill, landed_before=True)


def append(content: bytes) -> Callable[[Path], object]:
    return lambda spool: spool.write_bytes(spool.read_bytes() + content)


def cut(size: int) -> Callable[[Path], object]:
    return lambda spool: spool.write_bytes(spool.read_bytes()[:-size])


def spoil_first_page(spool: Path) -> None:
    spool.write_bytes(b"\0" * 50 + spool.read_bytes()[50:])


def damage_cases() -> Iterator[Case]:
    """After a kill (or a power cut) while the last page is under way, two pages are in the spool."""
    waiting = (Fault("hang", 1, "/tweets", None, 2),)
    uploading = (S3Fault("hang", path="refined_tweets.csv", count=1),)
    cut_there = "it is cut there"
    for event, damage, asked_again, says in (
        ("half of a page behind them", append(b'{"data": [{"id": "2'), 1, "after page 2"),
        ("zeros behind them, as after a power cut", append(b"\0" * 512), 1, "after page 2"),
        ("a line that isn't JSON behind them", append(b"\xff\xfe{]\n"), 1, "after page 2"),
        ("the second one torn", cut(100), 2, "after page 1"),
        ("the second without its line break", cut(1), 2, "after page 1"),
        ("the first one overwritten", spoil_first_page, 3, "after page 0"),
    ):
        twice = asked_again - 1
        yield Case(
            "spool of two pages",
            event,
            waiting,
            -signal.SIGKILL,
            "",
            asked_again,
            signal.SIGKILL,
            damage,
            f"is damaged {says}; {cut_there}",
            billed_twice=twice,
        )
    yield Case(
        "spool of all pages",
        "the last one torn",
        uploading,
        -signal.SIGKILL,
        "",
        1,
        signal.SIGKILL,
        cut(100),
        cut_there,
        billed_twice=1,
    )


def token_cases() -> Iterator[Case]:
    """X may forget the token of the next page: the run goes on from the oldest post it has."""
    for phase in ("middle page", "last page"):
        fault = Fault("expired_token", 1, "/tweets", None, X_PHASES[phase][1])
        yield Case(phase, "400, the page token isn't known any more", (fault,), 0)
    yield Case(
        "spool of two pages",
        "X doesn't know the page token any more",
        (Fault("hang", 1, "/tweets", None, 2),),
        -signal.SIGKILL,
        "",
        2,
        signal.SIGKILL,
        next_faults=(Fault("expired_token", 1, "/tweets"),),
    )


PHASES = (
    *("user look-up", "first page", "middle page", "last page", "proof of depth", "check of the bucket"),
    *("look at the old manifest", "removal of the old manifest", *UPLOADS, "removal of the spool"),
    *("spool of two pages", "spool of all pages"),
    *("a day that is there", "copy of the raw pages to be replaced", "whose the name is", "the clocks"),
    *("the account is gone halfway", "this machine's disk is full"),
)
CASES = [*s3_cases(), *landed_cases(), *x_cases(), *kill_cases(), *damage_cases(), *token_cases()]
CASES += [*name_cases(), *clock_cases(), *gone_cases(), *disk_cases()]
