"""Faults by name: each is armed for a number of requests and then gone."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import errors
from .errors import ApiError
from .meters import rate_headers

STATUS_FAULTS: dict[str, Callable[[], ApiError]] = {
    "rate_limit_no_reset": errors.rate_limit_no_reset,
    "usage_capped": errors.usage_capped,
    "credits_depleted": errors.credits_depleted,
    "payment_required": errors.payment_required,
    "spend_cap": errors.spend_cap,
    "not_enrolled": errors.not_enrolled,
    "unauthorized": errors.unauthorized,
    "not_found": errors.not_found,
    "expired_token": errors.expired_token,
    "forbidden": errors.forbidden,
    "internal_error": errors.internal_error,
    "server_error": errors.server_error,
    "bad_gateway_html": errors.bad_gateway_html,
}
HELP = {
    "rate_limit": "429 with x-rate-limit-reset SECONDS ahead (2)",
    "rate_limit_no_reset": "429, code 88, nothing says when to come back",
    "rate_limit_24h": "429 with x-app-limit-24hour-* headers, reset SECONDS ahead (86400)",
    "one_a_second": "429 of the archive's one request a second: the reset of the 15 minutes, requests left",
    "usage_capped": "429 UsageCapExceeded (monthly cap)",
    "credits_depleted": "402 CreditsDepleted (shape until June 2026)",
    "payment_required": "402 Payment Required (shape since July 2026)",
    "spend_cap": "403 SpendCapReached",
    "not_enrolled": "403 client-not-enrolled",
    "forbidden": "403 without a reason of its own",
    "unauthorized": "401",
    "expired_token": "400: the page token isn't valid any more",
    "not_found": "404 without a body",
    "internal_error": "500 as JSON",
    "server_error": "503 as JSON",
    "bad_gateway_html": "502 as HTML",
    "hang": "no answer for SECONDS (60), then the connection closes",
    "reset": "the connection is dropped without an answer",
    "cut_body": "200, but the connection closes in the middle of the body",
    "reset_body": "200, but the connection is reset in the middle of the body",
    "hang_body": "200, but nothing follows the first half of the body for SECONDS (60)",
    "invalid_json": "200 with a complete body that is not JSON",
    "errors_only": "200 with nothing but `errors`: the account is suspended",
    "protected": "200 with nothing but `errors`: the account is protected",
    "deleted": "200 with nothing but `errors`: the account doesn't exist",
    "repeated_token": "a page whose next_token leads to the same page again",
    "empty_page": "a page without posts but with a next_token (the posts follow)",
}
DEFAULT_SECONDS = {"rate_limit": 2.0, "rate_limit_24h": 86_400.0, "hang": 60.0, "hang_body": 60.0}
PAGE_FAULTS = frozenset({"repeated_token", "empty_page"})
"""These wait for a request that returns a page of posts."""


@dataclass(slots=True)
class Fault:
    """`count` requests are left to spoil; `path`: only those whose path contains it; `seconds`: see HELP; `after`: so
    many of them pass first."""

    name: str
    count: int = 1
    path: str | None = None
    seconds: float | None = None
    after: int = 0

    def __post_init__(self) -> None:
        if self.name not in HELP:
            raise ValueError(f"unknown fault {self.name!r}; known: {', '.join(HELP)}")
        if self.count < 1:
            raise ValueError(f"fault {self.name}: the count must be 1 or more, not {self.count}")
        if self.seconds is None:
            self.seconds = DEFAULT_SECONDS.get(self.name, 0.0)


class Faults:
    """The armed faults, oldest first; `fired` has the names of those that spoiled a request."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self.fired: list[str] = []

    def arm(self, fault: Fault) -> None:
        self._armed.append(fault)

    def clear(self) -> None:
        self._armed.clear()
        self.fired.clear()

    def take(self, path: str, *, is_page: bool) -> Fault | None:
        """The fault for this request, if one is armed for it; uses it up by one."""
        for fault in self._armed:
            if (fault.path is None or fault.path in path) and (is_page or fault.name not in PAGE_FAULTS):
                if fault.after:
                    fault.after -= 1
                    continue
                self.fired.append(fault.name)
                fault.count -= 1
                if fault.count == 0:
                    self._armed.remove(fault)
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._armed]


def status_error(fault: Fault, headers: Mapping[str, str]) -> ApiError | None:
    """The error answer of this fault, or None if the fault spoils a good answer; `headers` are the usual rate ones."""
    now, seconds = time.time(), fault.seconds or 0.0
    if fault.name == "rate_limit":
        limit = int(headers["x-rate-limit-limit"])
        return errors.too_many_requests(rate_headers(limit, 0, now + seconds))
    if fault.name == "rate_limit_24h":
        return errors.too_many_requests({**headers, **rate_headers(1000, 0, now + seconds, "x-app-limit-24hour")})
    if fault.name == "one_a_second":
        return errors.too_many_requests(headers)
    if fault.name in STATUS_FAULTS:
        error = STATUS_FAULTS[fault.name]()
        if error.status in (400, 403):
            error.headers.update(headers)
        return error
    return None
