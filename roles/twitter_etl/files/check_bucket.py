"""Prove that the bucket of a destination can be written and read with the identity that the script has.

Writes `twitter/_verify` below the destination (readers of the table ignore names that begin with an underscore),
reads it back and compares. Exit code 0, or 7 (as in twitter_etl.py: bucket unavailable) with the reason on stderr.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET_UNAVAILABLE = 7


def read_environment(env_file: Path) -> dict[str, str]:
    """The NAME=value lines of the file; a value is all that follows the first `=`, as it stands."""
    lines = [line for line in env_file.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def main() -> int:
    """Write, read back, report."""
    parser = argparse.ArgumentParser(description="Prove that a bucket can be written and read.")
    parser.add_argument("--env-file", type=Path, required=True, metavar="F", help="the script's environment")
    parser.add_argument("--to", required=True, metavar="s3://BUCKET[/PREFIX]", help="the destination")
    options = parser.parse_args()
    os.environ.update(read_environment(options.env_file))

    bucket, _, prefix = options.to.removeprefix("s3://").rstrip("/").partition("/")
    key = "/".join([*filter(None, [prefix]), "twitter", "_verify"])
    written = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}\n".encode()
    s3 = boto3.client("s3", config=Config(connect_timeout=10, read_timeout=20, retries={"total_max_attempts": 3}))
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=written)
        read = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (BotoCoreError, ClientError) as error:
        print(f"s3://{bucket}/{key} can't be written and read back: {error}", file=sys.stderr)
        print("Check that the bucket exists, its region, and what the host's role or keys may do.", file=sys.stderr)
        return BUCKET_UNAVAILABLE
    if read != written:
        print(f"s3://{bucket}/{key} gave back other bytes than were written: {read[:80]!r}", file=sys.stderr)
        return BUCKET_UNAVAILABLE
    print(f"s3://{bucket}/{key}: written and read back")
    return 0


if __name__ == "__main__":
    sys.exit(main())
