"""Ask X for the posts of one window, page by page, into the spool."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadDataError, UsageError, XUnavailableError
from .prices import Spend
from .progress import Progress
from .raw import OWN_KEY, JsonObject, Page, error_kind, moment_of, objects, page_of, parse_json
from .settings import Settings
from .spool import Spool
from .transform import RowError, references_of

if TYPE_CHECKING:
    from .client import XClient

log = logging.getLogger(__name__)

# `tweet.*` names: still honoured in 2026, and the only ones tweepy knows. Reading accepts both vocabularies.
TWEET_FIELDS = [
    "id",
    "text",
    "author_id",
    "conversation_id",
    "created_at",
    "edit_history_tweet_ids",
    "entities",
    "in_reply_to_user_id",
    "lang",
    "note_tweet",
    "possibly_sensitive",
    "public_metrics",
    "referenced_tweets",
    "withheld",
]
TIMELINE_DEPTH = 3200  # posts; "Volume limits" of x-api/posts/timelines
TIMELINE_DEPTH_WITHOUT_REPLIES = 800  # the same page: with exclude=replies
TIMELINE_BEGIN = datetime(2010, 11, 6, tzinfo=UTC)  # of start_time on timelines
RECENT_SEARCH = timedelta(days=7)
ARCHIVE_BEGIN = datetime(2006, 3, 26, tzinfo=UTC)  # without start_time, search/all gives 30 days only
ARCHIVE_PAUSE_SECONDS = 1.0  # search/all takes one request a second
SETTLED = timedelta(seconds=15)  # end_time must be at least 10 s in the past
UNPROVEN = timedelta(days=2)  # a window that begins earlier than this may lie below the timeline's depth
EMPTY_PAGES_IN_A_ROW = 20
USER_ID_KEPT = timedelta(days=30)  # then looked up again, in case the account has another name now


@dataclass(frozen=True)
class Endpoint:
    """One way to ask. Sizes are posts per page."""

    name: str
    min_results: int
    max_results: int
    token_name: str
    query_characters: int = 0


TIMELINE = Endpoint("timeline", 5, 100, "pagination_token")
RECENT = Endpoint("recent search", 10, 100, "next_token", 512)
ARCHIVE = Endpoint("full-archive search", 10, 500, "next_token", 1024)


@dataclass
class Drain:
    """What was asked and how it ended."""

    start: datetime | None
    end: datetime | None
    collected_at: datetime  # when the first page was asked for; UTC, whole seconds
    spend: Spend = field(default_factory=Spend)  # of all pages, those of an earlier, unfinished run included
    pages: int = 0
    pages_resumed: int = 0
    complete: bool = True  # False: cut by --limit or --latest
    query: str | None = None

    def facts(self) -> JsonObject:
        """For the manifest."""
        return {
            "query": self.query,
            "window": {"start": iso_seconds(self.start), "end": iso_seconds(self.end)},
            "complete": self.complete,
            "pages": self.pages,
            "pages_resumed": self.pages_resumed,
            **self.spend.as_dict(),
        }


def endpoint_of(settings: Settings) -> Endpoint:
    if settings.archive:
        return ARCHIVE
    return TIMELINE if settings.account else RECENT


def query_of(settings: Settings) -> str | None:
    """The search with its `-is:` operators; None for a timeline. Raises UsageError when it's longer than X takes."""
    endpoint = endpoint_of(settings)
    if endpoint is TIMELINE:
        return None
    query = settings.query or f"from:{settings.account}"
    left_out = ["-is:reply"] * (not settings.include_replies) + ["-is:retweet"] * (not settings.include_retweets)
    if left_out:
        query = " ".join([f"({query})" if " OR " in query else query, *left_out])
    if len(query) > endpoint.query_characters:
        raise UsageError(
            f"The query has {len(query)} characters with its operators; {endpoint.name} takes "
            f"{endpoint.query_characters}.",
            hint="Shorten it, or split it into two runs with a --name each.",
        )
    return query


