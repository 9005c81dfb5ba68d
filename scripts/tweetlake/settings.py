"""What the user asked for: options, env file and environment, checked before anything is called or written."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .command_line import build_parser
from .credentials import Credentials, read_credentials, read_env_file
from .errors import UsageError

DEFAULT_BASE_URL = "https://api.x.com"
ACCOUNT_PATTERN = re.compile(r"[A-Za-z0-9_]{1,15}")
ID_PATTERN = re.compile(r"[1-9]\d{0,18}", re.ASCII)
# X's own pages, which have the form of an account's (https://x.com/search?q=...), and the tabs of an account's page.
PAGES_OF_X = {"compose", "explore", "hashtag", "home", "i", "intent", "messages", "search", "settings", "share"}
TABS = {"with_replies", "media", "highlights", "articles"}
SOURCE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_PATTERN = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
BUCKET_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
BUCKET_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
FIRST_POST_DAY = date(2006, 3, 21)


@dataclass(frozen=True)
class Source:
    """Whose posts: those of one account or one search, and which kinds of them. --from-raw has neither of the two; an
    account only where an archive doesn't say whose it is."""

    account: str | None = None  # a name, or id:NUMBER
    query: str | None = None
    name: str | None = None  # source=NAME/ in the lake
    include_replies: bool = False
    include_retweets: bool = False
    archive: bool = False  # asked by the full-archive search

    @property
    def label(self) -> str:
        """A short name for messages and file names."""
        return self.name or self.account or ("query" if self.query else "raw")

    @property
    def account_id(self) -> str | None:
        """The account's number, where the user has given that instead of a name."""
        account = self.account or ""
        return account.removeprefix("id:") if account.startswith("id:") else None

    @property
    def called(self) -> str:
        """For messages."""
        if self.account_id:
            return f"the user with the id {self.account_id}"
        return f"@{self.account}" if self.account else "the search"


@dataclass(frozen=True)
class Encryption:
    """How S3 is told to encrypt what is written. Nothing said: as the bucket does by itself."""

    method: str | None = None  # AES256 or aws:kms
    key: str | None = None  # of aws:kms: id, ARN or alias; None is the account's own key for S3

    @property
    def arguments(self) -> dict[str, Any]:
        """For boto3. With a bucket key S3 asks KMS, which bills each request, once for many objects."""
        if not self.method:
            return {}
        kms = {"BucketKeyEnabled": True} | ({"SSEKMSKeyId": self.key} if self.key else {})
        return {"ServerSideEncryption": self.method} | (kms if self.method == "aws:kms" else {})


@dataclass(frozen=True)
class Settings:
    """One run, checked. Either the source has an account or a query, or from_raw is set."""

    source: Source
    from_raw: str | None
    days: tuple[date, ...]  # empty: --latest, or --from-raw without a date
    run_day: date  # the UTC day on which the run began
    latest: int | None
    to: str
    limit: int | None
    max_reject_percent: float
    credentials: Credentials
    base_url: str
    state_dir: Path
    deadline_seconds: float
    timeout_seconds: float
    retry_seconds: float  # the first pause after a server error; it doubles
    encryption: Encryption = Encryption()
    again: bool = False  # read what is landed already
    replace: bool = False  # also what is richer, or another source's
    plan: bool = False  # only say what it would cost
    max_cost_usd: float | None = None  # of this run
    monthly_budget_usd: float | None = None  # of all runs of a calendar month, UTC
    land_incomplete: bool = False  # what came before X stopped showing the account
    jobs: int | None = None  # processes that read pages; None: as many as suit this machine
    accept_id: str | None = None  # whose the name is now, as the user knows
    app_owner: str | None = None  # the account that owns the X app: its own posts are cheaper

    @property
    def newest(self) -> int | None:
        """How many posts are wanted at most, the newest; None for all."""
        return min((number for number in (self.latest, self.limit) if number), default=None)


