"""What the preflight says of the ETL's variables, most of it in the words of the script's own settings."""

import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from tests.helpers.inventories import PROJECT, Said, fits, judge

GOOD = {
    "twitter_etl_account": "nasa",
    "twitter_etl_destination": "s3://my-bucket/some/prefix",
    "twitter_etl_bearer_token": "AAAA%2Fbbb",
}
OAUTH1 = {
    "twitter_etl_consumer_key": "a",
    "twitter_etl_consumer_secret": "b",
    "twitter_etl_access_token": "c",
    "twitter_etl_access_token_secret": "d",
}


OAUTH2 = {"twitter_etl_oauth2_client_id": "id", "twitter_etl_oauth2_refresh_token": "first"}


SOURCE = "twitter_etl_account, twitter_etl_query"
CREDENTIALS = "Credentials of X"
CASES: dict[str, tuple[dict[str, Any], Said]] = {
    "bearer": (GOOD, []),
    "oauth1": (GOOD | OAUTH1 | {"twitter_etl_bearer_token": ""}, []),
    "oauth2": (GOOD | OAUTH2 | {"twitter_etl_bearer_token": "", "twitter_etl_app_owner": "nasa"}, []),
    "amounts": (GOOD | {"twitter_etl_max_cost_usd": 2, "twitter_etl_monthly_budget_usd": "0.50"}, []),
    "query": (GOOD | {"twitter_etl_account": None, "twitter_etl_query": "moon", "twitter_etl_name": "moon"}, []),
    "leap-day": (GOOD | {"twitter_etl_start_date": "2024-02-29"}, []),
    "yaml-date": (GOOD | {"twitter_etl_start_date": date(2024, 3, 1)}, []),
    "words": (GOOD | {"twitter_etl_catchup": "true", "twitter_etl_retries": "3"}, []),
    "region": (GOOD | {"twitter_etl_aws_region": "us-gov-west-1"}, []),
    "kms": (GOOD | {"twitter_etl_sse": "aws:kms", "twitter_etl_sse_kms_key_id": "alias/lake"}, []),
    "key without kms": (
        GOOD | {"twitter_etl_sse_kms_key_id": "alias/lake"},
        [("twitter_etl_sse_kms_key_id", "Set twitter_etl_sse to aws:kms")],
    ),
    "no key": (
        GOOD | {"twitter_etl_sse": "aws:kms", "twitter_etl_sse_kms_key_id": "my key"},
        [("twitter_etl_sse_kms_key_id", "Give its id, its ARN")],
    ),
    "empty": (
        {},
        [(SOURCE, "Set one"), ("twitter_etl_destination", "Give s3://"), (CREDENTIALS, "Put vault_x_bearer_token")],
    ),
    "everything-is-wrong": (
        {
            "twitter_etl_account": "@na sa",
            "twitter_etl_query": "moon\nmars",
            "twitter_etl_name": "a/b",
            "twitter_etl_destination": "s3://My_Bucket/a//b",
            "twitter_etl_aws_region": "Frankfurt",
            "twitter_etl_aws_endpoint_url": "minio:9000",
            "twitter_etl_sse": "kms",
            "twitter_etl_api_base_url": "api.x.com",
            "twitter_etl_bearer_token": "change-me",
            "twitter_etl_consumer_key": "se\ncret",
            "twitter_etl_max_cost_usd": "two",
            "twitter_etl_monthly_budget_usd": -1,
            "twitter_etl_app_owner": "m e",
            "twitter_etl_environment": {"A-B": "x", "GOOD": "a\nb"},
            "twitter_etl_catchup": "perhaps",
            "twitter_etl_start_date": "2026-02-30",
            "twitter_etl_schedule": "@hourly",
            "twitter_etl_retries": "many",
            "twitter_etl_timeout_seconds": 5,
        },
        [
            (SOURCE, "Empty one of them"),
            ("twitter_etl_account", "Leave it out"),
            ("twitter_etl_query", "on one line"),
            ("twitter_etl_name", "Use letters, digits"),
            ("twitter_etl_catchup", "true or false"),
            ("twitter_etl_destination", "Give 3 to 63 of a-z"),
            ("twitter_etl_destination", "with one / between"),
            ("twitter_etl_aws_region", "Give one like"),
            ("twitter_etl_aws_endpoint_url", "Give https://HOST"),
            ("twitter_etl_sse", "Write AES256, aws:kms"),
            ("twitter_etl_api_base_url", "https://api.x.com"),
            ("twitter_etl_bearer_token", "Put the real value into the vault"),
            ("twitter_etl_consumer_key", "has a line break, which no X credential has. Copy it again"),
            ("twitter_etl_app_owner", "It has 1 to 15 letters"),
            ("twitter_etl_max_cost_usd", "like 2 or 0.50"),
            ("twitter_etl_monthly_budget_usd", "like 2 or 0.50"),
            ("twitter_etl_environment", "A-B can't be the name"),
            ("twitter_etl_environment", "the value of GOOD"),
            ("twitter_etl_start_date", "Write it as YYYY-MM-DD"),
            ("twitter_etl_schedule", 'such as "30 1 * * *"'),
            ("twitter_etl_retries", "is no whole number"),
            ("twitter_etl_timeout_seconds", "from 60 to 86400"),
        ],
    ),
    "future": (GOOD | {"twitter_etl_start_date": "2999-01-01"}, [("twitter_etl_start_date", "Give today (")]),
    "no-leap-day": (
        GOOD | {"twitter_etl_start_date": "2023-02-29"},
        [("twitter_etl_start_date", "Write it as YYYY-MM-DD")],
    ),
    "long-account": (GOOD | {"twitter_etl_account": "a" * 16}, [("twitter_etl_account", "It has 1 to 15 letters")]),
    "long-query": (
        GOOD | {"twitter_etl_account": "", "twitter_etl_query": "m" * 491},
        [("twitter_etl_query", "recent search takes 512. Shorten it.")],
    ),
    "folder": (GOOD | {"twitter_etl_destination": "/var/lake"}, [("twitter_etl_destination", "Give s3://BUCKET")]),
    "ip": (GOOD | {"twitter_etl_destination": "s3://192.168.0.1"}, [("twitter_etl_destination", "no IP address")]),
    "dots": (GOOD | {"twitter_etl_destination": "s3://a..b"}, [("twitter_etl_destination", "no two dots")]),
    "reserved": (GOOD | {"twitter_etl_destination": "s3://a--x-s3"}, [("twitter_etl_destination", "keeps for itself")]),
    "upwards": (GOOD | {"twitter_etl_destination": "s3://mine/../a"}, [("twitter_etl_destination", "be a prefix")]),
    "one-of-four": (
        GOOD | {"twitter_etl_bearer_token": "", "twitter_etl_consumer_key": "k"},
        [(CREDENTIALS, "four values; missing: twitter_etl_consumer_secret, twitter_etl_access_token,")],
    ),
    "two-ways": (
        GOOD | OAUTH1 | OAUTH2 | {"twitter_etl_bearer_token": ""},
        [(CREDENTIALS, "empty the others")],
    ),
    "half-oauth2": (
        GOOD | {"twitter_etl_bearer_token": "", "twitter_etl_oauth2_client_id": "id"},
        [(CREDENTIALS, "a refresh token; missing: twitter_etl_oauth2_refresh_token.")],
    ),
    "archive-oauth2": (
        GOOD | OAUTH2 | {"twitter_etl_bearer_token": "", "twitter_etl_archive": True},
        [("twitter_etl_archive", "set it to false")],
    ),
    "archive": (
        GOOD | OAUTH1 | {"twitter_etl_bearer_token": "", "twitter_etl_archive": True},
        [("twitter_etl_archive", "set it to false")],
    ),
    "keys-beside-a-role": (
        GOOD | {"twitter_etl_keyless": True, "twitter_etl_environment": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}},
        [("twitter_etl_environment", "Take them out")],
    ),
    "keys-without-a-role": (GOOD | {"twitter_etl_environment": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}}, []),
    "no-mapping": (GOOD | {"twitter_etl_environment": "A=b"}, [("twitter_etl_environment", "NAME: value")]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_bad_value_is_named_with_its_fix(case: str) -> None:
    variables, expected = CASES[case]
    said = judge(variables)
    assert fits(said, [(f"{names}: ", fix) for names, fix in expected]), said


def test_no_secret_is_printed() -> None:
    said = "".join(judge(CASES["everything-is-wrong"][0]))
    assert "cret" not in said.replace("consumer_secret", "")


def test_the_scripts_settings_need_the_standard_library_alone() -> None:
    """The controller has Ansible's environment, not the script's."""
    code = "import tweetlake.settings, tweetlake.extract.endpoints"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=PROJECT / "scripts", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
