"""S3 through boto3: credentials, endpoint and CA come from where boto3 looks for them (AWS_*, profile, IAM role)."""

from __future__ import annotations

import base64
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
SMALL_BYTES = 8 * 1024 * 1024  # boto3's own limit: below it an upload is one request
DEFAULT_HINT = "Check network, region and AWS_ENDPOINT_URL; then run it again."


@functools.cache
def client() -> BaseClient:
    """One client for the run: bounded retries with backoff, and timeouts, so that a dead endpoint ends."""
    import boto3
    from botocore.config import Config

    timeout_seconds = float(os.environ.get("TWITTER_ETL_TIMEOUT_SECONDS") or 30)  # checked in settings.py
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=min(10.0, timeout_seconds),
        read_timeout=timeout_seconds,
    )
    with errors_of("S3"):
        return cast("BaseClient", boto3.client("s3", config=config))


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


def list_keys(bucket: str, prefix: str) -> list[str]:
    """All keys below a prefix, in order."""
    with errors_of(f"s3://{bucket}/{prefix}"):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


def open_object(bucket: str, key: str) -> IO[bytes]:
    """An object as a stream, copied to a temporary file first: a broken connection then can't tear a page."""
    import tempfile

    stream = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    with errors_of(f"s3://{bucket}/{key}"):
        client().download_fileobj(bucket, key, stream)
    stream.seek(0)
    return cast("IO[bytes]", stream)


class Bucket:
    """A bucket, or a prefix in it, as a Destination."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""

    def check(self) -> None:
        """A missing bucket or an endpoint that doesn't answer shows here. "Forbidden" passes: a role may be allowed
        to write and not to look."""
        with errors_of(f"The bucket {self.bucket}"):
            self._unless(REFUSED, client().head_bucket, Bucket=self.bucket)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def read(self, key: str) -> bytes | None:
        with errors_of(self.uri(key)):
            answer = self._unless(MISSING | REFUSED, client().get_object, Bucket=self.bucket, Key=self.prefix + key)
            return cast("bytes", answer["Body"].read()) if answer else None

    def size(self, key: str) -> int | None:
        with errors_of(self.uri(key)):
            answer = self._unless(MISSING | REFUSED, client().head_object, Bucket=self.bucket, Key=self.prefix + key)
            return int(answer["ContentLength"]) if answer else None

    def put(self, key: str, file: Path, content_type: str) -> None:
        """Upload (in parallel parts when large) with a SHA-256 that S3 verifies."""
        from boto3.s3.transfer import TransferConfig

        # A small file needs no threads, and without them a signal ends a hanging upload at once.
        config = TransferConfig(use_threads=file.stat().st_size >= SMALL_BYTES)
        extra = {"ContentType": content_type, "ChecksumAlgorithm": "SHA256"}
        with errors_of(self.uri(key)):
            client().upload_file(str(file), self.bucket, self.prefix + key, ExtraArgs=extra, Config=config)

    def confirm(self, key: str, size_bytes: int, sha256: str) -> None:
        """Look again. A role that may not look can't, and then the answer to the upload has to do."""
        import botocore.exceptions

        place = {"Bucket": self.bucket, "Key": self.prefix + key}
        with errors_of(self.uri(key)):
            try:
                found = client().head_object(**place, ChecksumMode="ENABLED")
            except botocore.exceptions.ClientError as error:
                if code_of(error) in REFUSED:
                    return
                if code_of(error) not in MISSING:
                    raise
                found = {}
        checksum = str(found.get("ChecksumSHA256") or "")  # of an upload in parts it's a checksum of checksums: X-N
        other = checksum and "-" not in checksum and base64.b64decode(checksum).hex() != sha256
        if found.get("ContentLength") != size_bytes or other:
            raise DestinationError(
                f"{self.uri(key)} isn't there as it was uploaded, so the day isn't committed.",
                hint="See who else writes or removes objects there; then run it again.",
            )

    def delete(self, key: str) -> bool:
        with errors_of(self.uri(key)):
            return self._unless(REFUSED, client().delete_object, Bucket=self.bucket, Key=self.prefix + key) is not None

    def _unless(self, codes: set[str], call: Any, **arguments: str) -> dict[str, Any] | None:
        """The answer of a call, or None when S3 refuses it with one of these codes."""
        import botocore.exceptions

        try:
            return cast("dict[str, Any]", call(**arguments))
        except botocore.exceptions.ClientError as error:
            if code_of(error) in codes:
                return None
            raise
