"""The script in a process of its own, without the second that its imports take.

A helper process imports the libraries (none of the script itself) and forks for each run. What runs has its own pid,
environment, signals and exit code; one run at a time per helper, so that none shares a file descriptor.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from . import machine

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    *("boto3", "botocore.retries.standard", "msgspec", "orjson", "pandas", "pandera.pandas", "pyarrow.csv"),
    *("pyarrow.parquet", "requests", "rich.progress", "s3transfer.manager", "tenacity", "tweepy"),
)


@dataclass
class WarmRun:
    """A run under way. `code` is what a shell's `wait` would say, negative for a signal."""

    helper: WarmPython
    pid: int
    out: Path
    err: Path
    code: int | None = None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Until it ends; the helper kills it after a minute."""
        if self.code is None:
            self.code = int(self.helper.answer())
        return self.code

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of standard output; nothing after a SIGKILL."""
        lines = self.out.read_text(encoding="utf-8").splitlines()
        return cast("dict[str, Any]", json.loads(lines[-1])) if lines else {}

    @property
    def log(self) -> str:
        return self.err.read_text(encoding="utf-8")


class WarmPython:
    """The helper process, seen from the tests."""

    def __init__(self, environ: dict[str, str]) -> None:
        """`environ`: what libraries read while they are imported."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environ,
            start_new_session=True,
        )

    def start(self, script: Path, arguments: list[str], env: dict[str, str], folder: Path) -> WarmRun:
        """Begin a run whose standard output and error go to files in `folder`. `env` is its whole environment."""
        folder.mkdir(parents=True)
        out, err = folder / "stdout", folder / "stderr"
        order = {"argv": [str(script), *arguments], "env": env, "out": str(out), "err": str(err)}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return WarmRun(self, int(self.answer()), out, err)

    def answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> None:
    """Read orders, one a line; answer each with the pid at once and the exit code at the end."""
    for library in LIBRARIES:
        with contextlib.suppress(ImportError):  # one that the script doesn't need any more
            importlib.import_module(library)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(order)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def run(order: dict[str, Any]) -> None:
    """In the child: become the script. Never returns."""
    null = os.open(os.devnull, os.O_RDONLY)
    out, err = (os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for name in ("out", "err"))
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    tempfile.tempdir = None
    sys.argv = order["argv"]
    code: Any = 1
    try:
        machine.change(Path(order["argv"][0]), order["env"])
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve()