def read_settings(
    argv: list[str] | None = None, environ: MutableMapping[str, str] = os.environ, now: datetime | None = None
) -> Settings:
    """Parse and check everything. `environ` gains the names of --env-file, so that boto3 sees its AWS_* too.

    Raises UsageError or CredentialsError with the fix.
    """
    args = build_parser().parse_args(argv)
    for option in ("account", "query", "from_raw", "to", "sse", "name", "env_file"):
        check_text("--" + option.replace("_", "-"), getattr(args, option))
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    if args.env_file:
        for name, value in read_env_file(Path(args.env_file)).items():
            environ.setdefault(name, value)
    if ca_bundle := environ.get("SSL_CERT_FILE"):
        environ.setdefault("REQUESTS_CA_BUNDLE", ca_bundle)  # requests and botocore read only this one
    check_sources(args)
    account = account_of(args.account) if args.account is not None else None
    check_id_options(args, account)
    for option in ("latest", "limit", "jobs"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            raise UsageError(f"--{option} must be 1 or more.")
    if not 0 <= args.max_reject_percent <= 100:
        raise UsageError("--max-reject-percent must be between 0 and 100.")
    if args.name is not None:
        check_name(args.name)
    if args.archive and args.from_raw:
        raise UsageError("--archive asks the API, --from-raw doesn't.", hint="Give one of them.")
    if args.again and args.from_raw:
        raise UsageError("--again asks X anew, --from-raw never asks it.", hint="Leave --again out.")
    if args.land_incomplete and (args.again or args.from_raw):
        raise UsageError(
            "--land-incomplete goes with neither --again nor --from-raw.", hint="Leave it out, or leave them out."
        )
    if args.plan and args.from_raw:
        raise UsageError("--plan: --from-raw asks nobody and costs nothing.", hint="Leave --plan out.")
    if args.to is None and not args.plan:
        raise UsageError("The following arguments are required: --to.", hint="See twitter_etl.py --help.")
    timeout_seconds, deadline_seconds = read_time_limits(environ)
    days = check_days(args, today)
    check_destination("." if args.to is None else args.to)
    for option in ("from_raw", "to"):
        if getattr(args, option) and "://" not in getattr(args, option):
            setattr(args, option, str(expanded(getattr(args, option), "--" + option.replace("_", "-"))))
    return Settings(
        source=Source(
            account=account,
            query=args.query.strip() if args.query else None,
            name=args.name,
            include_replies=args.include_replies,
            include_retweets=args.include_retweets,
            archive=args.archive,
        ),
        from_raw=args.from_raw,
        days=days,
        run_day=today,
        latest=args.latest,
        to=args.to or "",
        limit=args.limit,
        max_reject_percent=args.max_reject_percent,
        credentials=Credentials() if args.from_raw else read_credentials(environ, args),
        base_url=check_base_url(environ.get("X_API_BASE_URL") or DEFAULT_BASE_URL),
        state_dir=state_dir(environ),
        deadline_seconds=deadline_seconds,
        timeout_seconds=timeout_seconds,
        retry_seconds=seconds_of(environ, "TWITTER_ETL_RETRY_SECONDS", 1),
        encryption=read_encryption(environ, args.sse),
        again=args.again,
        replace=args.replace,
        plan=args.plan,
        max_cost_usd=usd_of("--max-cost", args.max_cost),
        monthly_budget_usd=usd_of("--monthly-budget", args.monthly_budget)
        if args.monthly_budget is not None
        else usd_of(
            "TWITTER_ETL_MONTHLY_BUDGET_USD", environ.get("TWITTER_ETL_MONTHLY_BUDGET_USD", "").strip() or None
        ),
        land_incomplete=args.land_incomplete,
        jobs=args.jobs,
        accept_id=args.accept_id,
        app_owner=check_account(owner, "X_APP_OWNER") if (owner := environ.get("X_APP_OWNER", "").strip()) else None,
    )


def check_sources(args: argparse.Namespace) -> None:
    """One of the three; only --from-raw may have an account beside it. Raises UsageError."""
    if args.account is None and args.query is None and args.from_raw is None:
        raise UsageError("One of --account, --query and --from-raw is required.", hint="See twitter_etl.py --help.")
    if args.query is not None and (args.account is not None or args.from_raw is not None):
        raise UsageError("--query is not allowed with --account or --from-raw.", hint="Give one of them.")


def read_encryption(environ: Mapping[str, str], option: str | None = None) -> Encryption:
    """METHOD[:KEY] of --sse or else of TWITTER_ETL_SSE; the key may stand apart in TWITTER_ETL_SSE_KMS_KEY_ID."""
    setting = "TWITTER_ETL_SSE" if option is None else "--sse"
    text = (environ.get(setting, "") if option is None else option).strip()
    match = re.fullmatch(r"(AES256|aws:kms)?(?::(.+))?", text)
    method, own_key = match.groups() if match else (None, None)
    key = own_key or environ.get("TWITTER_ETL_SSE_KMS_KEY_ID", "").strip() or None
    if not match or own_key == "dsse" or (own_key and method != "aws:kms"):
        raise UsageError(f"{setting} {text!r} isn't known.", hint="Write AES256, aws:kms or aws:kms:KEY.")
    if key and method != "aws:kms":
        raise UsageError(
            "TWITTER_ETL_SSE_KMS_KEY_ID is of no use without aws:kms.",
            hint="Set TWITTER_ETL_SSE to aws:kms, or leave the key out.",
        )
    if key and not re.fullmatch(r"[A-Za-z0-9:/_-]{1,2048}", key):
        setting = setting if own_key else "TWITTER_ETL_SSE_KMS_KEY_ID"
        raise UsageError(f"{setting} {key!r} isn't a key of KMS.", hint="Give its id, its ARN or the ARN of an alias.")
    return Encryption(method, key)


def check_text(option: str, text: str | None) -> None:
    """An option that is given has a value, and one that can be sent and printed. An unset shell variable makes an
    empty one: without this, `--from-raw "$RAW"` would turn into a paid search."""
    if text is None:
        return
    if not text.strip():
        raise UsageError(f"{option} is empty.", hint="Give it a value, or leave it out.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{option} isn't UTF-8 text.", hint="Set LC_ALL=C.UTF-8 and write it again.") from None


def expanded(path: str, setting: str) -> Path:
    """A path with its ~ filled in. Raises UsageError for a user or a home that doesn't exist."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{setting} {path!r}: there is no such home.", hint="Write the whole path.") from None


def check_account(text: str, setting: str = "--account") -> str:
    """An X user name without its @."""
    name = text.strip().removeprefix("@")
    if not ACCOUNT_PATTERN.fullmatch(name):
        raise UsageError(
            f"{setting} {text!r} isn't an X user name.", hint="It has 1 to 15 letters, digits or '_', e.g. nasa."
        )
    return name


def account_of(text: str) -> str:
    """What --account may be: a name, id:NUMBER, or the address of an account's page. Returns the name, or id:NUMBER."""
    number = text.strip().removeprefix("id:")
    if number != text.strip():
        if not ID_PATTERN.fullmatch(number):
            raise UsageError(f"--account {text!r} isn't an id.", hint="Write it like id:11348282.")
        return f"id:{number}"
    match = re.fullmatch(r"(?:https?://)?(?:www\.|mobile\.)?(?:x|twitter)\.com(?:/(.*))?", text.strip(), re.IGNORECASE)
    if not match:
        return check_account(text)
    name, *rest = re.split(r"[?#]", match[1] or "")[0].rstrip("/").split("/")
    if name == "i" and rest[:1] == ["user"] and len(rest) == 2 and ID_PATTERN.fullmatch(rest[1]):
        return f"id:{rest[1]}"
    if name.lower() in PAGES_OF_X or not name or (rest and (len(rest) > 1 or rest[0].lower() not in TABS)):
        raise UsageError(f"--account {text!r} isn't an account's page.", hint="Give the name, or https://x.com/NAME.")
    return check_account(name)


def check_id_options(args: argparse.Namespace, account: str | None) -> None:
    """Ids are asked of X: raw pages have names. Raises UsageError."""
    if args.from_raw and (account or "").startswith("id:"):
        raise UsageError("--from-raw takes an account's name, not its id.", hint="Write --account NAME.")
    if args.accept_id is None:
        return
    if not ID_PATTERN.fullmatch(args.accept_id):
        raise UsageError(f"--accept-id {args.accept_id!r} isn't an id.", hint="Give the number from the message.")
    if not account or args.from_raw or account.startswith("id:"):
        raise UsageError("--accept-id belongs to the name of an --account.", hint="Leave it out.")


def check_name(text: str, setting: str = "--name") -> None:
    """The NAME of source=NAME/ in the lake."""
    if not SOURCE_PATTERN.fullmatch(text):
        raise UsageError(
            f"{setting} {text!r} can't be part of an object key.",
            hint="Use letters, digits, '_', '-' and '.', at most 64.",
        )


def check_days(args: argparse.Namespace, today: date) -> tuple[date, ...]:
    """The UTC days asked for, oldest first; empty for --latest and for all days of --from-raw."""
    ranged = args.start is not None or args.end is not None
    if (args.date is not None) + ranged + (args.latest is not None) > 1:
        raise UsageError("--date, --start/--end and --latest exclude each other.", hint="Give one of them.")
    if args.latest is not None:
        return ()
    if args.date is not None:
        return (parse_day("--date", args.date, today),)
    if ranged:
        if args.start is None or args.end is None:
            raise UsageError("--start and --end belong together.", hint="For one day use --date.")
        start, end = parse_day("--start", args.start, today), parse_day("--end", args.end, today)
        if start > end:
            raise UsageError(f"--start {start} is after --end {end}.")
        return tuple(start + timedelta(days=n) for n in range((end - start).days + 1))
    return () if args.from_raw else (today - timedelta(days=1),)


def parse_day(option: str, text: str, today: date) -> date:
    """YYYY-MM-DD, not in the future, not before the first post."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError(text)
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} isn't a day.", hint="Write it as YYYY-MM-DD.") from None
    if day > today:
        raise UsageError(f"{option} {day} is in the future.", hint=f"Give today ({today}, UTC) or an earlier day.")
    if day < FIRST_POST_DAY:
        raise UsageError(f"{option} {day} is before the first post.", hint=f"Give {FIRST_POST_DAY} or a later day.")
    return day


def check_destination(to: str, setting: str = "--to") -> None:
    """s3://BUCKET[/PREFIX] by S3's naming rules, or any folder."""
    if not to.strip():
        raise UsageError(f"{setting} is empty.", hint="Give s3://BUCKET, s3://BUCKET/PREFIX or a folder.")
    scheme, separator, rest = to.partition("://")
    if not separator:
        return
    if scheme != "s3":
        raise UsageError(f"{setting} {to!r}: {scheme}:// isn't known.", hint="Give s3://BUCKET[/PREFIX] or a folder.")
    bucket, _, prefix = rest.partition("/")
    check_bucket(bucket)
    if "//" in prefix or not prefix.isprintable():
        raise UsageError(f"{setting} {to!r}: the prefix has an empty part or an unprintable character.")


def check_bucket(bucket: str) -> None:
    """S3's rules for the name of a general purpose bucket."""
    wrong = (
        not BUCKET_PATTERN.fullmatch(bucket)
        or ".." in bucket
        or re.fullmatch(r"\d+(\.\d+){3}", bucket) is not None
        or bucket.startswith(BUCKET_RESERVED_PREFIXES)
        or bucket.endswith(BUCKET_RESERVED_SUFFIXES)
    )
    if wrong:
        raise UsageError(
            f"{bucket!r} isn't a bucket name S3 allows.",
            hint="Give 3 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends, no two dots together, no IP "
            "address, and nothing that AWS keeps for itself: "
            f"{', '.join(BUCKET_RESERVED_PREFIXES)} in front, {', '.join(BUCKET_RESERVED_SUFFIXES)} at the end.",
        )


def check_base_url(text: str, setting: str = "X_API_BASE_URL") -> str:
    """http(s)://HOST[:PORT][/PATH], without a slash at its end."""
    try:
        url = urlsplit(text.strip())
        valid = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        valid = False
    if not valid or url.query or url.fragment or "@" in url.netloc:
        raise UsageError(f"{setting} isn't an address.", hint=f"Leave it out, or write it like {DEFAULT_BASE_URL}.")
    return text.strip().rstrip("/")


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where the cache and the spool live (XDG base directories)."""
    if own := environ.get("TWITTER_ETL_STATE_DIR"):
        return expanded(own, "TWITTER_ETL_STATE_DIR")
    return expanded(environ.get("XDG_STATE_HOME") or "~/.local/state", "XDG_STATE_HOME") / "tweetlake"


def seconds_of(environ: Mapping[str, str], name: str, default: float) -> float:
    """A positive number of seconds from the environment."""
    text = environ.get(name, "").strip()
    if not text:
        return float(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e7:
        raise UsageError(f"{name}={text!r} isn't a number of seconds above 0.")
    return value


def read_time_limits(environ: Mapping[str, str]) -> tuple[float, float]:
    """How long one request may take, and how long a run may wait in all; in seconds."""
    return (
        seconds_of(environ, "TWITTER_ETL_TIMEOUT_SECONDS", 30),
        seconds_of(environ, "TWITTER_ETL_DEADLINE_SECONDS", 1800),
    )


def usd_of(setting: str, text: str | None) -> float | None:
    """An amount of US dollars, 0 or more: 2, 0.50."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        raise UsageError(f"{setting} {text!r} isn't an amount of US dollars.", hint="Write it like 2 or 0.50.")
    return float(text)
