"""Portions made by several processes, and given out in the order of their pages.

Each worker has one portion at a time. It gets lines and gives back an Arrow table, both over a pipe; when the other end
of the pipe closes, because this process has gone, it ends, too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..errors import EtlError
from ..reading.lines import Lines
from .portions import Pieces, Portion

Make = Callable[[Pieces], Portion]
MOST_JOBS = 8  # one process stores what the others make
ROOM_MIB = 2048  # below it one process has to do
SECONDS_TO_END = 5
MEMORY = Path("/proc/meminfo")
MEMORY_OF_GROUP = Path("/sys/fs/cgroup/memory.max")  # of a container


def jobs_for_this_machine() -> int:
    """As many as there are processors, where there is room for them."""
    if not hasattr(os, "sched_getaffinity") or room_mib() < ROOM_MIB:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_JOBS)


def room_mib() -> int:
    """Memory that is available, by the kernel and by the bound of this container; 0 where nobody says."""
    room = 0
    with contextlib.suppress(OSError):
        available = re.search(r"^MemAvailable:\s*(\d+) kB$", MEMORY.read_text(), re.MULTILINE)
        room = int(available[1]) >> 10 if available else 0
    with contextlib.suppress(OSError, ValueError):  # "max": no bound
        room = min(room, int(MEMORY_OF_GROUP.read_text()) >> 20)
    return room


def made(portions: Iterable[Pieces], make: Make, jobs: int) -> Generator[Portion, None, None]:
    """What `make` makes of each. Workers are started when there are two portions of lines or more: a daily run has one.

    Raises EtlError when a worker dies, and what `make` raises.
    """
    waiting = iter(portions)
    for portion in waiting:
        if jobs > 1 and isinstance(portion, list) and (second := next(waiting, None)):
            waiting = chain((portion, second), waiting)
            break
        yield make(portion)
    else:
        return
    with Team(make, jobs) as team:
        for portion in waiting:
            if not isinstance(portion, list):  # pages that only this process can read
                yield from team.rest()
                yield make(portion)
                continue
            done = [team.receive()] if team.is_busy else []
            team.send(portion)
            yield from done
        yield from team.rest()


class Team:
    """Workers, which end with the context."""

    def __init__(self, make: Make, jobs: int) -> None:
        self._make, self._jobs = make, jobs
        self._workers: dict[Connection, BaseProcess] = {}
        self._idle: deque[Connection] = deque()
        self._busy: deque[Connection] = deque()  # in the order of their portions

    def __enter__(self) -> Team:
        fork = multiprocessing.get_context("fork")  # what is imported is shared, and costs nothing again
        try:
            for _ in range(self._jobs):
                ours, its = fork.Pipe()
                worker = fork.Process(target=work, args=(its, [ours, *self._workers], self._make), daemon=True)
                worker.start()
                its.close()
                self._workers[ours] = worker
                self._idle.append(ours)
        except OSError as error:
            self.__exit__()
            raise EtlError(
                f"{self._jobs} processes can't be started: {error.strerror or error}.",
                kept="Nothing of these pages was written.",
                hint="--jobs 1 needs no other process.",
            ) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for pipe, worker in self._workers.items():
            pipe.close()
            worker.terminate()
        for worker in self._workers.values():
            worker.join()

    @property
    def is_busy(self) -> bool:
        """Has every worker a portion?"""
        return not self._idle

    def send(self, portion: list[Lines]) -> None:
        """Give it to a worker that has none."""
        pipe = self._idle.popleft()
        try:
            pipe.send(portion)
        except OSError:
            raise self._died(pipe) from None
        self._busy.append(pipe)

    def receive(self) -> Portion:
        """The oldest portion that is out."""
        pipe = self._busy.popleft()
        try:
            found: Portion | Exception = pipe.recv()
        except (OSError, EOFError):
            raise self._died(pipe) from None
        self._idle.append(pipe)
        if isinstance(found, Exception):
            raise found
        return found

    def rest(self) -> Iterator[Portion]:
        """All portions that are out, in their order."""
        while self._busy:
            yield self.receive()

    def _died(self, pipe: Connection) -> EtlError:
        worker = self._workers[pipe]
        worker.join(SECONDS_TO_END)
        return EtlError(
            f"A process that reads pages has died (exit code {worker.exitcode}; -9 is mostly a lack of memory).",
            kept="Nothing of these pages was written.",
            hint="Run it again; --jobs 1 needs no other process, and less memory.",
        )


def work(pipe: Connection, inherited: list[Connection], make: Make) -> None:
    """A worker's life: lines in, a portion out, until the pipe is closed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of them: the parent ends its workers
    for other in inherited:  # open here, they would hide that the parent has gone
        other.close()
    with contextlib.suppress(EOFError, OSError):
        while True:
            portion = pipe.recv()
            try:
                found: Portion | Exception = make(portion)
            except Exception as error:
                found = error
            del portion
            pipe.send(found)
            del found
