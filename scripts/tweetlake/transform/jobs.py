"""Portions made by several processes, and given out in the order of their pages.

Each worker has one portion at a time. It gets lines in a temporary file, which is half the work of a pipe, and gives
back an Arrow table over a pipe; when the other end closes, because this process has gone, it ends, too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from ..errors import EtlError
from ..reading.lines import Lines
from .portions import Pieces, Portion

Make = Callable[[Pieces], Portion]
MOST_JOBS = 8  # one process stores what the others make
ROOM_MIB = 2048  # below it one process has to do
SECONDS_TO_END = 5
ENDING = (signal.SIGTERM, signal.SIGINT)
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


@dataclass
class Worker:
    """Another process, as this one sees it."""

    process: BaseProcess
    pipe: Connection
    lines: IO[bytes]  # the temporary file


class Team:
    """Workers, which end with the context."""

    def __init__(self, make: Make, jobs: int) -> None:
        self._make, self._jobs = make, jobs
        self._workers: list[Worker] = []
        self._idle: deque[Worker] = deque()
        self._busy: deque[Worker] = deque()  # in the order of their portions

    def __enter__(self) -> Team:
        try:
            for _ in range(self._jobs):
                self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.lines.close()

    @property
    def is_busy(self) -> bool:
        """Has every worker a portion?"""
        return not self._idle

    def send(self, portion: list[Lines]) -> None:
        """Give it to a worker that has none."""
        worker = self._idle.popleft()
        worker.lines.seek(0)
        worker.lines.writelines(lines.text for lines in portion)
        worker.lines.flush()
        try:
            worker.pipe.send([(lines.name, lines.first_line, len(lines.text)) for lines in portion])
        except ConnectionError:
            raise death_of(worker) from None
        self._busy.append(worker)

    def receive(self) -> Portion:
        """The oldest portion that is out."""
        worker = self._busy.popleft()
        try:
            found: Portion | Exception = worker.pipe.recv()
        except (ConnectionError, EOFError):
            raise death_of(worker) from None
        self._idle.append(worker)
        if isinstance(found, Exception):
            raise found
        return found

    def rest(self) -> Iterator[Portion]:
        """All portions that are out, in their order."""
        while self._busy:
            yield self.receive()

    def _start(self) -> None:
        fork = multiprocessing.get_context("fork")  # what is imported is shared, and costs nothing again
        lines = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the team)
        ours, its = fork.Pipe()
        inherited = [ours, *(worker.pipe for worker in self._workers)]
        process = fork.Process(target=work, args=(its, lines.fileno(), inherited, self._make), daemon=True)
        try:
            with signals_held_back():  # this process' way to end is not the worker's
                process.start()
        except OSError as error:
            raise EtlError(
                f"{self._jobs} processes can't be started: {error.strerror or error}.",
                kept="Nothing of these pages was written.",
                hint="--jobs 1 needs no other process.",
            ) from None
        its.close()
        self._workers.append(Worker(process, ours, lines))
        self._idle.append(self._workers[-1])


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Whatever is sent to end this process arrives after the context, and to a process born in it once it asks."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def death_of(worker: Worker) -> EtlError:
    """What to say of a worker that answers no more."""
    worker.process.join(SECONDS_TO_END)
    return EtlError(
        f"A process that reads pages has died (exit code {worker.process.exitcode}; -9 is mostly a lack of memory).",
        kept="Nothing of these pages was written.",
        hint="Run it again; --jobs 1 needs no other process, and less memory.",
    )


def work(pipe: Connection, lines: int, inherited: list[Connection], make: Make) -> None:
    """A worker's life: lines in (`lines` is their file's descriptor), a portion out, until the pipe is closed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of them: the parent ends its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    for other in inherited:  # open here, they would hide that the parent has gone
        other.close()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            places = pipe.recv()
            try:
                found: Portion | Exception = make(lines_at(lines, places))
            except Exception as error:
                found = error
            pipe.send(found)
            del found


def lines_at(descriptor: int, places: list[tuple[str, int, int]]) -> list[Lines]:
    """What `Team.send` has written: of each the name, the first line and the number of bytes."""
    portion, offset = [], 0
    for name, first_line, size in places:
        portion.append(Lines(name, first_line, os.pread(descriptor, size, offset)))
        offset += size
    return portion
