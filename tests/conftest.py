"""Fixtures shared by all fast tests: the stand-ins for X and for S3, both real HTTP servers on loopback."""

import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "scripts")]

pytest_plugins = ["tests.x_api.fixtures", "tests.s3_server"]


@pytest.fixture
def x_env(x_api: Any, tmp_path: Path) -> dict[str, str]:
    """The environment in which the script reads from the simulator: its own state, and no patience."""
    return {
        "X_BEARER_TOKEN": x_api.bearer_token,
        "X_API_BASE_URL": x_api.base_url,
        "TWITTER_ETL_STATE_DIR": str(tmp_path / "state"),
        "TWITTER_ETL_RETRY_SECONDS": "0.01",
    }
