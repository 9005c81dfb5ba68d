"""S3 through boto3: credentials, endpoint and CA come from where boto3 looks for them (AWS_*, profile, IAM role)."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from .errors import DestinationError
from .proxies import Proxy, proxy_for

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig
    from botocore.client import BaseClient

    from .settings import Encryption

MISSING = {"404", "NoSuchKey", "NotFound"}
REFUSED = {"403", "AccessDenied"}
ELSEWHERE = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301", "307"}
TRIES = 5  # of one request, and of one body that breaks off
CREATE_HINT = "Create the bucket, or correct --to."
PERMISSION_HINT = "The role or user needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there."
KEY_HINT = "The role or user needs kms:GenerateDataKey and kms:Decrypt for the key, and the key to be enabled."
HINTS = {
    "NoSuchBucket": CREATE_HINT,
    "404": CREATE_HINT,
    "AccessDenied": PERMISSION_HINT,
    "403": PERMISSION_HINT,
    "InvalidAccessKeyId": "AWS doesn't know this access key: check AWS_ACCESS_KEY_ID or the role.",
    "SignatureDoesNotMatch": "The secret access key doesn't belong to the access key id.",
    "ExpiredToken": "The AWS session token has expired: get a new one.",
    "RequestTimeTooSkewed": "This machine's clock is wrong: set it (timedatectl, chrony).",
}
DEFAULT_HINT = "Check network, region and AWS_ENDPOINT_URL; then run it again."


class S3:
    """S3 as this run talks to it: one client, made when it is first needed.

    `timeout_seconds`: how long one request may take. `deadline`: the moment of time.monotonic() after which nothing is
    tried again; X's requests share it. `encryption` goes with every object that is written.
    """

    def __init__(self, timeout_seconds: float, deadline: float, encryption: Encryption) -> None:
        self.timeout_seconds = min(timeout_seconds, max(1.0, deadline - time.monotonic()))
        self.deadline = deadline
        self.encryption = encryption

    @functools.cached_property
    def client(self) -> BaseClient:
        """boto3's client, with bounded retries and timeouts, so that a dead endpoint ends."""
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": TRIES},
            connect_timeout=min(10.0, self.timeout_seconds),
            read_timeout=self.timeout_seconds,
        )
        client = cast("BaseClient", boto3.client("s3", config=config))
        if proxy := proxy_for(client.meta.endpoint_url):
            proxy.check("S3", DestinationError)
        events = client.meta.events
        events.register_first("needs-retry.s3", self._give_up)
        for operation in ("PutObject", "CreateMultipartUpload"):
            events.register(f"before-parameter-build.s3.{operation}", self._encrypt)
        return client

    def _give_up(self, caught_exception: Exception | None = None, **_: object) -> bool | None:
        """botocore's question whether to try again: False ends it, None leaves it to botocore. A server that hangs
        is tried again only if it could hang once more before the deadline."""
        from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

        hung = isinstance(caught_exception, ConnectTimeoutError | ReadTimeoutError)
        return False if self._seconds_left < (self.timeout_seconds if hung else 0) else None

    def _encrypt(self, params: dict[str, Any], **_: object) -> None:
        """Here, as upload_file doesn't take BucketKeyEnabled."""
        params.update(self.encryption.arguments)

    @property
    def _seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    @property
    def transfer(self) -> TransferConfig:
        """Parts of 8 MiB, one after the other: a signal ends a transfer at once, while threads would first wait for
        what hangs."""
        from boto3.s3.transfer import TransferConfig

        tries = max(1, min(TRIES, int(self._seconds_left / self.timeout_seconds)))
        return TransferConfig(use_threads=False, num_download_attempts=tries)

    @contextmanager
    def errors_of(self, what: str) -> Iterator[None]:
        """Turn what boto3 raises into one DestinationError with a next step."""
        import boto3.exceptions
        import botocore.exceptions

        try:
            yield
        except botocore.exceptions.ClientError as error:
            raise self._refused(what, error) from None
        except boto3.exceptions.S3UploadFailedError as error:
            if not isinstance(cause := error.__context__, botocore.exceptions.ClientError):
                raise self._unreachable(what, error) from None
            raise self._refused(what, cause) from None
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
            raise DestinationError(
                f"{what}: {error}.",
                hint="Give the host an IAM role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            ) from None
        except (botocore.exceptions.BotoCoreError, boto3.exceptions.Boto3Error, ValueError, OSError) as error:
            raise self._unreachable(what, error) from None

    def _refused(self, what: str, error: Any) -> DestinationError:
        """S3's answer to a request it understood and denied."""
        code = code_of(error)
        text = error.response.get("Error", {}).get("Message") or code
        hint = HINTS.get(code, KEY_HINT if code.startswith("KMS.") else DEFAULT_HINT)
        if "explicit deny" in text:
            hint = "A policy denies it, whatever the role may do: read the bucket's policy; perhaps it demands --sse."
        if code in ELSEWHERE:
            hint = f"The bucket is in another region: set AWS_DEFAULT_REGION={region_of(error) or 'to that'}."
        if code.isdigit() and (proxy := self._proxy):  # no word of S3's own
            hint = f"Perhaps it was {proxy} that answered. {hint}"
        return DestinationError(f"{what} refused: {code} ({text}).", hint=hint)

    def _unreachable(self, what: str, error: Exception) -> DestinationError:
        """S3 or what is on the way to it gave no answer."""
        from botocore.exceptions import ProxyConnectionError

        hint, through = DEFAULT_HINT, ""
        if proxy := self._proxy:
            through = f" through {proxy}"
            hint = f"Check the proxy, or name S3's host in NO_PROXY. {DEFAULT_HINT}"
            if isinstance(error, ProxyConnectionError):
                hint = proxy.dead_hint("S3")
        if self._seconds_left <= 0:
            hint = f"It wasn't tried again, as TWITTER_ETL_DEADLINE_SECONDS are over. {hint}"
        return DestinationError(f"{what} can't be reached{through}: {error}", hint=hint)

    @property
    def _proxy(self) -> Proxy | None:
        client: BaseClient | None = self.__dict__.get("client")  # without it there was no request
        return proxy_for(client.meta.endpoint_url) if client else None

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """All keys below a prefix, in order."""
        with self.errors_of(f"s3://{bucket}/{prefix}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def open_object(self, bucket: str, key: str) -> IO[bytes]:
        """An object as a stream, copied to a temporary file first: a broken connection then can't tear a page."""
        import tempfile

        stream = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
        with self.errors_of(f"s3://{bucket}/{key}"):
            self.client.download_fileobj(bucket, key, stream, Config=self.transfer)
        stream.seek(0)
        return cast("IO[bytes]", stream)

    def sha256_of(self, bucket: str, key: str) -> str:
        """Read an object and hash it, keeping nothing. Raises what boto3 raises."""
        hashing = Hashing()
        self.client.download_fileobj(bucket, key, hashing, Config=self.transfer)
        return hashing.sha256.hexdigest()


class Hashing:
    """A file to write to that keeps only the SHA-256."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> None:
        self.sha256.update(content)


def code_of(error: Any) -> str:
    """S3's error code; HEAD answers have only the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: Any) -> int:
    """The HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def region_of(error: Any) -> str:
    """The region in which S3 says the bucket is; empty if it doesn't. botocore goes there by itself, once: who still
    sees the refusal has set an endpoint that doesn't serve that region."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region") or "")
