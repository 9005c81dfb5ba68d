"""What went wrong when X was asked: answers that refuse, connections that fail, and what to do then."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import requests

from ..errors import (
    CredentialsError,
    CreditsError,
    EtlError,
    RateLimitedError,
    StaleTokenError,
    UsageError,
    XUnavailableError,
)
from ..proxies import Proxy
from ..raw import JsonObject, objects, parse_json

CONSOLE = "https://console.x.com"
NEVER_SENT = ("the host name isn't known", "connection refused")
# What OpenSSL and urllib3 say when the other side answers in plain HTTP (with underscores or spaces).
NO_TLS = ("wrong version number", "http request", "record layer failure", "only use http and not https")
PARAMETER_HINTS = {"query": "Correct --query: this is X's query language.", "start_time": "Correct the dates."}
PARAMETER_HINTS["end_time"] = PARAMETER_HINTS["start_time"]


def reason_of(error: requests.exceptions.RequestException) -> str:
    """A short reason: the texts of requests hold addresses of objects and whole URLs."""
    text = str(error)
    for mark, reason in (
        ("NameResolution", "the host name isn't known"),
        ("refused", "connection refused"),
        ("reset", "connection reset"),
        ("IncompleteRead", "the answer was cut off"),
        ("timed out", "the answer stopped halfway"),
        ("RemoteDisconnected", "the connection was closed without an answer"),
    ):
        if mark.lower() in text.lower():
            return reason
    return type(error).__name__


def proxy_reason(error: requests.exceptions.ProxyError) -> str:
    """What went wrong on the way to the proxy, or what it answered instead of opening the way."""
    answer = re.search(r"Tunnel connection failed: (\d{3} [\w ]*)", str(error))
    return f"it answered {answer[1].strip()}" if answer else reason_of(error)


def is_plain_http(error: requests.exceptions.ConnectionError) -> bool:
    """Did the other side answer without TLS?"""
    return any(mark in str(error).lower().replace("_", " ") for mark in NO_TLS)


def untrusted(error: requests.exceptions.ConnectionError, base_url: str, proxy: Proxy | None) -> EtlError:
    """No TLS with X: a server that speaks plain HTTP won't learn TLS by another try, nor a certificate get better."""
    if is_plain_http(error):
        who, setting = (proxy, proxy.variable) if proxy else (base_url, "X_API_BASE_URL")
        return UsageError(
            f"No TLS with {base_url}: {who} answers in plain HTTP.",
            hint=f"Write http:// instead of https:// in {setting}.",
        )
    return XUnavailableError(
        f"The certificate of {base_url} isn't trusted: {type(error).__name__}.",
        hint="Behind a proxy that inspects TLS, set REQUESTS_CA_BUNDLE to its CA.",
    )


def body_of(response: requests.Response) -> JsonObject | None:
    """The JSON object of an answer, None if it isn't one (HTML, cut, a list)."""
    try:
        document = parse_json(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def classify(response: requests.Response) -> EtlError:
    """What a refused request means and what to do. X changes hosts and words of its problem types
    (api.twitter.com/2/problems/credits, api.x.com/2/problems/credits-depleted): only the last part is looked at."""
    body = body_of(response) or {}
    status = response.status_code
    problem = str(body.get("type") or "").rstrip("/").rsplit("/", 1)[-1].lower()
    title = str(body.get("title") or "")
    said = f"HTTP {status}: {reasons_in(body) or title or response.reason or 'no reason given'}"
    mark = f"{problem} {title}".lower().replace(" ", "")
    if status == 402 or "credits" in mark:
        return CreditsError(f"X wants credits first ({said}).", hint=f"Buy credits at {CONSOLE}, 'Billing'.")
    if "spendcap" in mark or "spend-cap" in mark:
        return CreditsError(
            f"The spending limit of the X account is reached ({said}).",
            hint=f"Raise it at {CONSOLE}, 'Billing', or wait for the next billing cycle.",
        )
    if "usagecap" in mark or "usage-cap" in mark:
        period = str(body.get("period") or "Monthly").lower()
        return CreditsError(f"The {period} cap of posts is used up ({said}).", hint=f"See the usage page of {CONSOLE}.")
    if status == 401:
        return CredentialsError(
            f"X doesn't accept the credentials ({said}).",
            hint=f"Check or regenerate them at {CONSOLE}, 'Keys and tokens'.",
        )
    if status == 403:
        reason = str(body.get("reason") or "")
        page = str(body.get("registration_url") or CONSOLE)
        if reason == "client-not-enrolled":
            return CredentialsError(
                f"The X app isn't enrolled for this endpoint ({said}).", hint=f"Attach it to a project: {page}."
            )
        return CredentialsError(f"X forbids this request ({said}).", hint=f"Check the app's access at {CONSOLE}.")
    if status == 429:
        return rate_limited(response, said)
    if status == 400 and any("token" in name for name in refused_parameters(body)):
        return StaleTokenError(f"X doesn't know the token of the next page any more ({said}).")
    if status == 400:
        hints = [PARAMETER_HINTS[name] for name in refused_parameters(body) if name in PARAMETER_HINTS]
        return UsageError(
            f"X doesn't understand the request ({said}).",
            hint=" ".join(dict.fromkeys(hints)) or "Correct the query or the dates.",
        )
    return XUnavailableError(f"X answered unexpectedly ({said}).", hint="Check X_API_BASE_URL; then run it again.")


def reasons_in(body: JsonObject) -> str:
    """X's own words. The `detail` of a 400 only says that something is wrong: its `errors` say what, and where."""
    said = []
    for error in objects(body.get("errors")):
        parameters = error.get("parameters")
        names = ", ".join(map(str, parameters)) if isinstance(parameters, dict) else ""
        if message := str(error.get("message") or error.get("detail") or "").strip():
            said.append(f"{names}: {message}" if names else message)
    return "; ".join(dict.fromkeys(said)) or str(body.get("detail") or "")


def refused_parameters(body: JsonObject) -> list[str]:
    """The names of the parameters that a 400 complains about."""
    return [
        str(name)
        for error in objects(body.get("errors"))
        if isinstance(parameters := error.get("parameters"), dict)
        for name in parameters
    ]


def rate_limited(response: requests.Response, said: str) -> RateLimitedError:
    """The error with the time of the reset: of the 15-minute window, or of the 24-hour window when that is used up.

    With requests left in the 15 minutes it's the archive's limit of one a second, and the reset that X names isn't the
    one to wait for (twitter-api-typescript-sdk#4).
    """
    left = response.headers.get("x-rate-limit-remaining", "").strip()
    in_a_second = datetime.now(UTC) + timedelta(seconds=1)
    resets = [in_a_second if left.isdecimal() and int(left) else reset_of(response, "x-rate-limit-reset")]
    for who in ("app", "user"):
        if response.headers.get(f"x-{who}-limit-24hour-remaining", "").strip() == "0":
            resets.append(reset_of(response, f"x-{who}-limit-24hour-reset"))
    known = [moment for moment in resets if moment]
    if not known:
        return RateLimitedError(
            f"X limits the rate and doesn't say until when ({said}).", hint="Run it again in 15 minutes."
        )
    until = max(known)
    return RateLimitedError(
        f"Rate-limited until {until:%Y-%m-%d %H:%M:%S} UTC ({said}).", retry_at=until, hint="Run it again after that."
    )


def reset_of(response: requests.Response, header: str) -> datetime | None:
    """A reset header (Unix seconds) as a time; None when it's missing or nonsense."""
    try:
        return datetime.fromtimestamp(int(response.headers.get(header, "")), UTC)
    except (ValueError, OverflowError, OSError):
        return None
