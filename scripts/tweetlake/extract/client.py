"""tweepy's client with what a nightly job needs: a base address, timeouts, bounded retries, bounded waiting, and
errors that name the next step.

tweepy 4.17 has its host fixed in `request()`, passes no timeout, retries no 5xx, and with wait_on_rate_limit sleeps a
24 h reset through and repeats a 429 without a reset time without end. So `request()` is replaced, nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
import tenacity
import tweepy

from ..errors import RateLimitedError, UsageError, XUnavailableError
from ..proxies import proxy_for
from ..raw import JsonObject, parse_json
from ..settings import Settings
from ..times import utc_now
from .clock import XClock
from .endpoints import ARCHIVE, TIMELINE
from .oauth2 import Tokens
from .prices import Spend
from .refusals import NEVER_SENT, body_of, classify, is_plain_http, proxy_reason, reason_of, untrusted
from .window import Window

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 10.0
ATTEMPTS = 5  # for server errors; 2 for 401 (X had a platform-wide 401 outage on 2026-06-30)
MAX_PAUSE_SECONDS = 60.0
RATE_LIMIT_WAITS = 10  # in a row, for one request: two runs may be in each other's way in the archive
ARCHIVE_ROUTE = "/2/tweets/search/all"
ARCHIVE_PAUSE_SECONDS = 1.0  # it takes one request a second
TOKEN_ROUTE = "/2/oauth2/token"  # noqa: S105 (an address)


class TransientError(Exception):
    """Worth another try. `hint`: the next step when none helps; "": the usual one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Question:
    """A request, as tweepy hands it on. `user_auth`: sign it with OAuth 1.0a."""

    method: str
    route: str
    params: dict[str, Any] | None
    json: Any
    user_auth: bool


