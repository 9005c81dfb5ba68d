"""`make try`, as a newcomer types it: its own small environment, the script, the table. Needs PyPI or uv's cache."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What `make try` said, and the lake it has filled; with the reader's own X and AWS in the environment."""
    lake = tmp_path_factory.mktemp("try") / "lake"
    theirs = {"X_CONSUMER_KEY": "theirs", "AWS_PROFILE": "theirs", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        ["make", "-s", "try", f"LAKE={lake}"],
        cwd=PROJECT,
        env={**os.environ, **theirs},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, lake


def test_a_day_lands_and_is_shown(tried: tuple[str, Path]) -> None:
    said, lake = tried
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    posts = (lake / "twitter" / f"dt={day}" / "refined_tweets.csv").read_text().count(',"NASA",')
    assert 28 <= posts <= 60  # what the simulator promises of an ordinary account
    assert f"{posts} posts of {day}, the first 5" in said
    billed = int(said.partition("The simulator billed ")[2].split()[0])
    assert posts <= billed <= posts + 5  # older posts prove that the timeline reaches the day: docs/data.md
    assert f"billed {billed} posts and 1 user: {billed * 0.005 + 0.01:.3f} USD" in said
    assert "refined_tweets.parquet" in said


def test_the_command_it_shows_is_the_one_to_type(tried: tuple[str, Path]) -> None:
    """From the pages it has kept, the same script rebuilds the same bytes."""
    said, lake = tried
    command = next(line for line in said.splitlines() if "twitter_etl.py" in line)
    python, script, *options = command.removeprefix("$ ").split()
    assert options[:2] == ["--account", "nasa"]
    rebuilt = lake.parent / "rebuilt"
    again = [python, script, "--from-raw", str(lake / "twitter_raw"), "--to", str(rebuilt)]
    subprocess.run(again, cwd=PROJECT, check=True, capture_output=True)
    (first,), (second,) = (list(folder.rglob("*.csv")) for folder in (lake, rebuilt))
    assert first.read_bytes() == second.read_bytes()


def test_without_venv_and_pip_it_says_what_to_install_and_asks_for_no_root(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} -S -c "raise SystemExit(1)"\n')
    for program in ("sudo", "apt-get"):
        (bare / program).write_text("#!/bin/sh\ntouch asked-for-root\n")
    for file in bare.iterdir():
        file.chmod(0o755)
    for name in ("Makefile", "roles"):
        (tmp_path / name).symlink_to(PROJECT / name)
    env = {"PATH": f"{bare}:/usr/bin:/bin"}
    done = subprocess.run(["make", "try"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "apt-get install python3-venv" in done.stderr
    assert not (tmp_path / "asked-for-root").exists()
    assert not (tmp_path / ".cache").exists()
