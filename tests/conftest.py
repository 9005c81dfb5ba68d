"""Fixtures shared by all fast tests: the stand-ins for X and for S3, both real HTTP servers on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stand_ins import s3_server
from stand_ins.s3_server import S3
from stand_ins.x_api.server import ServerThread
from stand_ins.x_api.simulator import Simulator
from tests.helpers.x_api import XApi


@pytest.fixture(scope="session")
def x_api_server() -> Iterator[XApi]:
    """The simulator's server, one for all tests."""
    simulator = Simulator()
    with ServerThread(simulator) as server:
        yield XApi(simulator, server.base_url)


@pytest.fixture
def x_api(x_api_server: XApi) -> XApi:
    """The X API simulator, as freshly started."""
    x_api_server.reset()
    return x_api_server


@pytest.fixture
def x_env(x_api: XApi, tmp_path: Path) -> dict[str, str]:
    """The environment in which the script reads from the simulator: its own state, and no patience."""
    return {
        "X_BEARER_TOKEN": x_api.bearer_token,
        "X_API_BASE_URL": x_api.base_url,
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_RETRY_SECONDS": "0.01",
    }


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of the S3 server, one for all tests."""
    with s3_server.running() as endpoint_url:
        yield endpoint_url


@pytest.fixture
def s3(s3_endpoint: str) -> S3:
    """An empty bucket of its own for this test."""
    return s3_server.empty_bucket(s3_endpoint)