class XClient(tweepy.Client):  # type: ignore[misc]
    """tweepy.Client that talks to `settings.base_url` within `deadline`.

    `deadline`: of the clock `time.monotonic`; no sleep goes beyond it. `sleep` is a parameter for tests.
    """

    def __init__(
        self, settings: Settings, spend: Spend, deadline: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        credentials = settings.credentials
        super().__init__(
            bearer_token=credentials.bearer_token,
            consumer_key=credentials.consumer_key,
            consumer_secret=credentials.consumer_secret,
            access_token=credentials.access_token,
            access_token_secret=credentials.access_token_secret,
            return_type=requests.Response,
        )
        self.base_url = settings.base_url
        self.proxy = proxy_for(self.base_url, or_all=True)
        if self.proxy:
            self.proxy.check("X", UsageError)
        self.signs = credentials.signs
        self.oauth2 = (credentials.oauth2_client_id or "", credentials.oauth2_client_secret)
        self.tokens: Tokens | None = None
        if credentials.user_context and not self.signs:
            client_id, first = credentials.oauth2_client_id or "", credentials.oauth2_refresh_token or ""
            self.tokens = Tokens(settings.state_dir, client_id, first, self._exchange)
        self.clock = XClock()
        self._refused_token: str | None = None
        self._archive_asked_at = -ARCHIVE_PAUSE_SECONDS  # of the clock `time.monotonic`
        self.maybe_billed = False  # was an answer of the last request lost on its way? X may have billed it
        self.spend = spend
        self.deadline = deadline
        self.timeout_seconds = settings.timeout_seconds
        self.retry_seconds = settings.retry_seconds
        self.sleep = sleep

    def request(
        self,
        method: str,
        route: str,
        params: dict[str, Any] | None = None,
        json: Any = None,
        user_auth: bool = False,
    ) -> requests.Response:
        """One answered request: HTTP 200 with a JSON object, or an EtlError.

        Server errors, resets, hangs and broken bodies are tried again; a rate limit is waited for if the deadline
        allows; all else ends here.
        """
        self.maybe_billed = False
        for _ in range(RATE_LIMIT_WAITS):
            response = self._answer(Question(method, route, params, json, user_auth))
            if response.status_code == 200:
                return response
            error = classify(response)
            if not isinstance(error, RateLimitedError) or error.retry_at is None:
                raise error
            wait_seconds = max(1.0, error.retry_at.timestamp() - time.time() + 1)
            if time.monotonic() + wait_seconds > self.deadline:
                raise error
            log.warning("Rate limit reached; waiting %.0f s, until %s.", wait_seconds, error.retry_at)
            self.sleep(wait_seconds)
        raise error

    def posts(self, window: Window, user_id: str | None, parameters: dict[str, Any]) -> JsonObject:
        """One page of posts, without the kinds that aren't wanted. `user_id`: of a timeline's account."""
        if window.endpoint is TIMELINE:
            exclude = {"exclude": window.excluded} if window.excluded else {}
            return json_of(self.get_users_tweets(user_id, user_auth=self.signs, **parameters, **exclude))
        if window.endpoint is ARCHIVE:
            return json_of(self.search_all_tweets(window.query, **parameters))
        return json_of(self.search_recent_tweets(window.query, user_auth=self.signs, **parameters))

    def user(self, **parameters: Any) -> JsonObject:
        """The answer to a look-up, by `id` or `username`."""
        return json_of(self.get_user(user_auth=self.signs, **parameters))

    def _answer(self, question: Question) -> requests.Response:
        """Send until the answer isn't a passing fault, within ATTEMPTS and the deadline."""
        attempts = tenacity.stop_after_attempt(ATTEMPTS)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_exponential_jitter(
                initial=self.retry_seconds, max=MAX_PAUSE_SECONDS, jitter=self.retry_seconds
            ),
            stop=lambda state: attempts(state) or self._too_late(state),
            before_sleep=self._say_retry,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            response: requests.Response = retrying(self._send, question, retrying)
            return response
        except TransientError as error:
            tries = retrying.statistics.get("attempt_number", 1)
            raise XUnavailableError(
                f"X didn't answer {question.route} properly: {error} ({tries} tries).",
                hint=error.hint
                or f"See https://docs.x.com/status, and X_API_BASE_URL ({self.base_url}); then run it again.",
            ) from None

    def _send(self, question: Question, retrying: tenacity.Retrying) -> requests.Response:
        # As `auth`, not as a header: requests would replace a header by what ~/.netrc says.
        token: str | None = None
        if question.user_auth:
            auth = tweepy.OAuth1UserHandler(
                self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret
            ).apply_auth()
        else:
            token = self.tokens.access_token(self._refused_token) if self.tokens else self.bearer_token
            auth = tweepy.OAuth2BearerHandler(token).apply_auth()
        self.spend.requests += 1
        with self._pace(question.route):
            response = self._transfer(question.method, question.route, auth, params=question.params, json=question.json)
        status = response.status_code
        attempt = int(retrying.statistics.get("attempt_number", 1))
        if status == 401 and self.tokens:
            self._refused_token = token  # the next try gets another one
        if status >= 500 or status == 404 or (status == 401 and attempt < 2):
            # 404: X answers unknown users with 200; for 8 h in 2025-09 every timeline was 404.
            raise TransientError(f"HTTP {status} {response.reason or ''}".rstrip())
        if status == 200 and body_of(response) is None:
            self.maybe_billed = True
            raise TransientError("the answer isn't JSON")
        return response

    @contextlib.contextmanager
    def _pace(self, route: str) -> Iterator[None]:
        """Ask the archive inside: a second has passed since the last answer, of a page, a day or a try before."""
        if route != ARCHIVE_ROUTE:
            yield
            return
        self.sleep(max(0.0, self._archive_asked_at + ARCHIVE_PAUSE_SECONDS - time.monotonic()))
        try:
            yield
        finally:
            self._archive_asked_at = time.monotonic()

    def _transfer(self, method: str, route: str, auth: Any, **content: Any) -> requests.Response:
        """Send once and read the whole answer, whatever it says. Raises TransientError when none comes."""
        lost_before, self.maybe_billed = self.maybe_billed, True  # also if a signal ends it here
        sent_at = utc_now()
        try:
            # A redirect would carry the token elsewhere (and break a signature), so it's an error later on.
            response: requests.Response = self.session.request(
                method,
                self.base_url + route,
                headers={"User-Agent": self.user_agent},
                auth=auth,
                timeout=(min(CONNECT_TIMEOUT_SECONDS, self.timeout_seconds), self.timeout_seconds),
                allow_redirects=False,
                stream=True,
                **content,
            )
            with response:
                response._content = self._body(response)
            if "Age" not in response.headers:  # else it comes from a cache
                self.clock.note(response.headers.get("Date"), sent_at)
            self.maybe_billed = lost_before
            return response
        except requests.exceptions.ProxyError as error:  # the proxy hasn't opened the way: nothing was sent to X
            self.maybe_billed = lost_before
            if is_plain_http(error) or not self.proxy:
                raise untrusted(error, self.base_url, self.proxy) from None
            raise TransientError(f"{self.proxy}: {proxy_reason(error)}", self.proxy.dead_hint("X")) from None
        except requests.exceptions.SSLError as error:
            self.maybe_billed = lost_before
            raise untrusted(error, self.base_url, self.proxy) from None
        except requests.exceptions.ConnectTimeout:
            self.maybe_billed = lost_before
            raise TransientError(f"no connection within {self.timeout_seconds:g} s") from None
        except requests.exceptions.Timeout:
            raise TransientError(f"no answer within {self.timeout_seconds:g} s") from None
        except requests.exceptions.RequestException as error:
            reason = reason_of(error)
            self.maybe_billed = lost_before or reason not in NEVER_SENT
            raise TransientError(reason) from None
        except OSError as error:  # of a local file: requests looks for the CA bundle only now
            self.maybe_billed = lost_before
            raise UsageError(
                f"X can't be asked: {error}.", hint="Correct REQUESTS_CA_BUNDLE (or SSL_CERT_FILE)."
            ) from None

    def _exchange(self, form: dict[str, str]) -> tuple[int, JsonObject]:
        """Send a refresh token. Raises TransientError for what may pass, so that the whole request is tried again."""
        client_id, secret = self.oauth2
        if secret:  # a confidential client
            auth: Any = requests.auth.HTTPBasicAuth(client_id, secret)
        else:
            auth, form = (lambda request: request), {**form, "client_id": client_id}
        response = self._transfer("POST", TOKEN_ROUTE, auth, data=form)
        if response.status_code >= 500 or response.status_code == 404:
            raise TransientError(f"HTTP {response.status_code} from {TOKEN_ROUTE}")
        if response.status_code == 429:
            raise classify(response)
        body = body_of(response)
        if response.status_code == 200 and body is None:
            raise TransientError(f"the answer of {TOKEN_ROUTE} isn't JSON")
        return response.status_code, body or {}

    def posts_this_month(self) -> int | None:
        """What X has counted for the app's project in this calendar month (UTC), of all its programs; None if it
        doesn't say. Neither usage/tweets nor usage/credits has a price; they are asked with a bearer token.

        A pay-per-use app got `project_usage` 0 and no days after 50 posts were read (2026-09): that is no count.
        """
        if not self.bearer_token:
            return None
        today = datetime.now(UTC).date()
        usage = self._ask_free("/2/usage/tweets", {"days": today.day, "usage.fields": "daily_project_usage"})
        try:
            days = usage["daily_project_usage"]["usage"]
            return sum(int(day["usage"]) for day in days if str(day["date"]).startswith(f"{today:%Y-%m}"))
        except (KeyError, TypeError, ValueError):
            log.warning(
                "X doesn't say how many posts were read this month (to pay-per-use apps it never did): the budget goes "
                "by the ledger alone, so what other hosts and programs read isn't in it."
            )
        left_usd = self._ask_free("/2/usage/credits", {}).get("total_balance")
        if isinstance(left_usd, int | float):
            log.info("By X's count, a credit of %.2f USD is left.", left_usd)
        return None

    def _ask_free(self, route: str, parameters: dict[str, Any]) -> JsonObject:
        """The `data` of an answer that X doesn't bill, asked once; empty when there is none."""
        self.spend.requests += 1
        try:
            auth = tweepy.OAuth2BearerHandler(self.bearer_token).apply_auth()
            response = self._transfer("GET", route, auth, params=parameters)
        except (TransientError, XUnavailableError):
            return {}
        data = (body_of(response) or {}).get("data") if response.status_code == 200 else None
        return data if isinstance(data, dict) else {}

    def _body(self, response: requests.Response) -> bytes:
        """The whole body. requests' timeout is per read, so a server that drips would hold us without this."""
        latest = time.monotonic() + self.timeout_seconds
        parts = []
        for part in response.iter_content(65536):
            parts.append(part)
            if time.monotonic() > latest:
                raise requests.exceptions.ReadTimeout("body")
        return b"".join(parts)

    def _too_late(self, state: tenacity.RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep > self.deadline

    def _say_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("%s; trying again in %.1f s.", error, state.upcoming_sleep)


def json_of(response: Any) -> JsonObject:
    """The body of an answer; `request` has made sure that it's a JSON object."""
    document: JsonObject = parse_json(response.content)
    return document
