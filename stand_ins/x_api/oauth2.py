"""OAuth 2.0 user tokens (PKCE): POST /2/oauth2/token, refresh tokens that work once, access tokens of two hours.

The authorization itself (a browser) isn't simulated: the first refresh token is there from the start.
"""

import base64
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .errors import ApiError

ACCESS_TOKEN_SECONDS = 7200


@dataclass
class Tokens:
    """What the user has authorized. `secret` empty: a public client."""

    client_id: str
    secret: str
    first_refresh_token: str
    refreshes: int = 0
    delay_seconds: float = 0.0  # between voiding the old pair and answering with the new one
    has_grace: bool = False  # an old refresh token works once more, until the new one is used
    _refresh_token: str = ""
    _old_refresh_token: str = ""
    _access: dict[str, float] = field(default_factory=dict)  # token -> when it ends, in seconds since 1970
    _numbers: Any = field(default_factory=lambda: count(1))

    def reset(self) -> None:
        """As just authorized."""
        self.refreshes = 0
        self.delay_seconds = 0.0
        self.has_grace = False
        self._old_refresh_token = ""
        self._refresh_token = self.first_refresh_token
        self._access.clear()

    def is_good(self, access_token: str) -> bool:
        return self._access.get(access_token, 0.0) > time.time()

    def expire(self) -> None:
        """End every access token now; refresh tokens stay."""
        self._access.clear()

    def revoke(self) -> None:
        """The user takes the authorization back."""
        self._access.clear()
        self._refresh_token = ""

    def exchange(self, form: Mapping[str, str], authorization: str) -> dict[str, Any]:
        """The answer to a refresh: a new pair. The old refresh token is void from now on; so is the access token."""
        if self.secret:
            expected = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            if not hmac.compare_digest(authorization.encode(), f"Basic {expected}".encode()):
                raise refused(401, "unauthorized_client", "Missing valid authorization header")
        elif form.get("client_id") != self.client_id:
            raise refused(400, "invalid_request", "Value passed for the client_id was invalid.")
        if form.get("grant_type") != "refresh_token":
            raise refused(400, "unsupported_grant_type", "Value passed for the grant_type was invalid.")
        token = form.get("refresh_token", "")
        good = [self._refresh_token, self._old_refresh_token if self.has_grace else ""]
        if not token or not any(hmac.compare_digest(token.encode(), each.encode()) for each in good):
            raise refused(400, "invalid_request", "Value passed for the token was invalid.")
        number = next(self._numbers)
        self._access.clear()
        self._access[f"simulated-oauth2-access-{number}"] = time.time() + ACCESS_TOKEN_SECONDS
        self._old_refresh_token = self._refresh_token
        self._refresh_token = f"simulated-oauth2-refresh-{number}"
        self.refreshes += 1
        return {
            "token_type": "bearer",
            "expires_in": ACCESS_TOKEN_SECONDS,
            "access_token": f"simulated-oauth2-access-{number}",
            "scope": "tweet.read users.read offline.access",
            "refresh_token": self._refresh_token,
        }


def refused(status: int, error: str, description: str) -> ApiError:
    """RFC 6749 errors, in X's words."""
    return ApiError(status, {"error": error, "error_description": description})
