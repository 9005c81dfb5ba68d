"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml.

What the script would say of them is asked of the script (tweetlake.settings, tweetlake.credentials). It needs the
standard library alone.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from tweetlake.credentials import OAUTH1_NAMES, OAUTH2_NAMES, check_credential, read_credentials
from tweetlake.errors import EtlError
from tweetlake.extract.endpoints import check_query
from tweetlake.settings import (
    Source,
    check_account,
    check_base_url,
    check_destination,
    check_name,
    parse_day,
    read_encryption,
    usd_of,
)

from playbooks.preflight.amazon import prefix_complaints, region_complaints
from playbooks.preflight.words import Read, Values, out_of_range, shown, truth_in

# Their null is as good as an empty text: the role makes one of it.
NULL_IS_EMPTY = {"twitter_etl_account", "twitter_etl_query", "twitter_etl_name", "twitter_etl_destination"}
# "true" in quotes is as good as true: the role makes one of it.
TAKES_WORDS = True
CREDENTIALS = {
    name: "twitter_etl_" + name.removeprefix("X_").lower() for name in ("X_BEARER_TOKEN", *OAUTH1_NAMES, *OAUTH2_NAMES)
}
AWS_KEYS = re.compile("AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|SHARED_CREDENTIALS_FILE)")
# A partition is a day, so the schedule is once a day.
SCHEDULE = re.compile(r"([0-9]|[0-5][0-9]) ([0-9]|[01][0-9]|2[0-3]) [*] [*] [*]")


def complaints(values: Values, read: Read) -> Iterator[str]:
    yield from _source(values)
    yield from _destination(values)
    yield from _encryption(values)
    yield from _credentials(values)
    yield from _environment(values)
    yield from _schedule(values)


def text(values: Values, name: str) -> str:
    """A variable as text; nothing and null are empty."""
    value = values.get(name)
    return "" if value is None else str(value)


def script_says(check: Callable[[], object]) -> Iterator[str]:
    """The script's own complaint, which begins with what the check was told to call the setting."""
    try:
        check()
    except EtlError as error:
        yield str(error)


def _source(values: Values) -> Iterator[str]:
    account, query, name = (text(values, f"twitter_etl_{what}") for what in ("account", "query", "name"))
    if {"twitter_etl_account", "twitter_etl_query"} <= values.keys():
        if not account and not query:
            yield "twitter_etl_account, twitter_etl_query: both are empty. Set one of them."
        if account and query:
            yield "twitter_etl_account, twitter_etl_query: both are set. Empty one of them; a DAG fetches one source."
    if account.startswith("@"):
        yield f"twitter_etl_account: {shown(account)} begins with an @. Leave it out: {account[1:] or 'nasa'}."
    elif account:
        yield from script_says(lambda: check_account(account, "twitter_etl_account:"))
    if not re.fullmatch(r"[^\x00-\x1f\x7f]*", query):
        yield "twitter_etl_query: holds a line break or another control character. Write it on one line."
    elif query:
        source = Source(
            query=query,
            include_replies=truth_in(values, "twitter_etl_include_replies"),
            include_retweets=truth_in(values, "twitter_etl_include_retweets"),
            archive=truth_in(values, "twitter_etl_archive"),
        )
        try:
            check_query(source)
        except EtlError as error:
            yield f"twitter_etl_query: {error.message} Shorten it."
    if name:
        yield from script_says(lambda: check_name(name, "twitter_etl_name:"))


def _destination(values: Values) -> Iterator[str]:
    if "twitter_etl_destination" in values:
        to = text(values, "twitter_etl_destination")
        if not to.startswith("s3://"):
            what = f"{shown(to)} is no bucket" if to else "is empty"
            yield f"twitter_etl_destination: {what}. Give s3://BUCKET or s3://BUCKET/some/prefix."
        else:
            bucket, _, prefix = to.removeprefix("s3://").partition("/")
            for said in script_says(lambda: check_destination(f"s3://{bucket}", "twitter_etl_destination:")):
                yield said if said.startswith("twitter_etl_destination:") else f"twitter_etl_destination: {said}"
            yield from prefix_complaints("twitter_etl_destination", prefix.removesuffix("/"))
    if "twitter_etl_aws_region" in values:
        yield from region_complaints("twitter_etl_aws_region", text(values, "twitter_etl_aws_region"))
    if endpoint := text(values, "twitter_etl_aws_endpoint_url"):
        yield from (
            f"twitter_etl_aws_endpoint_url: {shown(endpoint)} is no address. Give https://HOST, or leave it empty for "
            "Amazon's S3."
            for _ in script_says(lambda: check_base_url(endpoint))
        )


