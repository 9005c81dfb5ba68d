"""Who is asking: an app (bearer token) or a user (OAuth 2.0, or 1.0a with its signature verified by oauthlib)."""

import hmac
from dataclasses import dataclass
from typing import Any

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, RequestValidator, SignatureOnlyEndpoint
from starlette.requests import Request

from .errors import unauthorized
from .oauth2 import Tokens
from .world import account_named

OWNER = account_named("lakekeeper")
"""The account that owns the simulated app: reading its own timeline as itself costs a fifth."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Fixed and obviously not real."""

    bearer_token: str = "simulated-bearer-token"
    consumer_key: str = "simulated-consumer-key"
    consumer_secret: str = "simulated-consumer-secret"
    # X puts the user's id in front of an access token.
    access_token: str = f"{OWNER.id}-simulated-access-token"
    access_token_secret: str = "simulated-access-token-secret"
    oauth2_client_id: str = "simulated-oauth2-client"
    oauth2_client_secret: str = "simulated-oauth2-secret"  # empty: a public client
    oauth2_refresh_token: str = "simulated-oauth2-refresh-0"


@dataclass(frozen=True, slots=True)
class Caller:
    """`kind` is `app` (bearer) or `user`; `user_id` only for a user; `auth` in X's words."""

    kind: str
    user_id: str | None = None
    auth: str = "OAuth 2.0 Application-Only"


class _Validator(RequestValidator):  # type: ignore[misc]  # oauthlib has no types
    """What oauthlib asks about: one client, one access token, each nonce once."""

    allowed_signature_methods = (SIGNATURE_HMAC_SHA1,)
    enforce_ssl = False  # the simulator listens on loopback without TLS
    timestamp_lifetime = 300  # seconds of clock difference; X refuses more than about five minutes
    nonce_length = 8, 64
    dummy_client = "no-such-client"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self.credentials = credentials
        self.seen: set[tuple[str, str]] = set()

    def check_client_key(self, client_key: str) -> bool:
        return bool(client_key)

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: Any, **_tokens: Any
    ) -> bool:
        fresh = (timestamp, nonce) not in self.seen
        self.seen.add((timestamp, nonce))
        return fresh

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return hmac.compare_digest(client_key.encode(), self.credentials.consumer_key.encode())

    def get_client_secret(self, client_key: str, request: Any) -> str:
        known = client_key == self.credentials.consumer_key
        return self.credentials.consumer_secret if known else "no-such-secret"

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        known = token == self.credentials.access_token
        return self.credentials.access_token_secret if known else "no-such-secret"


class Authenticator:
    """Checks the Authorization header of each request."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._validator = _Validator(credentials)
        self._oauth1 = SignatureOnlyEndpoint(self._validator)
        self.tokens = Tokens(
            credentials.oauth2_client_id, credentials.oauth2_client_secret, credentials.oauth2_refresh_token
        )

    def reset(self) -> None:
        """Forget nonces and tokens."""
        self._validator.seen.clear()
        self.tokens.reset()

    def caller(self, request: Request) -> Caller:
        """The caller, or a 401 that says no more than X does."""
        header = request.headers.get("authorization", "")
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            if hmac.compare_digest(value.strip().encode(), self.credentials.bearer_token.encode()):
                return Caller("app")
            if self.tokens.is_good(value.strip()):  # the owner of the app has authorized it
                return Caller("user", OWNER.id, "OAuth 2.0 User Context")
        elif scheme.lower() == "oauth":
            valid, signed = self._verify(request)
            if valid and signed.resource_owner_key == self.credentials.access_token:
                return Caller("user", self.credentials.access_token.partition("-")[0], "OAuth 1.0a User Context")
        raise unauthorized()

    def _verify(self, request: Request) -> tuple[bool, Any]:
        # The signature covers the address as the client wrote it: its host, its path, its query.
        try:
            verdict: tuple[bool, Any] = self._oauth1.validate_request(
                str(request.url), request.method, "", dict(request.headers)
            )
        except ValueError:  # a header without a single name="value"
            return False, None
        return verdict
