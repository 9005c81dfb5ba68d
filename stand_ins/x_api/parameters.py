"""Reading and checking query parameters, with X's limits and X's complaints."""

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .errors import invalid_request, invalid_together, not_one_of, out_of_range
from .vocabulary import (
    OLD_EXPANSION,
    OLD_FIELD,
    POST_EXPANSIONS,
    POST_FIELDS,
    TWEET_EXPANSIONS,
    TWEET_FIELDS,
    names,
    speaks_post,
)
from .world import digest, id_at

USERNAME = r"^[A-Za-z0-9_]{1,15}$"
USER_ID = r"^[0-9]{1,19}$"
FIRST_MOMENT = datetime(2006, 3, 21, tzinfo=UTC)
FIRST_MOMENT_OF_TIMELINES = datetime(2010, 11, 6, tzinfo=UTC)

USER_FIELDS = names(
    "affiliation confirmed_email connection_status created_at description entities id is_identity_verified location "
    "most_recent_tweet_id name parody pinned_tweet_id profile_banner_url profile_image_url protected public_metrics "
    "receives_your_dm subscription subscription_type url username verified verified_followers_count verified_type "
    "withheld"
)
USER_EXPANSIONS = names(
    "affiliation.user_id most_recent_tweet_id pinned_tweet_id affiliation most_recent_post_id pinned_post_id"
)
MEDIA_FIELDS = names(
    "alt_text duration_ms height media_key non_public_metrics organic_metrics preview_image_url promoted_metrics "
    "public_metrics type url variants width"
)
PLACE_FIELDS = names("contained_within country country_code full_name geo id name place_type")
OBJECT_PARAMETERS = names(
    "tweet.fields post.fields expansions user.fields media.fields poll.fields place.fields",
)
USER_PARAMETERS = ("tweet.fields", "post.fields", "expansions", "user.fields")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which fields and expansions were asked for, in the old vocabulary; `post` says which one to answer in."""

    post: bool
    fields: frozenset[str]
    expansions: frozenset[str]
    user_fields: frozenset[str]
    media_fields: frozenset[str]
    place_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Window:
    """Posts with oldest_id <= id < before_id."""

    oldest_id: int
    before_id: int


def refuse_unknown(query: Mapping[str, str], accepted: Sequence[str]) -> None:
    for name, value in query.items():
        if name not in accepted:
            message = f"The query parameter [{name}] is not one of [{','.join(accepted)}]"
            raise invalid_request(name, value, message)


def matching(name: str, value: str, pattern: str) -> str:
    if not re.fullmatch(pattern, value):
        raise invalid_request(name, value, f"The `{name}` query parameter value [{value}] does not match {pattern}")
    return value


def integer(query: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not value.isdecimal() or not low <= int(value) <= high:
        raise out_of_range(name, value, low, high)
    return int(value)


def choices(query: Mapping[str, str], name: str, accepted: Sequence[str], also: Collection[str] = ()) -> frozenset[str]:
    """A comma-separated list out of `accepted`; values in `also` are taken although X's complaint doesn't list them."""
    if name not in query:
        return frozenset()
    values = [value for value in query[name].split(",") if value]
    if not values:
        raise invalid_request(name, query[name], f"The `{name}` query parameter can not be empty")
    for value in values:
        if value not in accepted and value not in also:
            raise not_one_of(name, value, accepted)
    return frozenset(values)


def selection(query: Mapping[str, str]) -> Selection:
    """Fields and expansions of an endpoint that returns posts."""
    post = speaks_post(query)
    fields = choices(query, "tweet.fields", TWEET_FIELDS) | choices(query, "post.fields", POST_FIELDS)
    here, there = (POST_EXPANSIONS, TWEET_EXPANSIONS) if post else (TWEET_EXPANSIONS, POST_EXPANSIONS)
    expansions = choices(query, "expansions", here, also=there)
    return Selection(
        post=post,
        fields=frozenset(OLD_FIELD.get(name, name) for name in fields),
        expansions=frozenset(OLD_EXPANSION.get(name, name) for name in expansions),
        user_fields=choices(query, "user.fields", USER_FIELDS),
        media_fields=choices(query, "media.fields", MEDIA_FIELDS),
        place_fields=choices(query, "place.fields", PLACE_FIELDS),
    )


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """RFC 3339 in UTC; X works in whole seconds."""
    value = query.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
        raise invalid_request(name, value, f"The `{name}` query parameter value [{value}] is not a valid RFC3339 date")
    try:
        return datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise invalid_request(name, value, f"The `{name}` query parameter value [{value}] is not a date") from error


def post_id(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    return None if value is None else int(matching(name, value, USER_ID))


def window(query: Mapping[str, str], now: datetime, *, reach: timedelta | None, delay_seconds: int) -> Window:
    """The ids asked for.

    On a timeline since_id goes before start_time, until_id before end_time. A search (delay_seconds > 0) refuses ids
    beside times, shows nothing newer than `delay_seconds`, refuses an end_time less than 10 s old, and with a `reach`
    refuses to look further back.
    """
    start, end = moment(query, "start_time"), moment(query, "end_time")
    since_id, until_id = post_id(query, "since_id"), post_id(query, "until_id")
    if delay_seconds:
        refuse_ids_beside_times(query)
    first = FIRST_MOMENT if delay_seconds else FIRST_MOMENT_OF_TIMELINES
    earliest = max(first, now - reach) if reach else first
    for name, value in (("start_time", start), ("end_time", end)):
        # Whole seconds: a client that computes "7 days ago" and sends it at once must not fail on the fraction.
        if value is not None and value < earliest - timedelta(seconds=1):
            raise invalid_request(
                name,
                query[name],
                f"Invalid '{name}':'{query[name]}'. '{name}' must be on or after {earliest:%Y-%m-%dT%H:%MZ}",
            )
    if end is not None and delay_seconds and end > now - timedelta(seconds=10):
        message = f"Invalid 'end_time':'{query['end_time']}'. 'end_time' must be a minimum of 10 seconds prior to the "
        raise invalid_request("end_time", query["end_time"], message + "request time.")
    if start is not None and end is not None and start >= end:
        message = f"Invalid 'start_time':'{query['start_time']}'. 'start_time' must be before 'end_time'"
        raise invalid_request("start_time", query["start_time"], message)
    if since_id is not None and reach and since_id < id_at(earliest - timedelta(seconds=1)):
        message = f"'since_id' must be a tweet id created after {earliest:%Y-%m-%dT%H:%MZ}. "
        raise invalid_request("since_id", query["since_id"], message + "Please use a 'since_id' that is larger.")
    newest = now - timedelta(seconds=delay_seconds)
    oldest_id = since_id + 1 if since_id is not None else id_at(start or earliest)
    before_id = until_id if until_id is not None else id_at(end or newest)
    return Window(oldest_id, min(before_id, id_at(now)))


def refuse_ids_beside_times(query: Mapping[str, str]) -> None:
    """A search takes the one or the other (recorded in 2021, 2022 and 2023)."""
    ids = {name: query[name] for name in ("since_id", "until_id") if name in query}
    times = {name: query[name] for name in ("start_time", "end_time") if name in query}
    if ids and times:
        message = "Invalid use of 'since_id' or 'until_id' in conjunction with 'start_time' or 'end_time'."
        raise invalid_together(ids | times, message)


# ---- page tokens -------------------------------------------------------------------------------------------------


def make_token(scope: str, before_id: int) -> str:
    """An opaque token for the posts before `before_id` of this very request (`scope`)."""
    raw = f"{before_id}.{digest(scope) % 10**6:06d}".encode()
    return base64.b32encode(raw).decode().rstrip("=").lower()


def read_token(query: Mapping[str, str], name: str, scope: str) -> int:
    """The id before which the page goes on; a token of another request is refused."""
    token = query[name]
    try:
        raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8)).decode()
        before_id, _, check = raw.partition(".")
        if int(check) == digest(scope) % 10**6:
            return int(before_id)
    except ValueError:
        pass
    raise invalid_request(name, token, f"Invalid '{name}':'{token}'. The token is not one of this request")


def token_scope(path: str, query: Mapping[str, str]) -> str:
    """What must stay the same while paging: everything but token and page size."""
    kept = {k: v for k, v in query.items() if k not in ("next_token", "pagination_token", "max_results")}
    return f"{path}?{sorted(kept.items())}"
