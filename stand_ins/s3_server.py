"""A real S3 endpoint over HTTP (moto's server, on a free loopback port) and empty buckets on it."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

_numbers = itertools.count(1)


@dataclass(frozen=True)
class S3:
    """One empty bucket. `env` is what a process needs to reach it."""

    endpoint_url: str
    bucket: str
    client: Any
    env: dict[str, str]

    def all_keys(self, prefix: str = "") -> list[str]:
        """All keys below a prefix, in order."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """The bytes of an object."""
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of a server that runs until the block ends."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def empty_bucket(endpoint_url: str) -> S3:
    """A bucket of its own on that server."""
    env = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing-secret",
        region_name="us-east-1",
    )
    bucket = f"lake-{os.getpid()}-{next(_numbers)}"
    client.create_bucket(Bucket=bucket)
    return S3(endpoint_url, bucket, client, env)
