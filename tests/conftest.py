"""Fixtures shared by all fast tests: the stand-ins for X and for S3, both real HTTP servers on loopback."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "scripts")]

pytest_plugins = ["tests.x_api.fixtures", "tests.s3_server"]
