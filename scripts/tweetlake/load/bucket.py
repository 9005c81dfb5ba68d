"""A bucket, or a prefix in it, as a place for the lake."""

from __future__ import annotations

import base64
import logging
import zlib
from pathlib import Path
from typing import Any, cast

from ..errors import DestinationError
from ..s3 import MISSING, REFUSED, S3, code_of, status_of
from ..settings import Encryption

log = logging.getLogger(__name__)

ONE_REQUEST_BYTES = 8 * 1024 * 1024  # boto3's own limit: a larger file is uploaded in parts
PROBE_KEY = "twitter/_probe"


class Bucket:
    """A bucket, or a prefix in it, as a Destination."""

    def __init__(self, s3: S3, bucket: str, prefix: str) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._crc32: dict[str, str] = {}  # of what this run uploaded in parts, by key
        self._answers: dict[str, dict[str, Any]] = {}  # S3's answers to uploads, by key with its prefix

    def check(self) -> None:
        """A missing bucket, an endpoint that doesn't answer, credentials that S3 doesn't take and a bucket that takes
        no upload show here.

        A role may be allowed to write and not to look, so being refused a look says nothing. Whether it may write is
        asked by beginning an upload in parts with the very headers of the real ones, and giving it up again: S3
        judges permissions, the bucket's policy and the key by them, and no object comes to be, no version and nothing
        for readers to meet. An object would stay: the host may delete next to nothing, and in a bucket with versions
        nothing goes at all.
        """
        with self.s3.errors_of(f"The bucket {self.bucket}"):
            self._look()
            self._probe()

    def _look(self) -> None:
        """HEAD gives no reason when it is refused: then GET is asked. Below twitter/, as the host's role may list
        only there."""
        from botocore.exceptions import ClientError

        try:
            answer = self.s3.client.head_bucket(Bucket=self.bucket)
        except ClientError as refused:
            if status_of(refused) >= 500:
                raise
            answer = self._unless(
                REFUSED, self.s3.client.list_objects_v2, Bucket=self.bucket, Prefix=f"{self.prefix}twitter/", MaxKeys=1
            )
        headers = answer["ResponseMetadata"]["HTTPHeaders"] if answer else {}
        here, there = self.s3.client.meta.region_name, headers.get("x-amz-bucket-region")
        if there and here not in (there, "aws-global"):
            log.warning("The bucket %s is in %s, not in %s: set AWS_DEFAULT_REGION.", self.bucket, there, here)

    def _probe(self) -> None:
        from botocore.exceptions import ClientError

        try:
            self._begin_upload()
        except ClientError as error:
            if code_of(error) == "NotImplemented":  # a server without uploads in parts
                return
            if code_of(error) in REFUSED and not self.s3.encryption.method and (method := self._demanded()):
                raise DestinationError(
                    f"The bucket {self.bucket} takes only what is encrypted by {method}.",
                    hint=f"Give --sse {method}, or set TWITTER_ETL_SSE={method}.",
                ) from None
            raise

    def _demanded(self) -> str | None:
        """The method of encryption with which the bucket takes what it refuses without."""
        for method in ("aws:kms", "AES256"):
            if self._unless({*REFUSED, "InvalidRequest"}, self._begin_upload, **Encryption(method).arguments):
                return method
        return None

    def _begin_upload(self, **encryption: Any) -> dict[str, Any]:
        place = self._place(PROBE_KEY)
        begun = self.s3.client.create_multipart_upload(**place, **encryption)
        if self._unless(REFUSED, self.s3.client.abort_multipart_upload, **place, UploadId=begun["UploadId"]) is None:
            log.warning("The role lacks s3:AbortMultipartUpload: %s stays begun, without a part.", self.uri(PROBE_KEY))
        return cast("dict[str, Any]", begun)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def read(self, key: str) -> bytes | None:
        with self.s3.errors_of(self.uri(key)):
            answer = self._unless(MISSING | REFUSED, self.s3.client.get_object, **self._place(key))
            return cast("bytes", answer["Body"].read()) if answer else None

    def fetch(self, key: str, file: Path) -> bool:
        with self.s3.errors_of(self.uri(key)):
            if not self._head(key):
                return False
            self.s3.client.download_file(**self._place(key), Filename=str(file), Config=self.s3.transfer)
            return True

    def size(self, key: str) -> int | None:
        with self.s3.errors_of(self.uri(key)):
            answer = self._head(key)
            return int(answer["ContentLength"]) if answer else None

    def put(self, key: str, file: Path, content_type: str) -> None:
        """Upload with a checksum of the whole file, which S3 compares and keeps: its SHA-256, or the CRC32 of what
        goes in parts, for which S3 has no SHA-256 of the whole.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html"""
        client, place = self.s3.client, self._place(key)
        with self.s3.errors_of(self.uri(key)):
            if file.stat().st_size < ONE_REQUEST_BYTES:
                with file.open("rb") as body:
                    answer = client.put_object(Body=body, ChecksumAlgorithm="SHA256", ContentType=content_type, **place)
                self._answers[place["Key"]] = answer
                return
            self._crc32[key] = crc32_of(file)
            extra = {"ContentType": content_type, "ChecksumCRC32": self._crc32[key]}
            client.meta.events.register("after-call.s3.CompleteMultipartUpload", self._note, unique_id="tweetlake")
            client.upload_file(str(file), *place.values(), ExtraArgs=extra, Config=self.s3.transfer)

    def _note(self, parsed: dict[str, Any], **_: object) -> None:
        """upload_file keeps S3's answer to itself."""
        self._answers[parsed.get("Key", "")] = parsed

    def confirm(self, key: str, size_bytes: int, sha256: str) -> None:
        """Compare with what S3 says of the whole object; if it says nothing, read the object back.

        A role that may not read can't do either. Then the checksum in S3's answer to the upload has to do. If there
        is none, either: what was sent in one request passes with a warning, what was joined from parts does not.
        """
        expected = {"ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}
        if key in self._crc32:
            expected["ChecksumCRC32"] = self._crc32[key]
        with self.s3.errors_of(self.uri(key)):
            found = self._head(key)
            if found is None:
                same = judged(self._answers.get(self._place(key)["Key"], {}), expected)
            elif found.get("ContentLength") != size_bytes:
                same = False
            elif (same := judged(found, expected)) is None:
                same = self._read_back(key, sha256)
        if same is None:
            self._unread(key)
        elif not same:
            raise DestinationError(
                f"{self.uri(key)} isn't there as it was uploaded, so the day isn't committed.",
                hint="See who else writes or removes objects there"
                + (", and whether this server joins the parts of an upload in their order" * (key in self._crc32))
                + "; then run it again.",
            )

    def _head(self, key: str) -> dict[str, Any] | None:
        """What S3 says of an object: nothing if there is none, None if the role may not read it. When HEAD is refused,
        GET has the reason."""
        from botocore.exceptions import ClientError

        try:
            return cast("dict[str, Any]", self.s3.client.head_object(**self._place(key), ChecksumMode="ENABLED"))
        except ClientError as refused:
            if code_of(refused) in MISSING:
                return {}
            if status_of(refused) >= 500 or self._unless(REFUSED, self.s3.client.get_object, **self._place(key)):
                raise
            return None

    def _read_back(self, key: str, sha256: str) -> bool | None:
        """Is it the very file? None: the role may not read it."""
        from botocore.exceptions import ClientError

        try:
            return self.s3.sha256_of(*self._place(key).values()) == sha256
        except ClientError as error:
            if code_of(error) in REFUSED:
                return None
            raise

    def _unread(self, key: str) -> None:
        if key in self._crc32:
            raise DestinationError(
                f"{self.uri(key)} was uploaded in parts, and this role may not read whether they were joined rightly; "
                "so the day isn't committed.",
                hint="Allow s3:GetObject there; then run it again.",
            )
        log.warning("%s isn't confirmed: this role may not read it (s3:GetObject).", self.uri(key))

    def delete(self, key: str) -> bool:
        with self.s3.errors_of(self.uri(key)):
            return self._unless(REFUSED, self.s3.client.delete_object, **self._place(key)) is not None

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    def _unless(self, codes: set[str], call: Any, **arguments: Any) -> dict[str, Any] | None:
        """The answer of a call, or None when S3 refuses it with one of these codes."""
        from botocore.exceptions import ClientError

        try:
            return cast("dict[str, Any]", call(**arguments))
        except ClientError as error:
            if code_of(error) in codes:
                return None
            raise


def crc32_of(file: Path) -> str:
    """CRC32 as S3 writes it: four bytes, big-endian, in base64."""
    crc = 0
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            crc = zlib.crc32(piece, crc)
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def judged(answer: dict[str, Any], expected: dict[str, str]) -> bool | None:
    """Are the checksums in an answer of S3 these? None: it has none of the whole object. Of an upload in parts a
    checksum may be one of checksums (COMPOSITE), which says nothing of their order in the object."""
    in_parts = "-" in str(answer.get("ETag", ""))
    if answer.get("ChecksumType", "COMPOSITE" if in_parts else "FULL_OBJECT") != "FULL_OBJECT":
        return None
    verdicts = [answer[name] == checksum for name, checksum in expected.items() if answer.get(name)]
    return all(verdicts) if verdicts else None
