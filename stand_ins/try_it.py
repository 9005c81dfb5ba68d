"""make try: yesterday's posts of one account from the X API simulator into a folder, by the script, as a user runs it.

Needs what the script needs and the group `try` of pyproject.toml; no root, no container, no account.
"""

import argparse
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stand_ins.tables import console, rows_of, table_of_files, table_of_posts
from stand_ins.x_api.meters import Bill
from stand_ins.x_api.server import ServerThread
from stand_ins.x_api.simulator import Simulator

PROJECT = Path(__file__).resolve().parent.parent
ACCOUNT = "nasa"
# What is in the reader's own environment for the real X and the real S3 has no say here.
REAL = ("X_", "AWS_", "TWITTER_ETL_")


def main() -> int:
    """Collect a day, show it, say what it cost; the script's exit code."""
    parser = argparse.ArgumentParser(prog="python -m stand_ins.try_it", description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("lake"), metavar="FOLDER", help="default: %(default)s")
    lake = parser.parse_args().to
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    simulator = Simulator()
    with ServerThread(simulator) as server:
        exit_code = collect(day, lake, server.base_url, simulator.credentials.bearer_token)
    if exit_code == 0:
        show(day, lake, simulator.bill)
    return exit_code


def collect(day: str, lake: Path, base_url: str, bearer_token: str) -> int:
    """Run the script, after saying how; its exit code. Its log goes to the terminal, its JSON summary nowhere."""
    variables = {
        "X_API_BASE_URL": base_url,
        "X_BEARER_TOKEN": bearer_token,
        "TWITTER_ETL_STATE_DIR": ".cache/try-state",
    }
    python, script = Path(sys.executable), PROJECT / "scripts" / "twitter_etl.py"
    command = [shorter(python), shorter(script), "--account", ACCOUNT, "--date", day, "--to", str(lake)]
    print("$ export", *(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
    print(f"$ {shlex.join(command)}", flush=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(REAL)}
    # Where a proxy is set, on macOS also in the system's settings, loopback isn't its business.
    env = own | variables | {"no_proxy": "127.0.0.1"}
    return subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False).returncode


def shorter(path: Path) -> str:
    """From where the reader is, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def show(day: str, lake: Path, bill: Bill) -> None:
    """The day's files and first posts, and the simulator's bill."""
    files = {str(path): path.stat().st_size for path in lake.rglob(f"dt={day}/*")}
    rows = rows_of((lake / "twitter" / f"dt={day}" / "refined_tweets.csv").read_text(encoding="utf-8"))
    terminal = console()
    terminal.print(table_of_files(f"{lake}: what has landed", files))
    terminal.print(table_of_posts(day, rows))
    terminal.print(
        f"The simulator billed {bill.posts} posts and {bill.users} user: {bill.cost_usd:.3f} USD, if it were X.\n"
        "Next: make demo (Airflow on a host of its own), or README.md, Production.",
        markup=False,
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(main())