def window_of(settings: Settings, day: date | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The time [start, end) to ask for; (None, None) for the latest. Raises UsageError for what X can't give."""
    endpoint = endpoint_of(settings)
    depth = depth_of(settings)
    if day is None:
        if endpoint is TIMELINE and settings.latest and settings.latest > depth:
            raise UsageError(
                f"--latest {settings.latest}: a timeline gives the newest {depth} posts only.",
                hint="Use --archive for more, or --include-replies (3,200).",
            )
        return (ARCHIVE_BEGIN if endpoint is ARCHIVE else None), None
    start = datetime.combine(day, time(), UTC)
    end = min(start + timedelta(days=1), now.replace(microsecond=0) - SETTLED)
    if end <= start:
        raise UsageError(f"{day} has only just begun (UTC).", hint="Run it again in a minute.")
    if endpoint is RECENT and start < now - RECENT_SEARCH:
        raise UsageError(
            f"Recent search gives the last 7 days; {day} begins before that.",
            hint="Use --archive (full-archive search, bearer token only, same price).",
        )
    if endpoint is TIMELINE and start < TIMELINE_BEGIN:
        raise UsageError(f"Timelines begin on {TIMELINE_BEGIN:%Y-%m-%d}.", hint="Use --archive for earlier days.")
    return start, end


def depth_of(settings: Settings) -> int:
    """How many posts back a timeline goes."""
    return TIMELINE_DEPTH if settings.include_replies else TIMELINE_DEPTH_WITHOUT_REPLIES


def spool_of(settings: Settings, day: date | None) -> Spool:
    """The spool of this source and window: the same for a run and its retry, another for every other question."""
    identity = {
        "base_url": settings.base_url,
        "account": (settings.account or "").lower(),
        "query": settings.query,
        "name": settings.name,
        "day": str(day or settings.run_day),
        "latest": settings.latest,
        "limit": settings.limit,
        "include": [settings.include_replies, settings.include_retweets],
        "archive": settings.archive,
    }
    return Spool(settings.state_dir / "spool", f"{settings.source_label}-{day or settings.run_day}", identity)


def extract(settings: Settings, day: date | None, client: XClient, spool: Spool, run: Spend) -> Drain:
    """Fill the (opened) spool with all pages of the window. Pages of an earlier run are not asked for again.

    `run` counts what this run asked; the result's spend counts all pages. Raises EtlError; the spool keeps what came.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    start, end = window_of(settings, day, now)
    resumed = spool.open()
    if resumed and is_whole(day, end) and not is_whole(day, moment_of(resumed[0].own.get("end"))):
        log.info("The pages in %s are of a time when the day wasn't over: it is asked for again.", spool.path)
        spool.restart()
        resumed = []
    query = query_of(settings)
    drain = Drain(start, end, collected_at=now, query=query)
    proven = any(page.own.get("depth_proven") for page in resumed)
    resumed = [page for page in resumed if not page.own.get("depth_proven")]
    account: JsonObject | None = {"id": None, "username": settings.account} if settings.account else None
    if resumed:
        log.info("Going on after %d pages in %s.", len(resumed), spool.path)
        own = resumed[0].own
        account = own.get("account", account)
        drain.start, drain.end = moment_of(own.get("start")), moment_of(own.get("end"))
        drain.collected_at = moment_of(resumed[0].collected_at) or now
    elif account and endpoint_of(settings) is TIMELINE:
        account = look_up(client, settings, run, drain.spend)

    label = f"{settings.source_label} {day or 'latest'}"
    pager = Pager(settings, label)
    with Progress(label, drain.spend) as progress:
        for page in resumed:
            pager.take(page)
            count(page, drain.spend)
            drain.spend.requests += 1
            progress.page(len(page.posts), pager.oldest_of(page))
        drain.pages = drain.pages_resumed = len(resumed)
        while pager.more:
            if drain.pages and settings.archive:
                client.sleep(ARCHIVE_PAUSE_SECONDS)
            before = run.requests
            document = ask(client, settings, account, query, drain, pager)
            drain.spend.requests += run.requests - before
            page = page_of(document)
            refuse_errors_only(page, settings)
            refuse_no_answer(page, pager.label)
            pager.take(page)
            document[OWN_KEY] = {
                "collected_at": iso_seconds(drain.collected_at),
                "account": account,
                "query": query,
                "start": iso_seconds(drain.start),
                "end": iso_seconds(drain.end),
            }
            spool.append(document)
            count(page, drain.spend)
            count(page, run)
            drain.pages += 1
            progress.page(len(page.posts), pager.oldest_of(page))
    drain.complete = not pager.cut and is_whole(day, drain.end)
    if not is_whole(day, drain.end):
        log.warning("%s isn't over (or settled): its posts after %s are missing. Run it again then.", day, drain.end)
    if not proven and account and endpoint_of(settings) is TIMELINE and drain.start and not pager.cut:
        try:
            prove_depth(client, settings, account, drain, pager.posts, run)
            # An empty page that carries the proof: a retry of the upload needs X no more.
            spool.append({"data": [], "meta": {"result_count": 0}, OWN_KEY: {"depth_proven": True}})
        except UsageError:
            if not pager.posts:
                spool.remove()  # nothing was paid for: nothing to keep
            raise
    return drain


def is_whole(day: date | None, end: datetime | None) -> bool:
    """Does a window that ends then hold all of the day? The latest posts are of no day."""
    return day is None or (end is not None and end.date() > day)


class Pager:
    """Where the paging is: when to stop, what to ask next, and that it moves at all."""

    def __init__(self, settings: Settings, label: str) -> None:
        self.settings = settings
        self.label = label
        self.newest = min((n for n in (settings.latest, settings.limit) if n), default=None)
        self.more = True
        self.cut = False
        self.token: str | None = None
        self.posts = 0
        self._kept: set[str] = set()
        self._tokens: set[str] = set()
        self._pages: set[tuple[str, ...]] = set()
        self._empty_pages = 0

    def take(self, page: Page) -> None:
        """Note a page. Raises BadDataError when a token or a page comes twice: X would be asked (and paid) forever."""
        ids = tuple(str(post.get("id")) for post in page.posts)
        token = page.next_token
        if (ids and ids in self._pages) or (token and token in self._tokens):
            what = "next_token" if token and token in self._tokens else "page"
            raise BadDataError(
                f"{self.label}: X gave the same {what} twice; going on would never end.",
                hint="Run it again later; if it happens again, report it to X.",
            )
        self._empty_pages = 0 if ids else self._empty_pages + 1
        if token and self._empty_pages >= EMPTY_PAGES_IN_A_ROW:
            raise BadDataError(f"{self.label}: {self._empty_pages} empty pages in a row, each with a next_token.")
        self._pages.add(ids)
        self.posts += len(ids)
        self._kept.update(str(post.get("id")) for post in page.posts if self._wanted(post))
        self.token = token
        if token:
            self._tokens.add(token)
        enough = self.newest is not None and len(self._kept) >= self.newest
        self.cut = enough and (bool(token) or len(self._kept) > (self.newest or 0))
        self.more = bool(token) and not enough

    def page_size(self, endpoint: Endpoint) -> int:
        """As many posts as are still wanted, within what the endpoint takes."""
        wanted = endpoint.max_results if self.newest is None else self.newest - len(self._kept)
        return max(endpoint.min_results, min(endpoint.max_results, wanted))

    def oldest_of(self, page: Page) -> str | None:
        times = [t for post in page.posts if isinstance(t := post.get("created_at"), str)]
        return min(times, default=None)

    def _wanted(self, post: JsonObject) -> bool:
        try:
            kinds = references_of(post)
        except RowError:
            return False
        reply = "replied_to" in kinds or bool(post.get("in_reply_to_user_id"))
        return (self.settings.include_replies or not reply) and (
            self.settings.include_retweets or "retweeted" not in kinds
        )


def ask(
    client: XClient, settings: Settings, account: JsonObject | None, query: str | None, drain: Drain, pager: Pager
) -> JsonObject:
    """One page from X."""
    endpoint = endpoint_of(settings)
    parameters: dict[str, Any] = {
        "tweet_fields": TWEET_FIELDS,
        "max_results": pager.page_size(endpoint),
        "start_time": drain.start,
        "end_time": drain.end,
        endpoint.token_name: pager.token,
    }
    # Authors only for a search: those of a timeline are known, and expanded users may be billed.
    expansions = ["author_id"] * (settings.account is None) + ["referenced_tweets.id"] * settings.include_retweets
    if expansions:
        parameters["expansions"] = expansions
    if endpoint is TIMELINE:
        return timeline(client, settings, str((account or {})["id"]), parameters)
    if endpoint is ARCHIVE:
        return json_of(client.search_all_tweets(query, **parameters))
    return json_of(client.search_recent_tweets(query, user_auth=client.signs, **parameters))


def timeline(client: XClient, settings: Settings, user_id: str, parameters: dict[str, Any]) -> JsonObject:
    """One page of a timeline, without what isn't wanted."""
    exclude = ["replies"] * (not settings.include_replies) + ["retweets"] * (not settings.include_retweets)
    if exclude:
        parameters = {**parameters, "exclude": exclude}
    return json_of(client.get_users_tweets(user_id, user_auth=client.signs, **parameters))


def json_of(response: Any) -> JsonObject:
    """The body of an answer; client.py has made sure that it's a JSON object."""
    document: JsonObject = parse_json(response.content)
    return document


def count(page: Page, spend: Spend) -> None:
    """Add a page to a bill."""
    spend.add_page([str(post.get("id")) for post in page.posts], len(page.users), len(page.included))


def refuse_no_answer(page: Page, label: str) -> None:
    """A page without posts says so (`result_count` 0). `{}`, or a `data` nobody can read, isn't an empty day."""
    if not page.posts and page.meta.get("result_count") != 0:
        raise XUnavailableError(
            f"{label}: X answered 200 with neither posts nor the statement that there are none.",
            hint="Run it again later; nothing was written.",
        )


def refuse_errors_only(page: Page, settings: Settings, *, found: bool = False) -> None:
    """HTTP 200 with nothing but `errors` is how X says suspended, unknown or protected: never an empty day."""
    if page.errors and not (found or page.posts or page.meta.get("result_count")):
        kind = error_kind(page.errors[0])
        if kind in ("not-found", "suspended") and settings.account:
            forget(settings)
        who = f"@{settings.account}" if settings.account else "the search"
        meaning = {
            "not-found": "doesn't exist",
            "suspended": "is suspended",
            "not-authorized": "is protected, or not open to this app",
        }.get(kind, f"got an error of kind {kind}")
        detail = page.errors[0].get("detail") or page.errors[0].get("message") or ""
        raise BadDataError(
            f"X gives no posts: {who} {meaning} ({detail}).", hint="Check the name in a browser; nothing was written."
        )


def prove_depth(client: XClient, settings: Settings, account: JsonObject, drain: Drain, posts: int, run: Spend) -> None:
    """Make sure that the window isn't cut by the depth of timelines: below it X answers 200 with no posts.

    Asked only when it's possible: the window begins days ago, or is itself near the depth. One older post is proof
    (a request of 5 posts); if there is none, an account of fewer posts than the depth is proof as well.
    """
    depth = depth_of(settings)
    start = drain.start
    if start is None or (start > datetime.now(UTC) - UNPROVEN and posts < depth // 2):
        return
    before = run.requests
    user_id = str(account["id"])
    if start > TIMELINE_BEGIN:
        older = page_of(
            timeline(client, settings, user_id, {"max_results": 5, "end_time": start, "tweet_fields": ["id"]})
        )
        for spend in (run, drain.spend):
            count(older, spend)
        if older.posts:
            drain.spend.requests += run.requests - before
            return
    user = json_of(client.get_user(id=user_id, user_auth=client.signs, user_fields=["public_metrics"])).get("data")
    for spend in (run, drain.spend):
        spend.users_billed += 1
    drain.spend.requests += run.requests - before
    metrics = user.get("public_metrics") if isinstance(user, dict) else None
    total = metrics.get("tweet_count", metrics.get("post_count")) if isinstance(metrics, dict) else None
    if isinstance(total, int) and total <= depth:
        return
    raise UsageError(
        f"@{account['username']}, {start:%Y-%m-%d}: X's timelines go back {depth:,} posts, and nothing older than "
        "this day can be reached, so posts of it may be missing.",
        hint="Use --archive (full-archive search, bearer token only, same price).",
    )


def look_up(client: XClient, settings: Settings, run: Spend, drain: Spend) -> JsonObject:
    """{"id", "username"} of the account: from the cache, or from X for 0.010 USD."""
    known = cached_users(settings.state_dir)
    entry = known.get(cache_key(settings))
    fresh_since = iso_seconds(datetime.now(UTC) - USER_ID_KEPT) or ""
    if isinstance(entry, dict) and entry.get("id") and str(entry.get("seen_at", "")) > fresh_since:
        return {"id": entry["id"], "username": entry.get("username")}
    before = run.requests
    document = json_of(client.get_user(username=settings.account, user_auth=client.signs))
    drain.requests += run.requests - before
    refuse_errors_only(page_of(document), settings, found=bool(document.get("data")))
    user = next(iter(objects(document.get("data"))), {})
    if not user.get("id"):
        raise BadDataError(f"X knows no account @{settings.account}.", hint="Check the name in a browser.")
    for spend in (run, drain):
        spend.users_billed += 1
    account = {"id": str(user["id"]), "username": str(user.get("username") or settings.account)}
    known[cache_key(settings)] = {**account, "seen_at": iso_seconds(datetime.now(UTC))}
    write_cache(settings.state_dir, known)
    return account


def cache_key(settings: Settings) -> str:
    """Names are the same in any case; another base address is another world (a simulator)."""
    return f"{settings.base_url} {(settings.account or '').lower()}"


def cache_file(state_dir: Path) -> Path:
    return state_dir / "user_ids.json"


def cached_users(state_dir: Path) -> dict[str, Any]:
    """The cache; a missing or damaged one is empty: it costs a lookup, not a run."""
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(cache_file(state_dir).read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def write_cache(state_dir: Path, known: dict[str, Any]) -> None:
    """Replace the cache in one step. A cache that can't be written is only reported."""
    partial = cache_file(state_dir).with_suffix(f".{os.getpid()}.partial")
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        partial.replace(cache_file(state_dir))
    except OSError as error:
        log.warning("The cache of user ids can't be written (%s): the next run pays for the lookup.", error.strerror)


def forget(settings: Settings) -> None:
    """The id isn't valid any more: look it up next time."""
    known = cached_users(settings.state_dir)
    if known.pop(cache_key(settings), None):
        write_cache(settings.state_dir, known)


def iso_seconds(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
