"""What is wrong with the machine that a run is on: its clock, its disk. Read from the run's environment, once, before
the script begins: nothing else of it is touched."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CLOCK = "MACHINE_CLOCK_AHEAD_SECONDS"
ROOM = "MACHINE_PAGES_OF_ROOM"  # for so many pages the disk says that there is room
FULL = "MACHINE_FULL_AT"  # SUFFIX:LINES, files of this name take so many lines, then the disk is full


def change(script: Path, environ: Mapping[str, str]) -> None:
    """Make this process see such a machine. Raises ValueError for a variable that can't be read."""
    if seconds := environ.get(CLOCK):
        shift_clock(script.parent, timedelta(seconds=float(seconds)))
    if pages := environ.get(ROOM):
        end_room(int(pages))
    if full := environ.get(FULL):
        suffix, lines = full.split(":")
        fill_disk(suffix, int(lines))


def shift_clock(scripts: Path, ahead: timedelta) -> None:
    """All modules of the script take the time from one place, by name: before they are imported."""
    sys.path.insert(0, str(scripts))
    times = importlib.import_module("tweetlake.times")
    right = times.utc_now
    times.utc_now = lambda: right() + ahead  # type: ignore[attr-defined]


def end_room(pages: int) -> None:
    rooms = iter([2**40] * pages)

    def statvfs(_: object) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=next(rooms, 0), f_frsize=1)

    os.statvfs = statvfs  # type: ignore[assignment]


class FullDisk(io.FileIO):
    """Takes whole lines, then half a line, then nothing: a disk that others fill while the script writes."""

    lines_left = 0
    is_full = False

    def write(self, content: Any) -> int:
        content = bytes(content)
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.lines_left > 0:
            self.lines_left -= content.count(b"\n")
            return super().write(content)
        self.is_full = True
        return super().write(content[: len(content) // 2])


def fill_disk(suffix: str, lines: int) -> None:
    really_open = io.open

    def limited(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if not str(file).endswith(suffix) or "b" not in mode or mode == "rb":
            return really_open(file, mode, *more, **named)
        raw = FullDisk(file, mode.replace("b", ""))
        raw.lines_left = lines
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    io.open = limited
