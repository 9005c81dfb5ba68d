"""The X API simulator as tests see it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from stand_ins.x_api.faults import Fault
from stand_ins.x_api.simulator import ReceivedRequest, Simulator


class XApi:
    """What a test sees of the simulator."""

    def __init__(self, simulator: Simulator, base_url: str) -> None:
        self._simulator = simulator
        self.base_url = base_url
        credentials = simulator.credentials
        self.bearer_token = credentials.bearer_token
        self.consumer_key = credentials.consumer_key
        self.consumer_secret = credentials.consumer_secret
        self.access_token = credentials.access_token
        self.access_token_secret = credentials.access_token_secret
        self.oauth2_env = {
            "X_OAUTH2_CLIENT_ID": credentials.oauth2_client_id,
            "X_OAUTH2_CLIENT_SECRET": credentials.oauth2_client_secret,
            "X_OAUTH2_REFRESH_TOKEN": credentials.oauth2_refresh_token,
        }

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Requests received so far: method, path, query, status (0: connection closed without an answer)."""
        return list(self._simulator.requests)

    @property
    def billed_posts(self) -> int:
        """Posts charged so far; the same post counts once per UTC day."""
        return self._simulator.bill.posts

    @property
    def cost_usd(self) -> float:
        return self._simulator.bill.cost_usd

    @property
    def refreshes(self) -> int:
        """How many pairs of OAuth 2.0 tokens were given out."""
        return self._simulator.authenticator.tokens.refreshes

    def expire_access_tokens(self) -> None:
        """The two hours of every OAuth 2.0 access token are over."""
        self._simulator.authenticator.tokens.expire()

    def revoke_authorization(self) -> None:
        """The user takes back what was authorized by OAuth 2.0."""
        self._simulator.authenticator.tokens.revoke()

    def void_page_tokens(self) -> None:
        """X forgets every page token it has given out."""
        self._simulator.token_epoch += 1

    def pay_per_use(self, credit_usd: float | None = None) -> None:
        """usage/tweets as such apps see it; `credit_usd`: what usage/credits says, None: 404."""
        self._simulator.pay_per_use, self._simulator.credit_usd = True, credit_usd

    def fault(
        self, name: str, count: int = 1, path: str | None = None, seconds: float | None = None, after: int = 0
    ) -> None:
        """Spoil `count` requests (whose path contains `path`), `after` so many; names and `seconds`: faults.HELP."""
        self._simulator.faults.arm(Fault(name, count, path, seconds, after))

    def set_now(self, moment: datetime | str) -> None:
        """Stop the simulator's clock there: makes old days reachable for timelines and recent search."""
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        self._simulator.now = moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def replay(self, pages: Iterable[Any]) -> None:
        """Answer requests for posts with these recorded pages in order, then with empty pages."""
        self._simulator.replay(pages)

    def reset(self) -> None:
        """Forget requests, bill, faults, recorded pages and a stopped clock."""
        self._simulator.reset()
