"""S3 through boto3: credentials, endpoint and CA come from where boto3 looks for them (AWS_*, profile, IAM role)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from .errors import DestinationError

if TYPE_CHECKING:
    from botocore.client import BaseClient

MISSING = {"404", "NoSuchKey", "NotFound"}
REFUSED = {"403", "AccessDenied"}
HINTS = {
    "NoSuchBucket": "Create the bucket, or correct --to.",
    "404": "Create the bucket, or correct --to.",
    "AccessDenied": "The role or user needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.",
    "403": "The role or user needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.",
    "InvalidAccessKeyId": "AWS doesn't know this access key: check AWS_ACCESS_KEY_ID or the role.",
    "SignatureDoesNotMatch": "The secret access key doesn't belong to the access key id.",
    "ExpiredToken": "The AWS session token has expired: get a new one.",
    "PermanentRedirect": "The bucket is in another region: set AWS_DEFAULT_REGION.",
}
DEFAULT_HINT = "Check network, region and AWS_ENDPOINT_URL; then run it again."


@contextmanager
def errors_of(what: str) -> Iterator[None]:
    """Turn what boto3 raises into one DestinationError with a next step."""
    import boto3.exceptions
    import botocore.exceptions

    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise refused(what, error) from None
    except boto3.exceptions.S3UploadFailedError as error:
        if not isinstance(cause := error.__context__, botocore.exceptions.ClientError):
            raise DestinationError(f"{what} can't be reached: {error}", hint=DEFAULT_HINT) from None
        raise refused(what, cause) from None
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        raise DestinationError(
            f"{what}: {error}.", hint="Give the host an IAM role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from None
    except (botocore.exceptions.BotoCoreError, boto3.exceptions.Boto3Error, ValueError, OSError) as error:
        raise DestinationError(f"{what} can't be reached: {error}", hint=DEFAULT_HINT) from None


def refused(what: str, error: Any) -> DestinationError:
    """S3's answer to a request it understood and denied."""
    code = code_of(error)
    text = error.response.get("Error", {}).get("Message") or code
    return DestinationError(f"{what} refused: {code} ({text}).", hint=HINTS.get(code, DEFAULT_HINT))


def code_of(error: Any) -> str:
    """S3's error code; HEAD answers have only the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


class S3:
    """S3 as this run talks to it: one client, made when it is first needed."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds  # how long one request may take

    @functools.cached_property
    def client(self) -> BaseClient:
        """Bounded retries with backoff, and timeouts, so that a dead endpoint ends."""
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=min(10.0, self.timeout_seconds),
            read_timeout=self.timeout_seconds,
        )
        with errors_of("S3"):
            return cast("BaseClient", boto3.client("s3", config=config))

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """All keys below a prefix, in order."""
        with errors_of(f"s3://{bucket}/{prefix}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def open_object(self, bucket: str, key: str) -> IO[bytes]:
        """An object as a stream, copied to a temporary file first: a broken connection then can't tear a page."""
        import tempfile

        stream = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
        with errors_of(f"s3://{bucket}/{key}"):
            self.client.download_fileobj(bucket, key, stream)
        stream.seek(0)
        return cast("IO[bytes]", stream)
