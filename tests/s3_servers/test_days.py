"""Days of every size on more than one S3 server: each lands as its manifest says, or says that it did not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stand_ins import radosgw, s3_server
from stand_ins.s3_server import S3
from tests.helpers.days import IN_PARTS, MANIFEST, check_promise, pages, rebuild

pytestmark = pytest.mark.timeout(600)  # the image may have to be made first


@pytest.fixture(scope="module", params=["moto", "radosgw"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Name and address."""
    with {"moto": s3_server.running, "radosgw": radosgw.running}[request.param]() as endpoint_url:
        yield request.param, endpoint_url


@pytest.fixture
def bucket(server: tuple[str, str]) -> S3:
    return s3_server.empty_bucket(server[1])


def test_a_small_day_lands(bucket: S3, tmp_path: Path) -> None:
    run = rebuild(bucket.env, bucket, pages(tmp_path, 300))
    assert run.code == 0 and run.rows == 300, run.log
    check_promise(bucket, 300)


def test_a_day_uploaded_in_parts_lands_or_ends_without_a_manifest(
    server: tuple[str, str], bucket: S3, tmp_path: Path
) -> None:
    run = rebuild(bucket.env, bucket, pages(tmp_path, IN_PARTS))
    if server[0] == "radosgw":
        assert run.code == 7 and "joins the parts of an upload in their order" in run.summary["hint"], run.log
        assert MANIFEST not in bucket.all_keys()
    else:
        assert run.code == 0, run.log
        check_promise(bucket, IN_PARTS)


def test_a_missing_bucket_and_a_wrong_key_are_told_by_name(bucket: S3, tmp_path: Path) -> None:
    file = pages(tmp_path)
    missing = S3(bucket.endpoint_url, "not-there-at-all", bucket.client, bucket.env)
    run = rebuild(bucket.env, missing, file)
    assert run.code == 7 and "NoSuchBucket" in run.summary["error"], run.log
