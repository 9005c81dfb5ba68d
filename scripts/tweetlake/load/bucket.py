"""A bucket, or a prefix in it, as a place for the lake."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast

from ..errors import DestinationError
from ..s3 import MISSING, REFUSED, S3, code_of, errors_of

SMALL_BYTES = 8 * 1024 * 1024  # boto3's own limit: below it an upload is one request


class Bucket:
    """A bucket, or a prefix in it, as a Destination."""

    def __init__(self, s3: S3, bucket: str, prefix: str) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""

    def check(self) -> None:
        """A missing bucket or an endpoint that doesn't answer shows here. "Forbidden" passes: a role may be allowed
        to write and not to look."""
        with errors_of(f"The bucket {self.bucket}"):
            self._unless(REFUSED, self.s3.client.head_bucket, Bucket=self.bucket)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def read(self, key: str) -> bytes | None:
        with errors_of(self.uri(key)):
            answer = self._unless(
                MISSING | REFUSED, self.s3.client.get_object, Bucket=self.bucket, Key=self.prefix + key
            )
            return cast("bytes", answer["Body"].read()) if answer else None

    def size(self, key: str) -> int | None:
        with errors_of(self.uri(key)):
            answer = self._unless(
                MISSING | REFUSED, self.s3.client.head_object, Bucket=self.bucket, Key=self.prefix + key
            )
            return int(answer["ContentLength"]) if answer else None

    def put(self, key: str, file: Path, content_type: str) -> None:
        """Upload (in parallel parts when large) with a SHA-256 that S3 verifies."""
        from boto3.s3.transfer import TransferConfig

        # A small file needs no threads, and without them a signal ends a hanging upload at once.
        config = TransferConfig(use_threads=file.stat().st_size >= SMALL_BYTES)
        extra = {"ContentType": content_type, "ChecksumAlgorithm": "SHA256"}
        with errors_of(self.uri(key)):
            self.s3.client.upload_file(str(file), self.bucket, self.prefix + key, ExtraArgs=extra, Config=config)

    def confirm(self, key: str, size_bytes: int, sha256: str) -> None:
        """Look again. A role that may not look can't, and then the answer to the upload has to do."""
        import botocore.exceptions

        with errors_of(self.uri(key)):
            try:
                found = self.s3.client.head_object(**self._place(key), ChecksumMode="ENABLED")
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
            return self._unless(REFUSED, self.s3.client.delete_object, **self._place(key)) is not None

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    def _unless(self, codes: set[str], call: Any, **arguments: str) -> dict[str, Any] | None:
        """The answer of a call, or None when S3 refuses it with one of these codes."""
        import botocore.exceptions

        try:
            return cast("dict[str, Any]", call(**arguments))
        except botocore.exceptions.ClientError as error:
            if code_of(error) in codes:
                return None
            raise
