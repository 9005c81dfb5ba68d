"""The script and S3: its limits, what it refuses to believe, what it says when S3 refuses. Real HTTP: moto, a gate."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tweetlake.errors import UsageError
from tweetlake.settings import Encryption, read_settings

from stand_ins.s3_gate import Gate, S3Fault
from stand_ins.s3_server import S3
from tests.helpers.days import CSV, DAY, IN_PARTS, MANIFEST, check_promise, pages, rebuild
from tests.helpers.etl import SCRIPT, run_etl

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parent.parent
CHECK_BUCKET = PROJECT / "roles" / "twitter_etl" / "files" / "check_bucket.py"
CSV_PATH = "/refined_tweets.csv"  # its end on the wire, where the = of the day is escaped


@pytest.fixture
def gate(s3: S3) -> Any:
    with Gate(s3.endpoint_url) as server:
        yield server


@pytest.fixture
def env(s3: S3, gate: Gate, tmp_path: Path) -> dict[str, str]:
    """Of a run that meets S3 at the gate."""
    return s3.env | {
        "AWS_ENDPOINT_URL": gate.endpoint_url,
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_TIMEOUT_SECONDS": "5",
        "TWITTER_ETL_DEADLINE_SECONDS": "30",
    }


def check_bucket(env: dict[str, str], s3: S3, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The check of the role, with the script's modules beside it, as on a host."""
    file = tmp_path / "twitter.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    return subprocess.run(
        [sys.executable, str(CHECK_BUCKET), "--env-file", str(file), "--to", f"s3://{s3.bucket}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT / "scripts")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_timeout_is_the_default_one(s3: S3, env: dict[str, str], tmp_path: Path, blank: str) -> None:
    env |= {"TWITTER_ETL_TIMEOUT_SECONDS": blank}
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0 and run.rows == 3, run.log
    checked = check_bucket(env, s3, tmp_path)
    assert checked.returncode == 0 and "written and read back" in checked.stdout, checked.stderr


def test_a_wrong_timeout_is_named_by_the_check_of_the_role(s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    checked = check_bucket(env | {"TWITTER_ETL_TIMEOUT_SECONDS": "soon"}, s3, tmp_path)
    assert checked.returncode == 2 and "TWITTER_ETL_TIMEOUT_SECONDS='soon'" in checked.stderr, checked.stderr


# ---- what was written is what is there ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pages(tmp_path_factory.mktemp("large"), IN_PARTS)


def spoil(s3: S3, key: str) -> Callable[[], Any]:
    """What a server does that joins parts in another order: the same bytes, each where another belongs."""

    def rotate() -> None:
        content = s3.read(key)
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=content[9:] + content[:9], ChecksumAlgorithm="CRC32")

    return rotate


def read_back(gate: Gate) -> bool:
    return any(request.startswith("GET") and request.endswith(CSV_PATH) for request in gate.seen)


def test_a_large_day_is_confirmed_by_its_crc_and_not_read_back(
    s3: S3, env: dict[str, str], gate: Gate, large: Path
) -> None:
    run = rebuild(env, s3, large)
    assert run.code == 0, run.log
    check_promise(s3, IN_PARTS)
    assert s3.client.head_object(Bucket=s3.bucket, Key=CSV, ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"
    assert any(request.startswith("POST") and request.endswith(CSV_PATH) for request in gate.seen), "it went in parts"
    assert not read_back(gate)


@pytest.mark.parametrize("checksums", [True, False])
def test_parts_joined_in_the_wrong_order_are_not_committed(
    s3: S3, env: dict[str, str], gate: Gate, large: Path, checksums: bool
) -> None:
    gate.checksums = checksums
    gate.on_stored[CSV_PATH] = spoil(s3, CSV)
    run = rebuild(env, s3, large)
    assert run.code == 7 and "isn't there as it was uploaded" in run.summary["error"], run.log
    assert "joins the parts of an upload" in run.summary["hint"]
    assert read_back(gate) is not checksums
    assert MANIFEST not in s3.all_keys()


def test_a_small_day_on_a_server_without_checksums_is_read_back(
    s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path
) -> None:
    gate.checksums = False
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0, run.log
    check_promise(s3, 3)
    assert read_back(gate)
    gate.on_stored[CSV_PATH] = spoil(s3, CSV)
    run = rebuild(env, s3, pages(tmp_path, 4))
    assert run.code == 7 and "isn't there as it was uploaded" in run.summary["error"], run.log
    assert MANIFEST not in s3.all_keys()


def test_reading_back_survives_a_broken_connection(s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path) -> None:
    gate.checksums = False
    gate.armed.append(S3Fault("reset", "GET", CSV_PATH, count=1))
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0 and gate.fired == ["reset"], run.log


def test_to_a_role_that_may_not_read_the_checksum_in_the_answer_has_to_do(
    s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path, large: Path
) -> None:
    gate.armed += [S3Fault("access_denied", "HEAD"), S3Fault("access_denied", "GET")]
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0 and "confirmed" not in run.log, run.log
    gate.checksums = False
    run = rebuild(env, s3, pages(tmp_path, 4))
    assert run.code == 0 and f"{CSV} isn't confirmed" in run.log, run.log
    s3.client.delete_object(Bucket=s3.bucket, Key=MANIFEST)
    run = rebuild(env, s3, large)
    assert run.code == 7 and "s3:GetObject" in run.summary["hint"], run.log
    assert MANIFEST not in s3.all_keys()


def test_a_signal_ends_an_upload_in_parts_at_once(s3: S3, env: dict[str, str], gate: Gate, large: Path) -> None:
    gate.armed.append(S3Fault("hang", "PUT", CSV_PATH))
    arguments = ["--from-raw", str(large), "--date", DAY, "--to", f"s3://{s3.bucket}"]
    env |= {"TWITTER_ETL_TIMEOUT_SECONDS": "60", "PATH": os.environ["PATH"]}
    run = subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=env, stderr=subprocess.DEVNULL)
    while "hang" not in gate.fired and run.poll() is None:
        time.sleep(0.02)
    run.terminate()
    assert run.wait(timeout=5) == 128 + signal.SIGTERM


# ---- the reason ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "hint"),
    [
        ("expired_token", "ExpiredToken", "get a new one"),
        ("unknown_key", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("moved", "PermanentRedirect", "AWS_DEFAULT_REGION=eu-central-1"),
        ("no_such_bucket", "NoSuchBucket", "Create the bucket"),
        ("denied_by_policy", "AccessDenied", "A policy denies it"),
        ("access_denied", "AccessDenied", "s3:PutObject"),
    ],
)
def test_a_refused_look_at_the_bucket_tells_the_reason(
    s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path, fault: str, code: str, hint: str
) -> None:
    writes = fault in ("denied_by_policy", "access_denied")  # who may not look may still be allowed to write
    gate.armed += [S3Fault(fault, method) for method in ("HEAD", "GET", *["POST"] * writes)]
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 7 and hint in run.summary["hint"], run.log
    assert run.summary["error"].startswith(f"The bucket {s3.bucket} refused: {code}")
    assert s3.all_keys() == []


def test_a_role_that_may_only_write_passes_the_check(s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path) -> None:
    gate.armed += [S3Fault("access_denied", "HEAD", s3.bucket), S3Fault("access_denied", "GET", s3.bucket)]
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0 and run.rows == 3, run.log


def test_a_token_that_expires_between_two_files_is_named(
    s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path
) -> None:
    gate.armed += [S3Fault("expired_token", "HEAD", CSV_PATH), S3Fault("expired_token", "GET", CSV_PATH)]
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 7 and "ExpiredToken" in run.summary["error"], run.log


def test_the_region_corrects_itself_and_is_named(s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path) -> None:
    gate.armed.append(S3Fault("wrong_region", ""))
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 0 and run.rows == 3, run.log
    assert f"The bucket {s3.bucket} is in eu-central-1, not in us-east-1: set AWS_DEFAULT_REGION" in run.log


# ---- proxies ---------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_dead_proxy_is_named_without_its_password(s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path) -> None:
    port = free_port()
    env |= {"HTTP_PROXY": f"http://user:topsecret@127.0.0.1:{port}", "NO_PROXY": ""}
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 7 and f"the proxy http://127.0.0.1:{port} (HTTP_PROXY)" in run.summary["error"], run.log
    assert "NO_PROXY" in run.summary["hint"] and "topsecret" not in run.log + json.dumps(run.summary)
    assert gate.seen == []


def test_a_proxy_of_an_unknown_scheme_is_refused_and_not_retried(s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    env |= {"HTTP_PROXY": f"socks5://127.0.0.1:{free_port()}", "NO_PROXY": ""}
    before = time.monotonic()
    run = rebuild(env | {"TWITTER_ETL_DEADLINE_SECONDS": "600"}, s3, pages(tmp_path))
    assert run.code == 7 and "HTTP_PROXY names socks5://" in run.summary["error"], run.log
    assert time.monotonic() - before < 20


def test_a_proxy_that_answers_itself_is_named(s3: S3, env: dict[str, str], tmp_path: Path) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        env |= {"HTTP_PROXY": f"http://127.0.0.1:{proxy.server_port}", "NO_PROXY": ""}
        run = rebuild(env, s3, pages(tmp_path))
        proxy.shutdown()
    assert run.code == 7 and f"the proxy {env['HTTP_PROXY']} (HTTP_PROXY)" in run.summary["hint"], run.log


# ---- encryption ------------------------------------------------------------------------------------------------------


def test_a_bucket_that_demands_kms_is_recognised_before_x_is_asked(
    x_api: Any, x_env: dict[str, str], s3: S3, env: dict[str, str], gate: Gate
) -> None:
    gate.armed.append(S3Fault("kms_demanded", ""))
    day = str(datetime.now(UTC).date() - timedelta(days=1))
    arguments = ("--account", "nasa", "--date", day, "--to", f"s3://{s3.bucket}")
    run = run_etl(*arguments, env=x_env | env)
    assert run.code == 7 and "takes only what is encrypted by aws:kms" in run.summary["error"], run.log
    assert "--sse aws:kms" in run.summary["hint"]
    assert x_api.requests == [] and s3.all_keys() == []
    landed = run_etl(*arguments, env=x_env | env | {"TWITTER_ETL_SSE": "aws:kms"})
    assert landed.code == 0 and landed.rows > 20, landed.log


def test_every_object_is_encrypted_as_asked_with_a_bucket_key(
    s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path, large: Path
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    run = rebuild(env, s3, large, "--sse", f"aws:kms:{key}")
    assert run.code == 0, run.log
    check_promise(s3, IN_PARTS)
    for name in s3.all_keys():
        found = s3.client.head_object(Bucket=s3.bucket, Key=name)
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key), name
    uploads = [headers for request, headers in gate.headers.items() if "content-type" in headers]
    assert len(uploads) == 3, "the CSV in parts (moto forgets their bucket key), Parquet and manifest"
    assert {headers["x-amz-server-side-encryption-bucket-key-enabled"] for headers in uploads} == {"true"}
    env |= {"TWITTER_ETL_SSE": "aws:kms", "TWITTER_ETL_SSE_KMS_KEY_ID": key}
    checked = check_bucket(env, s3, tmp_path)
    assert checked.returncode == 0, checked.stderr
    (verified,) = [name for name in s3.all_keys() if "_verify" in name]
    assert s3.client.head_object(Bucket=s3.bucket, Key=verified)["SSEKMSKeyId"] == key


def test_the_check_leaves_nothing_behind(s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path) -> None:
    rebuild(env, s3, pages(tmp_path))
    assert not any("_probe" in key for key in s3.all_keys())
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=s3.bucket)
    assert gate.seen[1:3] == [f"POST /{s3.bucket}/twitter/_probe", f"DELETE /{s3.bucket}/twitter/_probe"]


@pytest.mark.parametrize(
    ("option", "environ", "says"),
    [
        ("aws:kms:dsse", {}, "--sse 'aws:kms:dsse'"),
        ("AES256:key", {}, "--sse 'AES256:key'"),
        ("aes", {}, "--sse 'aes'"),
        ("", {}, "--sse is empty"),
        ("aws:kms:a key", {}, "--sse 'a key' isn't a key of KMS"),
        (None, {"TWITTER_ETL_SSE": "kms"}, "TWITTER_ETL_SSE 'kms'"),
        (None, {"TWITTER_ETL_SSE_KMS_KEY_ID": "abc"}, "of no use without aws:kms"),
    ],
)
def test_wrong_encryption_is_refused(option: str | None, environ: dict[str, str], says: str) -> None:
    arguments = ["--from-raw", ".", "--to", "s3://my-bucket", *(["--sse", option] if option is not None else [])]
    with pytest.raises(UsageError, match=re.escape(says)):
        read_settings(arguments, environ)


def test_the_option_comes_before_the_environment() -> None:
    arguments = ["--from-raw", ".", "--to", "s3://my-bucket", "--sse", "aws:kms"]
    settings = read_settings(arguments, {"TWITTER_ETL_SSE": "AES256", "TWITTER_ETL_SSE_KMS_KEY_ID": "alias/lake"})
    assert settings.encryption == Encryption("aws:kms", "alias/lake")


# ---- one deadline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "deadline_seconds"), [("hang", 5), ("slow_down", 1)])
def test_nothing_is_tried_again_after_the_deadline(
    s3: S3, env: dict[str, str], gate: Gate, tmp_path: Path, fault: str, deadline_seconds: int
) -> None:
    """botocore alone would try five times. Its pauses are drawn by lot: after SlowDown all four of them together take
    less than a second once in 1,500 times, less than five once in five."""
    gate.armed.append(S3Fault(fault, "PUT", CSV_PATH))
    before = time.monotonic()
    env |= {"TWITTER_ETL_TIMEOUT_SECONDS": "2", "TWITTER_ETL_DEADLINE_SECONDS": str(deadline_seconds)}
    run = rebuild(env, s3, pages(tmp_path))
    assert run.code == 7, run.log
    assert time.monotonic() - before < deadline_seconds + 2 + 4, "the deadline, a request, and the start of Python"
    assert 1 <= gate.fired.count(fault) < 5
