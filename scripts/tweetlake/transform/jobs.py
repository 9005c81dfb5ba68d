"""Portions made by several processes, given out in the order of their pages.

Each worker holds one portion at a time. It gets raw lines and gives back an Arrow table, both over a pipe; when its end
of the pipe closes, because this process has gone, it ends, too.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..raw import Page
from .portions import Portion

log = logging.getLogger(__name__)

Make = Callable[[list[Page]], Portion]
MOST_JOBS = 8  # one process stores what the others make
MIB_PER_JOB = 512
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def jobs_for_this_machine() -> int:
    """As many as processors, but only one where memory is small (below 1 GiB for two)."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(processors, MOST_JOBS, memory_mib() // MIB_PER_JOB - 1))


def memory_mib() -> int:
    """Of this machine, or of the control group that bounds it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        machine = min(machine, int(CGROUP_LIMIT.read_text()))
    return machine >> 20


def portions(cut: Iterable[list[Page]], make: Make, jobs: int) -> Iterator[Portion]:
    """What `make` makes of each portion of pages. The first is made here: most runs have no second."""
    waiting = iter(cut)
    for pages in waiting:
        yield make(pages)
        break
    if jobs == 1:
        yield from map(make, waiting)
        return
    with Team(make, jobs) as team:
        for pages in waiting:
            if all(page.is_deferred for page in pages):
                if team.is_busy:
                    found = team.receive()
                    team.send(pages)
                    yield found
                else:
                    team.send(pages)
            else:
                yield from team.rest()
                yield make(pages)
        yield from team.rest()


class Team:
    """Workers that are started as they are needed, and end with the context."""

    def __init__(self, make: Make, jobs: int) -> None:
        self._make = make
        self._jobs = jobs
        self._workers: list[tuple[BaseProcess, Connection]] = []
        self._idle: deque[Connection] = deque()
        self._busy: deque[Connection] = deque()  # in the order of their portions

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_error: object) -> None:
        for process, pipe in self._workers:
            pipe.close()
            process.terminate()
        for process, _ in self._workers:
            process.join()

    @property
    def is_busy(self) -> bool:
        """Has every worker a portion?"""
        return len(self._busy) == self._jobs

    def send(self, pages: list[Page]) -> None:
        """Give the pages to a worker that has none."""
        if not self._idle:
            self._start()
        pipe = self._idle.popleft()
        pipe.send_bytes(pickle.dumps([(page.origin, page.line) for page in pages], protocol=5))
        self._busy.append(pipe)

    def receive(self) -> Portion:
        """The oldest portion that is out. Raises what `make` has raised."""
        pipe = self._busy.popleft()
        try:
            found = pickle.loads(pipe.recv_bytes())  # noqa: S301 (our own process)
        except EOFError:
            raise RuntimeError("a worker has ended without an answer (out of memory?); --jobs 1 needs less") from None
        self._idle.append(pipe)
        if isinstance(found, BaseException):
            raise found
        portion: Portion = found
        return portion

    def rest(self) -> Iterator[Portion]:
        """All portions that are out, in their order."""
        while self._busy:
            yield self.receive()

    def _start(self) -> None:
        fork = multiprocessing.get_context("fork")  # what is imported is shared, and costs nothing again
        ours, its = fork.Pipe()
        others = [pipe for _, pipe in self._workers]
        process = fork.Process(target=work, args=(its, [ours, *others], self._make), daemon=True)
        process.start()
        its.close()
        self._workers.append((process, ours))
        self._idle.append(ours)


def work(pipe: Connection, inherited: list[Connection], make: Make) -> None:
    """A worker's life: lines in, a portion out, until the pipe is closed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of them: the parent ends its workers
    for other in inherited:
        other.close()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            lines = pickle.loads(pipe.recv_bytes())  # noqa: S301 (our own process)
            try:
                found: Portion | Exception = make(
                    [Page([], line=line, origin=origin, is_deferred=True) for origin, line in lines]
                )
            except Exception as error:
                found = error
            del lines
            pipe.send_bytes(pickle.dumps(found, protocol=5))
