"""The command line: options, examples and help. What they mean is checked in settings.py."""

from __future__ import annotations

import argparse
from typing import NoReturn

from .errors import EXIT_CODES, UsageError

EXAMPLES = """examples:
  twitter_etl.py --account nasa --date 2026-08-20 --to s3://my-bucket
  twitter_etl.py --account nasa --start 2026-08-01 --end 2026-08-07 --plan      (no call: what would it cost?)
  twitter_etl.py --account nasa --start 2026-08-01 --end 2026-08-07 --to ./lake --max-cost 2
  twitter_etl.py --query '"data engineering" lang:en' --latest 50 --to s3://my-bucket/research --name de
  twitter_etl.py --from-raw ./lake/twitter_raw --to ./rebuilt      (no network, no cost)
  twitter_etl.py --from-raw twitter-2026-08-20.zip --to ./mine     (X's archive, as you downloaded it)

environment (or the same names in --env-file):
  X_BEARER_TOKEN                    app-only access; or, as a user, all four of OAuth 1.0a:
  X_CONSUMER_KEY, X_CONSUMER_SECRET, X_ACCESS_TOKEN, X_ACCESS_TOKEN_SECRET
  X_OAUTH2_CLIENT_ID, X_OAUTH2_REFRESH_TOKEN    or OAuth 2.0 (PKCE), for a confidential client with
  X_OAUTH2_CLIENT_SECRET            its secret; new tokens are kept in the state directory
  X_APP_OWNER                       account that owns the X app: as that user, its own posts cost less
  X_API_BASE_URL                    default https://api.x.com
  AWS_*                             as boto3 knows them; an IAM role needs none
  TWITTER_ETL_SSE                   as --sse
  TWITTER_ETL_SSE_KMS_KEY_ID        key of aws:kms: its id or ARN; default is the account's own for S3
  TWITTER_ETL_STATE_DIR             user ids, unfinished runs, tokens, what was spent; default ~/.local/state/tweetlake
  TWITTER_ETL_MONTHLY_BUDGET_USD    as --monthly-budget
  TWITTER_ETL_DEADLINE_SECONDS      how long a run may wait for X and S3 in all, default 1800
  TWITTER_ETL_TIMEOUT_SECONDS       how long one request may take, default 30
  TWITTER_ETL_RETRY_SECONDS         first pause after a server error (it doubles, 5 tries), default 1

exit codes:
"""


class Parser(argparse.ArgumentParser):
    """argparse, but its errors end like all others: one message, exit code 2 and the JSON summary."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[0].upper()}{message[1:]}.", hint="See twitter_etl.py --help.")


def build_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="twitter_etl.py",
        description="Collect the posts of one account (or one search) day by day and land them as CSV and Parquet, "
        "with the raw pages and a manifest, in an S3 bucket or a folder.",
        epilog=EXAMPLES + "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    source = parser.add_argument_group("what to collect (one of)")
    source.add_argument(
        "--account", metavar="NAME", help="posts of this account: its name, id:NUMBER or https://x.com/NAME"
    )
    source.add_argument(
        "--accept-id",
        metavar="ID",
        help="the account's name belongs to the user with this id now: go on with its posts (see exit code 8)",
    )
    source.add_argument("--query", metavar="Q", help="posts found by this search, in X's query language")
    source.add_argument(
        "--from-raw",
        metavar="FILE|FOLDER|-|s3://...",
        help="no API call: posts that were kept earlier, by this program or others, as JSON in any layout, packed or "
        "not: pages, single and flattened posts, streams, v1.1, X's own archive (with --account NAME, where it "
        "doesn't say whose it is); - is standard input",
    )
    when = parser.add_argument_group("when (default: yesterday, UTC)")
    when.add_argument("--date", metavar="D", help="posts created on this UTC day, YYYY-MM-DD")
    when.add_argument("--start", metavar="D", help="first UTC day of a range; each day is its own partition")
    when.add_argument("--end", metavar="D", help="last UTC day of the range, included")
    when.add_argument("--latest", metavar="N", type=int, help="the newest N posts, landed under the day of the run")
    where = parser.add_argument_group("where to")
    where.add_argument("--to", metavar="s3://BUCKET[/PREFIX]|FOLDER", help="the lake")
    where.add_argument(
        "--sse",
        metavar="METHOD",
        help="how the bucket encrypts what is written: AES256, aws:kms or aws:kms:KEY; default: as it does by itself",
    )
    where.add_argument("--name", metavar="SOURCE", help="puts source=SOURCE/ before dt=, for a lake of several sources")
    where.add_argument("--again", action="store_true", help="read a day anew from X that is landed already")
    where.add_argument(
        "--replace",
        action="store_true",
        help="put it also over another source's day, or over a more complete one; its raw pages are kept beside",
    )
    where.add_argument(
        "--land-incomplete",
        action="store_true",
        help="when X stops showing the account halfway (protected, suspended, deleted): land what came and was paid "
        "for; the manifest says that it is incomplete, and why",
    )
    which = parser.add_argument_group("which posts")
    which.add_argument(
        "--limit",
        metavar="N",
        type=int,
        help="at most N posts a day (of --from-raw: in all), the newest; the manifest says it is cut",
    )
    which.add_argument("--include-replies", action="store_true", help="keep replies (left out by default)")
    which.add_argument("--include-retweets", action="store_true", help="keep retweets (left out by default)")
    which.add_argument(
        "--archive",
        action="store_true",
        help="use the full-archive search: any day since 2006, bearer token only",
    )
    which.add_argument(
        "--max-reject-percent",
        metavar="P",
        type=float,
        default=5.0,
        help="fail when more than P %% of the rows don't pass validation (default 5)",
    )
    money = parser.add_argument_group("what it may cost (USD)")
    money.add_argument("--plan", action="store_true", help="ask nobody; say what it could cost at worst, and end")
    money.add_argument(
        "--max-cost",
        metavar="USD",
        help="end with 9 before a request that could make this run cost more; run again, it goes on from there",
    )
    money.add_argument(
        "--monthly-budget", metavar="USD", help="the same for all runs of a calendar month (UTC) on this machine"
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=int,
        help="how many processes read long files of pages, a document a line (default: one per processor, only one "
        "where less than 2 GiB of memory are available); the lake is the same for any N",
    )
    parser.add_argument("--env-file", metavar="F", help="KEY=VALUE lines; what the environment already has wins")
    return parser
