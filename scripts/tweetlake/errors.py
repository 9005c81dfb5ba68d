"""Every way a run can end, each with its own exit code and three sentences: what happened, what was kept, what next."""

from __future__ import annotations

from datetime import UTC, datetime

# Shown by --help. 99 is never used: Airflow's BashOperator reads it as "skipped".
EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "done"),
    (1, "a fault in this program (please report it)"),
    (2, "usage: a wrong option or setting, more than the endpoint gives, or a richer or another source's day is there"),
    (3, "credentials: missing, refused (401) or not enrolled (403)"),
    (4, "out of credits, or a spending limit or monthly cap is reached"),
    (5, "rate-limited for longer than this run may wait; the message says until when"),
    (6, "X is unavailable: server errors, hangs or broken answers, after retries"),
    (7, "the bucket or folder is unavailable"),
    (8, "bad data: too many rejected rows, an answer of errors only, nothing readable"),
    (9, "budget: --max-cost or the budget of the month doesn't allow the next request"),
    (10, "this machine's disk is full"),
)


class EtlError(Exception):
    """A run that can't go on. `hint` is the next step for the reader, `kept` what isn't lost."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", kept: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kept = kept

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.kept, self.hint) if part)


class UsageError(EtlError):
    """An option or a setting is wrong."""

    exit_code = 2


class StaleTokenError(UsageError):
    """X doesn't know the token of the next page any more ("may expire after some time", fundamentals/pagination)."""


class CredentialsError(EtlError):
    """X doesn't accept who we say we are."""

    exit_code = 3


class CreditsError(EtlError):
    """X wants money first, or a cap is reached. Never retried."""

    exit_code = 4


class BudgetError(EtlError):
    """The next request could cost more than the user allows, so it isn't sent."""

    exit_code = 9


class RateLimitedError(EtlError):
    """X says "later", and later is after this run's deadline (or X names no time)."""

    exit_code = 5

    def __init__(self, message: str, *, retry_at: datetime | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_at = retry_at.astimezone(UTC) if retry_at else None


class XUnavailableError(EtlError):
    """Server errors, resets, hangs or unreadable answers, still there after the retries."""

    exit_code = 6


class DestinationError(EtlError):
    """The bucket (or folder) can't be read or written."""

    exit_code = 7


class BadDataError(EtlError):
    """What came can't be trusted or isn't there."""

    exit_code = 8


class GoneError(BadDataError):
    """X shows the account's posts no more: it is protected, suspended or deleted."""


class DiskFullError(EtlError):
    """This machine's disk is full: room may be made before the next try."""

    exit_code = 10


class Stopped(KeyboardInterrupt):
    """Raised where a signal hits. Not an Exception: botocore would try again, pandera would blame the data."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


class StoppedError(EtlError):
    """SIGTERM or Ctrl-C, told like every other end. The shell's own codes (128 + signal), so that nobody takes it for a
    failure of the data."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("Stopped by a signal.", hint="Run it again: it goes on from the last page.")
        self.exit_code = 128 + signal_number
