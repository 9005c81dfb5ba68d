"""The routes. Each request takes the same way: fault or 401, rate limit, answer, bill, log."""

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime
from itertools import takewhile
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from . import errors, parameters
from .auth import Caller
from .control import control_routes
from .errors import ApiError, Body
from .faults import Fault, status_error
from .meters import MONTHLY_CAP_POSTS, rate_headers
from .pages import DEFAULT_USER_FIELDS, SCAN_LIMIT, Reading, empty_page, make_page
from .parameters import Window, make_token, read_token, token_scope
from .posts import timestamp, user_body
from .search import Query, parse_query
from .simulator import ReceivedRequest, Simulator
from .vocabulary import POST_FIELDS, TWEET_FIELDS, names
from .world import (
    DAY_MS,
    Account,
    Stub,
    account_named,
    account_with,
    earlier_id,
    id_at,
    oldest_reachable_id,
    stubs_between,
    time_of,
)

DEPTH = 3_200  # a timeline shows so many of the newest posts ...
DEPTH_WITHOUT_REPLIES = 800  # ... and fewer with exclude=replies
SEARCH_DELAY_SECONDS = 30
RECENT = timedelta(days=7)
COUNTS_STEP = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}

EVERY_AUTH = ("OAuth 1.0a User Context", "OAuth 2.0 Application-Only", "OAuth 2.0 User Context")
GONE = {
    "errors_only": errors.suspended_user,
    "protected": errors.protected_user,
    "deleted": errors.missing_user,
}
TOKEN_PATH = "/2/oauth2/token"
APP_ONLY = ("OAuth 2.0 Application-Only",)
APP_OR_OAUTH2 = ("OAuth 2.0 Application-Only", "OAuth 2.0 User Context")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed authentication and rate limit."""

    simulator: Simulator
    caller: Caller
    path: str
    path_params: dict[str, str]
    query: dict[str, str]


Handler = Callable[[Call], Body]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`limit` names the row in meters.LIMITS; `auth` what X accepts here; `is_page`: answers with a page of posts."""

    path: str
    handler: Handler
    limit: str
    auth: tuple[str, ...] = EVERY_AUTH
    is_page: bool = False
    method: str = "GET"


def create_app(simulator: Simulator | None = None) -> Starlette:
    """The ASGI application of this simulator (a new one if none is given). The faults `reset` and `*_body` break
    connections and so need it served by server.py."""
    simulator = simulator or Simulator()
    routes: list[BaseRoute] = [
        Route(endpoint.path, _view(simulator, endpoint), methods=[endpoint.method]) for endpoint in ENDPOINTS
    ]
    return Starlette(routes=[*routes, *control_routes(simulator)], exception_handlers={404: _no_such_path})


async def _no_such_path(request: Request, error: Exception) -> Response:
    return Response(status_code=404)


# ---- the way of every request ------------------------------------------------------------------------------------


