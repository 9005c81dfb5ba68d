"""OAuth 2.0 user context (PKCE): access tokens that live two hours, got with a refresh token that works once.

X answers each refresh with a new pair, and the old refresh token is void from then on. So the pair is on the disk,
fsynced, before it is used, and one process at a time refreshes. Source: docs.x.com, fundamentals/authentication.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CredentialsError
from ..files import disk_error, write_durably
from ..logs import hide

log = logging.getLogger(__name__)

EARLY_SECONDS = 60  # refresh so long before the end
DEFAULT_LIFE_SECONDS = 7200
AUTHORIZE_AGAIN = (
    "Authorize the app once more (with offline.access among its scopes) and put the new refresh token into "
    "X_OAUTH2_REFRESH_TOKEN: it then replaces the stored one."
)

JsonObject = dict[str, Any]
# Sends the form of a refresh, once, and gives (HTTP status, body).
Exchange = Callable[[dict[str, str]], tuple[int, JsonObject]]


@dataclass
class Tokens:
    """The pair in oauth2.json of the state directory. `initial`: X_OAUTH2_REFRESH_TOKEN, used until X rotates it."""

    folder: Path
    client_id: str
    initial: str
    exchange: Exchange
    is_unread: bool = False  # was an answer to a refresh lost on its way? It may have voided the token

    @property
    def path(self) -> Path:
        return self.folder / "oauth2.json"

    def access_token(self, refused: str | None = None) -> str:
        """A token that is still good. `refused`: one that X has just answered 401 to; it isn't given again.

        Raises CredentialsError when X takes the refresh token no more, UsageError when nothing can be stored.
        """
        pair = self._stored()
        if not usable(pair, refused):
            with self._locked():
                pair = self._stored()  # another process may have refreshed meanwhile
                if not usable(pair, refused):
                    pair = self._refresh(str(pair.get("refresh_token") or self.initial))
        return str(pair["access_token"])

    def _refresh(self, refresh_token: str) -> JsonObject:
        with self._writable(), uninterrupted():  # from X's answer to the disk nothing may come between
            lost_before, self.is_unread = self.is_unread, True
            # Lost, it is sent once more with the same token: perhaps X had never read it.
            status, body = self.exchange({"grant_type": "refresh_token", "refresh_token": refresh_token})
            self.is_unread = False
            access, renewed = body.get("access_token"), body.get("refresh_token")
            if status != 200 or not isinstance(access, str) or not access:
                raise self._refused(status, body, lost_before)
            life_seconds = body.get("expires_in")
            pair = {
                "origin": self._origin(),
                "access_token": access,
                # Without offline.access there is no new one; X would say so by refusing the next refresh.
                "refresh_token": renewed if isinstance(renewed, str) and renewed else refresh_token,
                "expires_at": time.time() + (life_seconds if isinstance(life_seconds, int) else DEFAULT_LIFE_SECONDS),
            }
            try:
                write_durably(self.path, pair)
            except OSError as error:
                raise disk_error(f"The token file {self.path}", error) from None
        self._tell(pair)
        log.info("X gave a new access token; the pair is in %s.", self.path)
        return pair

    def _refused(self, status: int, body: JsonObject, lost_before: bool) -> CredentialsError:
        said = str(body.get("error_description") or body.get("error") or body.get("detail") or "no reason given")
        if status == 401 or body.get("error") in ("unauthorized_client", "invalid_client"):
            return CredentialsError(
                f"X doesn't accept the OAuth 2.0 client (HTTP {status}: {said}).",
                hint="Check X_OAUTH2_CLIENT_ID; a confidential client needs X_OAUTH2_CLIENT_SECRET as well.",
            )
        if lost_before:
            return CredentialsError(
                "X's answer to a refresh was lost on its way, perhaps with the new token; the old one was tried once "
                f"more, and X doesn't take it (HTTP {status}: {said}).",
                hint=AUTHORIZE_AGAIN,
            )
        return CredentialsError(
            f"X takes the OAuth 2.0 refresh token no more (HTTP {status}: {said}): it was used elsewhere, revoked, or "
            "is too old.",
            hint=AUTHORIZE_AGAIN,
        )

    def _stored(self) -> JsonObject:
        """The pair on the disk; empty if there is none, or if it descends from another initial token or client."""
        with contextlib.suppress(FileNotFoundError):
            try:
                pair = json.loads(self.path.read_text(encoding="utf-8"))
            except OSError as error:
                if isinstance(error, FileNotFoundError):
                    raise
                raise disk_error(f"The token file {self.path}", error) from None
            except ValueError:
                pair = None
            if isinstance(pair, dict) and pair.get("refresh_token"):
                if pair.get("origin") == self._origin():
                    self._tell(pair)
                    return pair
            else:
                log.warning("%s is damaged; trying X_OAUTH2_REFRESH_TOKEN.", self.path)
        return {}

    def _origin(self) -> str:
        """Names the client and the initial token without giving them away."""
        return hashlib.sha256(f"{self.client_id}\n{self.initial}".encode()).hexdigest()[:16]

    def _tell(self, pair: JsonObject) -> None:
        for name in ("access_token", "refresh_token"):
            hide(str(pair.get(name) or ""))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # dies with its process
                yield
        except OSError as error:
            raise disk_error(f"The state directory {self.folder}", error) from None

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        """Prove that the pair can be stored before X voids the old one: a full disk must not lock the user out."""
        probe = self.path.with_suffix(".probe")
        write_durably(probe, {"padding": "x" * 4096})
        try:
            yield
        finally:
            probe.unlink(missing_ok=True)


def usable(pair: JsonObject, refused: str | None) -> bool:
    """Is its access token there, not refused and not about to end?"""
    ends = pair.get("expires_at")
    fresh = isinstance(ends, int | float) and ends - EARLY_SECONDS > time.time()
    return bool(pair.get("access_token")) and pair.get("access_token") != refused and fresh


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold SIGTERM and SIGINT back until the end of the block. SIGKILL and a loss of power can't be held back."""
    signals = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
