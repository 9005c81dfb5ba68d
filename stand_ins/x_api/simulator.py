"""The state of a running simulator: who may call, what was called, what it cost, what goes wrong next."""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .auth import Authenticator, Credentials
from .faults import Faults
from .meters import Bill, RateLimiter


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """`status` 0: the connection was closed without an answer; `fault`: what spoiled the answer."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class RecordedPage:
    """An answer to give as it was recorded."""

    body: Any
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def recorded_page(page: Any) -> RecordedPage:
    """A bare response body, or a recording with `status`, `body` and perhaps `headers` around it."""
    if isinstance(page, dict) and "body" in page and "status" in page:
        kept = [(k, str(v)) for k, v in page.get("headers", {}).items() if k.lower().startswith("x-")]
        return RecordedPage(page["body"], int(page["status"]), tuple(kept))
    return RecordedPage(page)


class Simulator:
    """One per server. `now` may be set to a fixed moment (UTC); None means the real clock."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self.credentials = credentials or Credentials()
        self.authenticator = Authenticator(self.credentials)
        self.faults = Faults()
        self.reset()

    def reset(self) -> None:
        """As freshly started, with the same credentials."""
        self.now: datetime | None = None
        self.token_epoch = 0
        self.pay_per_use = False  # usage/tweets says 0 and names no days, as it did to such apps in 2026
        self.credit_usd: float | None = None  # what usage/credits says; None: 404 without a body, as to many apps
        self.requests: list[ReceivedRequest] = []
        self.bill = Bill()
        self.limiter = RateLimiter()
        self.recorded: deque[RecordedPage] | None = None
        self.faults.clear()
        self.authenticator.reset()

    def clock(self) -> datetime:
        return self.now or datetime.now(UTC)

    def replay(self, pages: Iterable[Any]) -> None:
        """Answer every request for a page of posts with these, in order, then with empty pages, until `reset`."""
        self.recorded = deque(recorded_page(page) for page in pages)

    def as_json(self) -> dict[str, Any]:
        return {
            **self.bill.as_json(),
            "now": self.clock().isoformat(timespec="seconds"),
            "pay_per_use": self.pay_per_use,
            "credit_usd": self.credit_usd,
            "requests": [asdict(request) for request in self.requests],
            "faults": self.faults.as_json(),
            "recorded_pages_left": len(self.recorded) if self.recorded is not None else None,
        }