def _view(simulator: Simulator, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def view(request: Request) -> Response:
        path, query = request.url.path, dict(request.query_params)
        requests = simulator.requests  # after a `reset` it is another list, which those before are not in
        fault = simulator.faults.take(path, is_page=endpoint.is_page)
        if fault and fault.name == "hang":
            await _hang(request, fault.seconds or 0.0)
        if fault and fault.name in ("hang", "reset"):
            requests.append(ReceivedRequest(request.method, path, query, 0, fault.name))
            return _Dropped()
        headers: dict[str, str] = {}
        form = dict(parse_qsl((await request.body()).decode())) if endpoint.method == "POST" else {}
        try:
            body: Any
            if endpoint.path == TOKEN_PATH:
                body = _token(simulator, request, form, fault)
                await asyncio.sleep(simulator.authenticator.tokens.delay_seconds)
            else:
                body = _answer(simulator, endpoint, request, fault, headers)
            status = 200
        except ApiError as error:
            body, status = error.body, error.status
            headers.update(error.headers)
            if status == 401:
                headers.clear()  # X sends no rate-limit headers with a 401
        if isinstance(body, _Recorded):
            status = body.status
            headers.update(body.headers)
            body = body.body
        requests.append(ReceivedRequest(request.method, path, query, status, fault.name if fault else ""))
        headers["date"] = format_datetime(simulator.clock(), usegmt=True)
        return _response(status, body, headers, fault)

    return view


@dataclass(frozen=True, slots=True)
class _Recorded:
    body: Any
    status: int
    headers: dict[str, str]


def _answer(
    simulator: Simulator, endpoint: Endpoint, request: Request, fault: Fault | None, headers: dict[str, str]
) -> Any:
    """The body of the answer; fills `headers`; raises ApiError for anything but 200."""
    caller = simulator.authenticator.caller(request)
    admitted, limits = simulator.limiter.admit(endpoint.limit, caller.kind, time.time())
    headers.update(limits)
    if fault and (error := status_error(fault, limits)):
        for name in limits:
            headers.pop(name)  # a fault brings its own, or none
        raise error
    if not admitted:
        raise errors.too_many_requests(limits)
    if caller.auth not in endpoint.auth:
        raise errors.unsupported_authentication(caller.auth, endpoint.auth)
    call = Call(simulator, caller, request.url.path, dict(request.path_params), dict(request.query_params))
    if fault and fault.name in GONE:
        return {"errors": [GONE[fault.name](*_what_was_asked(call))]}
    if endpoint.is_page and simulator.recorded is not None:
        return _recorded_answer(simulator)
    if endpoint.is_page and fault and fault.name == "empty_page":
        return _spoiled_page(call, empty_page())
    body = endpoint.handler(call)
    if endpoint.is_page and fault and fault.name == "repeated_token" and "data" in body:
        return _spoiled_page(call, body)
    return body


def _token(simulator: Simulator, request: Request, form: dict[str, str], fault: Fault | None) -> Body:
    """A new pair of OAuth 2.0 tokens; nobody is signed in yet."""
    if fault and (error := status_error(fault, rate_headers(0, 0, 0))):
        raise error
    return simulator.authenticator.tokens.exchange(form, request.headers.get("authorization", ""))


def _no_handler(call: Call) -> Body:
    raise AssertionError("the token endpoint is answered before a call is made")


def _what_was_asked(call: Call) -> tuple[str, str]:
    for name in ("id", "username"):
        if name in call.path_params:
            return name, call.path_params[name]
    return "query", call.query.get("query", "")


def _recorded_answer(simulator: Simulator) -> _Recorded:
    page = simulator.recorded.popleft() if simulator.recorded else None
    if page is None:
        return _Recorded(empty_page(), 200, {})
    posts = page.body.get("data") if isinstance(page.body, dict) else None
    if page.status == 200 and isinstance(posts, list):
        ids = [str(post["id"]) for post in posts if isinstance(post, dict) and "id" in post]
        simulator.bill.charge_posts(ids, simulator.clock(), owned=False)
    return _Recorded(page.body, page.status, dict(page.headers))


def _spoiled_page(call: Call, page: Body) -> Body:
    """The page with a next_token that leads to where this page began."""
    scope = _scope(call)
    before_id = _page_start(call, scope, id_at(call.simulator.clock()))
    return {**page, "meta": {**page["meta"], "next_token": make_token(scope, before_id)}}


def _response(status: int, body: Any, headers: dict[str, str], fault: Fault | None) -> Response:
    if isinstance(body, str):
        return Response(body, status, headers, media_type="text/html" if body else None)
    content = orjson.dumps(body)
    media_type = "application/json" if status == 200 else "application/problem+json"
    if fault and fault.name == "invalid_json":
        content = content[: len(content) // 2]
    if fault and fault.name in ("cut_body", "reset_body", "hang_body"):
        return _HalfBody(content, status, headers, media_type=media_type, fault=fault)
    return Response(content, status, headers, media_type=media_type)


async def _hang(request: Request, seconds: float) -> None:
    """Wait until the client gives up, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not await request.is_disconnected():
        await asyncio.sleep(0.02)


class _Dropped(Response):
    """Closes the connection without a word; server.py puts the transport into the scope."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _transport(scope).abort()


class _HalfBody(Response):
    """Promises the whole body, sends half of it, then closes or resets the connection, or waits."""

    def __init__(self, *arguments: Any, fault: Fault, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        if self.fault.name == "hang_body":
            await _hang(Request(scope, receive), self.fault.seconds or 0.0)
        if self.fault.name == "cut_body":
            _transport(scope).close()  # after what is still to be written
        else:
            _transport(scope).abort()


def _transport(scope: Scope) -> asyncio.Transport:
    transport = scope.get("extensions", {}).get("tweetlake.transport")
    if transport is None:
        raise RuntimeError("this fault breaks the connection: serve the simulator with stand_ins.x_api.server")
    return cast(asyncio.Transport, transport)


# ---- users -------------------------------------------------------------------------------------------------------


def _user_by_username(call: Call) -> Body:
    parameters.refuse_unknown(call.query, parameters.USER_PARAMETERS)
    name = parameters.matching("username", call.path_params["username"], parameters.USERNAME)
    return _one_user(call, account_named(name), "username", name)


def _user_by_id(call: Call) -> Body:
    parameters.refuse_unknown(call.query, parameters.USER_PARAMETERS)
    user_id = parameters.matching("id", call.path_params["id"], parameters.USER_ID)
    return _one_user(call, account_with(user_id), "id", user_id)


def _one_user(call: Call, account: Account, parameter: str, value: str) -> Body:
    shown = _user_fields(call)
    if problem := _user_problem(account, parameter, value):
        return {"errors": [problem]}
    call.simulator.bill.charge_users([account.id], call.simulator.clock())
    return {"data": {k: v for k, v in user_body(account).items() if k in shown}}


def _users_by(call: Call) -> Body:
    parameters.refuse_unknown(call.query, ("usernames", *parameters.USER_PARAMETERS))
    names = [name for name in call.query.get("usernames", "").split(",") if name]
    if not 1 <= len(names) <= 100:
        message = (
            f"The number of values in the `usernames` query parameter list [{len(names)}] is not between 1 and 100"
        )
        raise errors.invalid_request("usernames", call.query.get("usernames", ""), message)
    shown = _user_fields(call)
    found: list[Body] = []
    problems: list[Body] = []
    for name in names:
        account = account_named(parameters.matching("usernames", name, parameters.USERNAME))
        if problem := _user_problem(account, "usernames", name):
            problems.append(problem)
        else:
            found.append({k: v for k, v in user_body(account).items() if k in shown})
    call.simulator.bill.charge_users([user["id"] for user in found], call.simulator.clock())
    return ({"data": found} if found else {}) | ({"errors": problems} if problems else {})


def _user_fields(call: Call) -> frozenset[str]:
    parameters.choices(call.query, "expansions", parameters.USER_EXPANSIONS)
    parameters.choices(call.query, "tweet.fields", TWEET_FIELDS)
    parameters.choices(call.query, "post.fields", POST_FIELDS)
    return DEFAULT_USER_FIELDS | parameters.choices(call.query, "user.fields", parameters.USER_FIELDS)


def _user_problem(account: Account, parameter: str, value: str) -> Body | None:
    if account.kind == "suspended":
        return errors.suspended_user(parameter, value)
    if account.kind == "unknown":
        return errors.missing_user(parameter, value)
    return None


# ---- pages of posts ----------------------------------------------------------------------------------------------


def _scope(call: Call) -> str:
    """What a page token is bound to; with another epoch all earlier tokens are void."""
    return f"{token_scope(call.path, call.query)} {call.simulator.token_epoch}"


def _page_start(call: Call, scope: str, newest: int) -> int:
    """Where this page begins: where its token says, or at the newest post."""
    for name in ("next_token", "pagination_token"):
        if name in call.query:
            return min(read_token(call.query, name, scope), newest)
    return newest


def _timeline(call: Call) -> Body:
    query = call.query
    parameters.refuse_unknown(
        query,
        (
            *("max_results", "pagination_token", "exclude", "start_time", "end_time", "since_id", "until_id"),
            *parameters.OBJECT_PARAMETERS,
        ),
    )
    user_id = parameters.matching("id", call.path_params["id"], parameters.USER_ID)
    size = parameters.integer(query, "max_results", 5, 100, default=10)
    excluded = parameters.choices(query, "exclude", ("replies", "retweets"))
    selected = parameters.selection(query)
    now = call.simulator.clock()
    window = parameters.window(query, now, reach=None, delay_seconds=0)
    account = account_with(user_id)
    problem = _user_problem(account, "id", user_id)
    if account.kind == "protected":
        problem = errors.protected_user("id", user_id)
    if problem:
        return {"errors": [problem]}
    depth = DEPTH_WITHOUT_REPLIES if "replies" in excluded else DEPTH
    oldest_id = max(window.oldest_id, oldest_reachable_id(account, now, depth))
    hidden = {"replies": "reply", "retweets": "retweet"}
    hidden_kinds = {hidden[name] for name in excluded}
    scope = _scope(call)
    before_id = _page_start(call, scope, window.before_id)
    stubs = stubs_between(account, oldest_id, before_id)
    reading = Reading(size, scope, scan=max(size, 20) if excluded else SCAN_LIMIT)
    page = make_page(stubs, lambda stub: stub.kind not in hidden_kinds, reading, selected)
    _charge(call, page, owned=call.caller.user_id == user_id)
    return page


def _search_recent(call: Call) -> Body:
    return _search(call, max_size=100, longest_query=512, reach=RECENT)


def _search_all(call: Call) -> Body:
    annotated = "context_annotations" in call.query.get("tweet.fields", "") + call.query.get("post.fields", "")
    return _search(call, max_size=100 if annotated else 500, longest_query=1024, reach=None)


def _search(call: Call, *, max_size: int, longest_query: int, reach: timedelta | None) -> Body:
    query = call.query
    parameters.refuse_unknown(
        query,
        (
            *("query", "start_time", "end_time", "since_id", "until_id", "max_results", "next_token"),
            *("pagination_token", "sort_order"),
            *parameters.OBJECT_PARAMETERS,
        ),
    )
    asked = _checked_query(call, longest_query)
    size = parameters.integer(query, "max_results", 10, max_size, default=10)
    parameters.choices(query, "sort_order", ("recency", "relevancy"))
    selected = parameters.selection(query)
    now = call.simulator.clock()
    window = parameters.window(query, now, reach=reach, delay_seconds=SEARCH_DELAY_SECONDS)
    if reach is None and "start_time" not in query and "since_id" not in query:
        # Without a start, search/all goes back 30 days from the end.
        window = replace(window, oldest_id=max(window.oldest_id, earlier_id(window.before_id, 30 * DAY_MS)))
    scope = _scope(call)
    before_id = _page_start(call, scope, window.before_id)
    stubs = _everyones(asked, Window(window.oldest_id, before_id))
    page = make_page(stubs, _search_test(asked, recent=reach is not None), Reading(size, scope), selected)
    _charge(call, page, owned=False)
    return page


def _checked_query(call: Call, longest: int) -> Query:
    text = call.query.get("query", "")
    if not text:
        raise errors.invalid_request("query", text, "The `query` query parameter can not be empty")
    if len(text) > longest:
        message = f"The `query` query parameter value is {len(text)} characters long, the maximum is {longest}"
        raise errors.invalid_request("query", text, message)
    return parse_query(text)


def _everyones(asked: Query, window: Window) -> Any:
    """Posts of all accounts the query can be about, newest first."""
    timelines = [stubs_between(account, window.oldest_id, window.before_id) for account in asked.accounts()]
    return heapq.merge(*timelines, key=lambda stub: stub.id, reverse=True)


def _search_test(asked: Query, *, recent: bool) -> Callable[[Stub], bool]:
    if recent and asked.authors is None:
        # Since 2026-05-04 a recent search by keyword returns no retweets.
        return lambda stub: stub.kind != "retweet" and asked.test(stub)
    return asked.test


def _charge(call: Call, page: Body, *, owned: bool) -> None:
    ids = [post["id"] for post in page.get("data", ())]
    call.simulator.bill.charge_posts(ids, call.simulator.clock(), owned=owned)


# ---- counts and usage --------------------------------------------------------------------------------------------


def _counts_recent(call: Call) -> Body:
    query = call.query
    parameters.refuse_unknown(
        query, ("query", "start_time", "end_time", "since_id", "until_id", "granularity", "search_count.fields")
    )
    asked = _checked_query(call, 512)
    step = COUNTS_STEP[next(iter(parameters.choices(query, "granularity", tuple(COUNTS_STEP))), "hour")]
    now = call.simulator.clock()
    window = parameters.window(query, now, reach=RECENT, delay_seconds=SEARCH_DELAY_SECONDS)
    test = _search_test(asked, recent=True)
    start = time_of(window.oldest_id).replace(microsecond=0)
    end = time_of(window.before_id).replace(microsecond=0)
    times = [time_of(stub.id) for stub in _everyones(asked, window) if test(stub)]
    buckets: list[Body] = []
    while start < end:
        # Buckets end on whole minutes, hours or days; the first and the last may be shorter.
        since_midnight = start - start.replace(hour=0, minute=0, second=0)
        bucket_end = min(start + step - since_midnight % step, end)
        inside = list(takewhile(lambda moment: moment < bucket_end, reversed(times)))  # noqa: B023  # used at once
        del times[len(times) - len(inside) :]
        buckets.append({"end": timestamp(bucket_end), "start": timestamp(start), "tweet_count": len(inside)})
        start = bucket_end
    call.simulator.bill.charge_counts()
    return {"data": buckets, "meta": {"total_tweet_count": sum(bucket["tweet_count"] for bucket in buckets)}}


def _usage(call: Call) -> Body:
    parameters.refuse_unknown(call.query, ("days", "usage.fields"))
    days = parameters.integer(call.query, "days", 1, 90, default=7)
    accepted = names("cap_reset_day daily_client_app_usage daily_project_usage project_cap project_id project_usage")
    shown = {"project_cap", "project_id", "project_usage", "cap_reset_day"}
    shown |= parameters.choices(call.query, "usage.fields", accepted)
    if call.simulator.pay_per_use:
        return {"data": {"cap_reset_day": 1, "project_cap": str(MONTHLY_CAP_POSTS), "project_usage": "0"}}
    bill, today = call.simulator.bill, call.simulator.clock().date()
    # Numbers come as text (OpenAPI 2.167 and the documented examples).
    daily = [
        {"date": f"{day}T00:00:00.000Z", "usage": str(bill.posts_by_day[day])}
        for day in (today - timedelta(days=back) for back in range(days))
    ]
    usage: Body = {
        "cap_reset_day": 1,
        "project_cap": str(MONTHLY_CAP_POSTS),
        "project_id": "1000000000000000001",
        "project_usage": str(bill.posts),
        "daily_project_usage": {"project_id": "1000000000000000001", "usage": daily},
        "daily_client_app_usage": [{"client_app_id": "10000000", "usage": daily, "usage_result_count": len(daily)}],
    }
    return {"data": {name: value for name, value in usage.items() if name in shown}}


def _credits(call: Call) -> Body:
    parameters.refuse_unknown(call.query, ())
    if call.simulator.credit_usd is None:
        raise errors.not_found()
    left_usd = call.simulator.credit_usd - call.simulator.bill.cost_usd
    return {"data": {"free_balance": 0, "prepaid_balance": left_usd, "total_balance": left_usd}}


ENDPOINTS = (
    Endpoint("/2/users/by/username/{username}", _user_by_username, "user"),
    Endpoint("/2/users/by", _users_by, "user"),
    Endpoint("/2/users/{id}", _user_by_id, "user"),
    Endpoint("/2/users/{id}/tweets", _timeline, "timeline", is_page=True),
    Endpoint("/2/tweets/search/recent", _search_recent, "search_recent", is_page=True),
    Endpoint("/2/tweets/search/all", _search_all, "search_all", APP_ONLY, is_page=True),
    Endpoint("/2/tweets/counts/recent", _counts_recent, "counts_recent", APP_OR_OAUTH2),
    Endpoint("/2/usage/tweets", _usage, "usage", APP_ONLY),
    Endpoint("/2/usage/credits", _credits, "credits", APP_OR_OAUTH2),
    Endpoint(TOKEN_PATH, _no_handler, "", method="POST"),
)