def _encryption(values: Values) -> Iterator[str]:
    variables = {name: name.lower() for name in ("TWITTER_ETL_SSE_KMS_KEY_ID", "TWITTER_ETL_SSE")}
    environment = {name: text(values, variable) for name, variable in variables.items()}
    for said in script_says(lambda: read_encryption(environment)):
        for name, variable in variables.items():
            said = re.sub(f"^{name} ", f"{variable}: ", said).replace(name, variable)
        yield said


def _credentials(values: Values) -> Iterator[str]:
    """Of X: one way to sign in, whole, of characters that X uses. No value is in a complaint."""
    if "twitter_etl_api_base_url" in values:
        base_url = text(values, "twitter_etl_api_base_url")
        yield from script_says(lambda: check_base_url(base_url, "twitter_etl_api_base_url:"))
    given = {name: secret for name, variable in CREDENTIALS.items() if (secret := text(values, variable))}
    broken: list[str] = []
    for name, secret in given.items():
        broken += script_says(partial(check_credential, f"{CREDENTIALS[name]}:", secret))
    yield from broken
    if not broken and all(variable in values for variable in CREDENTIALS.values()):
        yield from _ways_to_sign_in(given, truth_in(values, "twitter_etl_archive"))
    if owner := text(values, "twitter_etl_app_owner"):
        yield from script_says(lambda: check_account(owner, "twitter_etl_app_owner:"))
    for name in ("twitter_etl_max_cost_usd", "twitter_etl_monthly_budget_usd"):
        if amount := text(values, name):
            yield from script_says(partial(usd_of, f"{name}:", amount))


def _ways_to_sign_in(given: dict[str, str], archive: bool) -> Iterator[str]:
    """The script takes the first that is whole; an inventory that has parts of two means something else."""
    if not given:
        yield (
            "Credentials of X: there are none. Put vault_x_bearer_token into the vault, or the four of OAuth 1.0a: "
            "vault_x_consumer_key, vault_x_consumer_secret, vault_x_access_token, vault_x_access_token_secret, or "
            "those of OAuth 2.0: vault_x_oauth2_client_id, vault_x_oauth2_refresh_token."
        )
        return
    ways = [names for names in (("X_BEARER_TOKEN",), OAUTH1_NAMES, OAUTH2_NAMES) if set(names) & set(given)]
    if len(ways) > 1:
        yield (
            f"Credentials of X: there is {', '.join(CREDENTIALS[name] for name in given)}. Keep one way to sign in "
            "(bearer token, OAuth 1.0a, OAuth 2.0); empty the others."
        )
        return
    for said in script_says(lambda: read_credentials(given, argparse.Namespace(plan=False, archive=False))):
        for name, variable in CREDENTIALS.items():
            said = re.sub(rf"\b{name}\b", variable, said)
        yield f"Credentials of X: {said} Fill in all of them, or use a bearer token."
    if archive and "X_BEARER_TOKEN" not in given:
        yield "twitter_etl_archive: X's archive takes a bearer token only. Use one, or set it to false."


def _environment(values: Values) -> Iterator[str]:
    environment = values.get("twitter_etl_environment") or {}  # null is as good as none
    names = [str(name) for name in environment]
    if wrong := [name for name in names if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)]:
        yield (
            f"twitter_etl_environment: {', '.join(wrong)} can't be the name of an environment variable. Give letters, "
            "digits and underscores."
        )
    if wrong := [str(name) for name, value in environment.items() if re.search(r"[\x00-\x1f\x7f]", str(value))]:
        yield (
            f"twitter_etl_environment: the value of {', '.join(wrong)} holds a line break or another control "
            "character. Write it on one line."
        )
    if truth_in(values, "twitter_etl_keyless") and any(AWS_KEYS.fullmatch(name) for name in names):
        yield (
            "twitter_etl_environment: holds AWS credentials, but twitter_etl_keyless says that the host has an IAM "
            "role. Take them out, or set twitter_etl_keyless to false."
        )


def _schedule(values: Values) -> Iterator[str]:
    if "twitter_etl_start_date" in values:
        day, today = text(values, "twitter_etl_start_date"), datetime.now(UTC).date()
        yield from script_says(lambda: parse_day("twitter_etl_start_date:", day, today))
    schedule = text(values, "twitter_etl_schedule")
    if "twitter_etl_schedule" in values and not SCHEDULE.fullmatch(schedule):
        yield (
            f"twitter_etl_schedule: {shown(schedule)} is not once a day. A partition is a day: give "
            '"MINUTE HOUR * * *" in UTC, such as "30 1 * * *".'
        )
    for name, least, most in (("twitter_etl_retries", 0, 20), ("twitter_etl_timeout_seconds", 60, 86_400)):
        if complaint := out_of_range(values, name, least, most):
            yield complaint
