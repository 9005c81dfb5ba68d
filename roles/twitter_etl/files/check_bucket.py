"""Prove that the bucket of a destination can be written and read with the identity that the script has.

Writes `twitter/_verify-HOST` below the destination (readers of the table ignore names that begin with an underscore;
two hosts may be verified at once), reads it back and compares. Exit code 0, or the one that twitter_etl.py would end
with, and the reason on stderr.
"""

import argparse
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tweetlake.credentials import read_env_file
from tweetlake.errors import DestinationError, EtlError
from tweetlake.s3 import S3
from tweetlake.settings import read_encryption, read_time_limits


def write_and_read_back(destination: str, s3: S3) -> str:
    """Address of the object that was written and read back. Raises DestinationError."""
    bucket, _, prefix = destination.removeprefix("s3://").rstrip("/").partition("/")
    key = "/".join([*filter(None, [prefix]), "twitter", f"_verify-{platform.node()}"])
    address = f"s3://{bucket}/{key}"
    written = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}\n".encode()
    with s3.errors_of(address):
        s3.client.put_object(Bucket=bucket, Key=key, Body=written)
        read = s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
    if read != written:
        raise DestinationError(f"{address} gave back other bytes than were written.", hint="Who else writes there?")
    return address


def main() -> int:
    """Write, read back, report."""
    parser = argparse.ArgumentParser(description="Prove that a bucket can be written and read.")
    parser.add_argument("--env-file", type=Path, required=True, metavar="F", help="the script's environment")
    parser.add_argument("--to", required=True, metavar="s3://BUCKET[/PREFIX]", help="the destination")
    options = parser.parse_args()
    try:
        os.environ.update(read_env_file(options.env_file))
        timeout_seconds, deadline_seconds = read_time_limits(os.environ)
        s3 = S3(timeout_seconds, time.monotonic() + deadline_seconds, read_encryption(os.environ))
        print(f"{write_and_read_back(options.to, s3)}: written and read back")
    except EtlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
