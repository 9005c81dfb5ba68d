"""What a person sees while pages come: a live line on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from ..raw import Page
from .prices import Spend

log = logging.getLogger(__name__)

LOG_EVERY_SECONDS = 10.0


class Progress(AbstractContextManager["Progress"]):
    """Counts pages and posts of one window. `label` names it."""

    def __init__(self, label: str, spend: Spend) -> None:
        self.label = label
        self.spend = spend
        self.pages = 0
        self.posts = 0
        self.oldest = "-"
        self._status: Any = None
        self._logged_at = time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console  # 90 ms, which a run without a terminal needn't spend

            self._status = Console(stderr=True).status(self._line())
            self._status.start()
            write_log_to(sys.stderr)  # rich has put itself there, to keep log lines apart from the live one
        return self

    def page(self, page: Page) -> None:
        """One more page."""
        self.pages += 1
        self.posts += len(page.posts)
        times = [moment for post in page.posts if isinstance(moment := post.get("created_at"), str)]
        self.oldest = min(times, default=self.oldest)
        if self._status is not None:
            self._status.update(self._line())
        elif time.monotonic() - self._logged_at >= LOG_EVERY_SECONDS:
            self._logged_at = time.monotonic()
            log.info(self._line())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
            write_log_to(sys.stderr)
        log.info(self._line())

    def _line(self) -> str:
        return (
            f"{self.label}: {self.pages} page{'s' * (self.pages != 1)}, {self.posts} posts, back to {self.oldest}, "
            f"{self.spend.cost_usd:.3f} USD so far"
        )


def write_log_to(stream: Any) -> None:
    """Log handlers keep the stream they began with; this one replaces it."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)
