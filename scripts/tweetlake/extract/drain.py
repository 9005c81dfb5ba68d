"""Ask X for the posts of one window, page by page, into the spool."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import BadDataError, EtlError, StaleTokenError, UsageError, XUnavailableError
from ..raw import OWN_KEY, JsonObject, Page, error_kind, objects, page_of, parse_json
from ..settings import Settings
from ..times import iso, moment_of
from .accounts import forget, known_account, remember
from .budget import Budget
from .endpoints import (
    ARCHIVE,
    TIMELINE,
    TIMELINE_BEGIN,
    Endpoint,
    depth_of,
    endpoint_of,
    expansions_of,
    post_usd_of,
    query_of,
    window_of,
    worst_post_usd,
)
from .fields import FIELDS, FREE_EXPANSIONS
from .prices import PRICE_USD, Spend
from .progress import Progress
from .spool import Spool

if TYPE_CHECKING:
    from .client import XClient

log = logging.getLogger(__name__)

ARCHIVE_PAUSE_SECONDS = 1.0  # search/all takes one request a second
POSTS_PER_HOUR = 100  # X lets an account post 2,400 times a day, in half-hourly portions (help.x.com, "X limits")
PROOF_POSTS = 5  # the smallest page of a timeline
EMPTY_PAGES_IN_A_ROW = 20


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
            "window": {"start": iso(self.start), "end": iso(self.end)},
            "complete": self.complete,
            "pages": self.pages,
            "pages_resumed": self.pages_resumed,
            **self.spend.as_dict(),
        }


def spool_of(settings: Settings, day: date | None) -> Spool:
    """The spool of this source and window: the same for a run and its retry, another for every other question."""
    identity = {
        "base_url": settings.base_url,
        "account": (settings.source.account or "").lower(),
        "query": settings.source.query,
        "name": settings.source.name,
        "day": str(day or settings.run_day),
        "latest": settings.latest,
        "limit": settings.limit,
        "include": [settings.source.include_replies, settings.source.include_retweets],
        "archive": settings.source.archive,
    }
    return Spool(settings.state_dir / "spool", f"{settings.source.label}-{day or settings.run_day}", identity)


def extract(settings: Settings, day: date | None, client: XClient, spool: Spool, budget: Budget) -> Drain:
    """Fill the (opened) spool with all pages of the window. Pages of an earlier run are not asked for again.

    `budget.run` counts what this run asked; the result's spend counts all pages. Raises EtlError; the spool keeps what
    came.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    start, end = window_of(settings, day, now)
    resumed = spool.open()
    proven = any(page.own.get("depth_proven") for page in resumed)
    resumed = [page for page in resumed if not page.own.get("depth_proven")]
    account: JsonObject | None = {"id": None, "username": settings.source.account} if settings.source.account else None
    drain = Drain(start, end, collected_at=now, query=query_of(settings))
    if resumed:
        account = resumed[0].own.get("account", account)
        drain.start, drain.end = moment_of(resumed[0].own.get("start")), moment_of(resumed[-1].own.get("end"))
        drain.collected_at = moment_of(resumed[0].collected_at) or now
        drain.spend.users_billed = int(resumed[-1].own.get("users_billed") or 0)
    elif account and endpoint_of(settings) is TIMELINE:
        account = look_up(client, settings, spool, budget, drain)
    budget.run.post_usd = drain.spend.post_usd = post_usd_of(settings, (account or {}).get("id"))

    label = f"{settings.source.label} {day or 'latest'}"
    pager = Pager(settings, label, drain.start, drain.end)
    posts = 0
    with Progress(label, drain.spend) as progress:
        for page in resumed:
            if (page_end := moment_of(page.own.get("end"))) != pager.end:  # see below: the day had got longer
                posts += pager.posts
                pager = Pager(settings, label, moment_of(page.own.get("start")), page_end)
            pager.take(page)
            count(page, drain.spend)
            drain.spend.requests += 1
            progress.page(len(page.posts), pager.oldest_of(page))
        drain.pages = drain.pages_resumed = len(resumed)
        if resumed:
            log.info("Going on after %d pages in %s.", len(resumed), spool.path)
            settle_earlier(budget, spool, resumed)
        while True:
            while pager.more:
                if (new := next_page(client, settings, account, spool, budget, drain, pager)) is not None:
                    progress.page(len(new.posts), pager.oldest_of(new))
            drain.complete = drain.complete and not pager.cut
            posts += pager.posts
            if not (is_whole(day, end) and not is_whole(day, drain.end)):
                break
            # The pages of an earlier run end in the middle of the day: only what came after them is asked for.
            log.info("%s was asked for until %s; now the rest of it.", day, iso(drain.end))
            pager = Pager(settings, label, drain.end, end)
            drain.end, proven = end, False
    if not is_whole(day, drain.end):
        drain.complete = False
        log.warning("%s isn't over (or settled): its posts after %s are missing. Run it again then.", day, drain.end)
    if not proven and account and endpoint_of(settings) is TIMELINE and drain.start and not pager.cut:
        try:
            prove_depth(client, settings, account, drain, posts, spool, budget)
            # An empty page that carries the proof: a retry of the upload needs X no more.
            spool.append({"data": [], "meta": {"result_count": 0}, OWN_KEY: {"depth_proven": True}})
        except UsageError:
            if not posts:
                spool.remove()  # nothing was paid for: nothing to keep
            raise
    return drain


def next_page(
    client: XClient,
    settings: Settings,
    account: JsonObject | None,
    spool: Spool,
    budget: Budget,
    drain: Drain,
    pager: Pager,
) -> Page | None:
    """One more page, kept and paid for; None when X knew its token no more, and the pager goes on in another way."""
    worst_usd = worst_post_usd(settings, budget.run.post_usd)
    key = f"{spool.path.stem}#{drain.pages}"
    size = budget.posts_within(key, pager.page_size(), pager.endpoint.min_results, worst_usd)
    if drain.pages and settings.source.archive:
        client.sleep(ARCHIVE_PAUSE_SECONDS)
    budget.reserve(key, size * worst_usd, size)
    before = budget.run.requests
    try:
        document = ask(client, settings, account, drain.query, pager, size)
        page = page_of(document)
        refuse_errors_only(page, settings)
        refuse_no_answer(page, pager.label)
    except EtlError as error:
        if not client.maybe_billed:
            budget.settle(key, 0)
        if isinstance(error, StaleTokenError) and pager.token:
            pager.go_on_by_id()
            return None
        raise
    finally:
        drain.spend.requests += budget.run.requests - before
    if pager.token and pager.has_taken(page):  # the token leads back, also in every later run
        budget.settle(key, count(page, budget.run), len(page.posts))
        pager.go_on_by_id()
        return None
    until_id = pager.until_id
    pager.take(page)
    document[OWN_KEY] = {
        "collected_at": iso(drain.collected_at),
        "account": account,
        "query": drain.query,
        "start": iso(pager.start),
        "end": iso(pager.end),
        "users_billed": drain.spend.users_billed,
        **({"until_id": until_id} if until_id else {}),
    }
    count(page, drain.spend)
    billed_usd = count(page, budget.run)  # by X, whether the disk takes the page or not
    spool.append(document)
    budget.settle(key, billed_usd, len(page.posts))
    drain.pages += 1
    return page


def settle_earlier(budget: Budget, spool: Spool, pages: list[Page]) -> None:
    """A run killed between the spool and the ledger has left its worst case there: put the real cost in its place."""
    for key in budget.ledger.pending(f"{spool.path.stem}#"):
        number = key.rpartition("#")[2]
        if number.isdecimal() and int(number) < len(pages):
            page = pages[int(number)]
            budget.settle(key, count(page, Spend(post_usd=budget.run.post_usd)), len(page.posts))


def is_whole(day: date | None, end: datetime | None) -> bool:
    """Does a window that ends then hold all of the day? The latest posts are of no day."""
    return day is None or (end is not None and end.date() > day)


class Pager:
    """Where the paging of [start, end) is: when to stop, what to ask next, and that it moves at all."""

    def __init__(self, settings: Settings, label: str, start: datetime | None, end: datetime | None) -> None:
        self.endpoint: Endpoint = endpoint_of(settings)
        self.label = label
        self.start = start
        self.end = end
        self.newest = settings.newest
        self.more = True
        self.cut = False
        self.token: str | None = None
        self.until_id: str | None = None  # instead of `end`, when a token was void
        self.posts = 0
        self._oldest_id: int | None = None
        self._tokens: set[str] = set()
        self._pages: set[tuple[str, ...]] = set()
        self._empty_pages = 0

    def take(self, page: Page) -> None:
        """Note a page. Raises BadDataError when a token or a page comes twice: X would be asked (and paid) forever.

        All posts of a page count for --limit and --latest: X has left out what isn't wanted, and bills the rest.
        """
        ids = ids_of(page)
        token = page.next_token
        if self.has_taken(page) or (token and token in self._tokens):
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
        self.token = token
        self.until_id = page.own.get("until_id") or self.until_id
        numbers = [int(text) for text in ids if text.isascii() and text.isdecimal() and len(text) < 30]
        self._oldest_id = min((n for n in (*numbers, self._oldest_id) if n is not None), default=None)
        if token:
            self._tokens.add(token)
        enough = self.newest is not None and self.posts >= self.newest
        self.cut = enough and (bool(token) or self.posts > (self.newest or 0))
        self.more = bool(token) and not enough

    def has_taken(self, page: Page) -> bool:
        """Did the very same posts come before?"""
        return bool(page.posts) and ids_of(page) in self._pages

    def page_size(self) -> int:
        """As many posts as are still wanted, within what the endpoint takes."""
        wanted = self.endpoint.max_results if self.newest is None else self.newest - self.posts
        return max(self.endpoint.min_results, min(self.endpoint.max_results, wanted))

    def go_on_by_id(self) -> None:
        """The token is void: ask for what is older than the oldest post that came. No page is paid for again."""
        self.token = None
        self.until_id = str(self._oldest_id) if self._oldest_id is not None else self.until_id
        log.warning(
            "%s: the token of the next page is void; going on below post %s.",
            self.label,
            self.until_id or "(none came yet)",
        )

    def oldest_of(self, page: Page) -> str | None:
        times = [t for post in page.posts if isinstance(t := post.get("created_at"), str)]
        return min(times, default=None)


def ids_of(page: Page) -> tuple[str, ...]:
    return tuple(str(post.get("id")) for post in page.posts)


def ask(
    client: XClient, settings: Settings, account: JsonObject | None, query: str | None, pager: Pager, size: int
) -> JsonObject:
    """One page of `size` posts from X."""
    endpoint = pager.endpoint
    parameters: dict[str, Any] = {
        **FIELDS,
        "max_results": size,
        "start_time": pager.start,
        "end_time": None if pager.until_id else pager.end,
        "until_id": pager.until_id,
        endpoint.token_name: pager.token,
    }
    parameters["expansions"] = [*FREE_EXPANSIONS, *expansions_of(settings)]
    if endpoint is TIMELINE:
        return timeline(client, settings, str((account or {})["id"]), parameters)
    if endpoint is ARCHIVE:
        return json_of(client.search_all_tweets(query, **parameters))
    return json_of(client.search_recent_tweets(query, user_auth=client.signs, **parameters))


def timeline(client: XClient, settings: Settings, user_id: str, parameters: dict[str, Any]) -> JsonObject:
    """One page of a timeline, without what isn't wanted."""
    exclude = ["replies"] * (not settings.source.include_replies) + ["retweets"] * (
        not settings.source.include_retweets
    )
    if exclude:
        parameters = {**parameters, "exclude": exclude}
    return json_of(client.get_users_tweets(user_id, user_auth=client.signs, **parameters))


def json_of(response: Any) -> JsonObject:
    """The body of an answer; client.py has made sure that it's a JSON object."""
    document: JsonObject = parse_json(response.content)
    return document


def count(page: Page, spend: Spend) -> float:
    """Add a page to a bill. Returns what it adds at most, in USD."""
    before = spend.cost_usd_max
    spend.add_page([str(post.get("id")) for post in page.posts], page.users, page.included)
    return spend.cost_usd_max - before


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
        if kind in ("not-found", "suspended") and settings.source.account:
            forget(settings)
        who = f"@{settings.source.account}" if settings.source.account else "the search"
        meaning = {
            "not-found": "doesn't exist",
            "suspended": "is suspended",
            "not-authorized": "is protected, or not open to this app",
        }.get(kind, f"got an error of kind {kind}")
        detail = page.errors[0].get("detail") or page.errors[0].get("message") or ""
        raise BadDataError(
            f"X gives no posts: {who} {meaning} ({detail}).", hint="Check the name in a browser; nothing was written."
        )


def prove_depth(
    client: XClient, settings: Settings, account: JsonObject, drain: Drain, posts: int, spool: Spool, budget: Budget
) -> None:
    """Make sure that the window isn't cut by the depth of timelines: below it X answers 200 with no posts.

    Asked only when it's possible: when these posts, and as many as an account may have posted since the window's end,
    reach the depth. One older post is proof (a request of 5 posts); if there is none, an account of fewer posts than
    the depth is proof as well.
    """
    depth = depth_of(settings)
    start, now = drain.start, datetime.now(UTC)
    if start is None or not may_be_cut(posts, now - (drain.end or now), depth):
        return
    key, run = f"{spool.path.stem}#proof", budget.run
    before, before_usd, before_posts = run.requests, run.cost_usd_max, run.posts_billed
    budget.reserve(key, PROOF_POSTS * run.post_usd + PRICE_USD["user"], PROOF_POSTS)
    user_id = str(account["id"])
    proof: dict[str, Any] = {"max_results": PROOF_POSTS, "end_time": start, "tweet_fields": ["id"]}
    proven = False
    try:
        if start > TIMELINE_BEGIN:
            older = page_of(timeline(client, settings, user_id, proof))
            for spend in (run, drain.spend):
                count(older, spend)
            proven = bool(older.posts)
        if not proven:
            answer = json_of(client.get_user(id=user_id, user_auth=client.signs, user_fields=["public_metrics"]))
            for spend in (run, drain.spend):
                spend.users_billed += 1
            user = answer.get("data")
            metrics = user.get("public_metrics") if isinstance(user, dict) else None
            total = metrics.get("tweet_count", metrics.get("post_count")) if isinstance(metrics, dict) else None
            proven = isinstance(total, int) and total <= depth
    except EtlError:
        if not client.maybe_billed:
            budget.settle(key, run.cost_usd_max - before_usd, run.posts_billed - before_posts)
        raise
    finally:
        drain.spend.requests += run.requests - before
    budget.settle(key, run.cost_usd_max - before_usd, run.posts_billed - before_posts)
    if not proven:
        raise UsageError(
            f"@{account['username']}, {start:%Y-%m-%d}: X's timelines go back {depth:,} posts, and nothing older than "
            "this day can be reached, so posts of it may be missing.",
            hint="Use --archive (full-archive search, bearer token only, same price).",
        )


def may_be_cut(posts: int, since_end: timedelta, depth: int) -> bool:
    """Could the depth lie within a window of so many posts, which ended so long ago?"""
    return posts + POSTS_PER_HOUR * (since_end / timedelta(hours=1) + 1) >= depth


def look_up(client: XClient, settings: Settings, spool: Spool, budget: Budget, drain: Drain) -> JsonObject:
    """{"id", "username"} of the account: known from before, or from X for 0.010 USD."""
    if account := known_account(settings):
        return account
    key, least, user_usd = f"{spool.path.stem}#user", endpoint_of(settings).min_results, PRICE_USD["user"]
    # Useless without a page: both must be affordable.
    budget.posts_within(key, least, least, worst_post_usd(settings, post_usd_of(settings)), first_usd=user_usd)
    budget.reserve(key, user_usd)
    before = budget.run.requests
    try:
        document = json_of(client.get_user(username=settings.source.account, user_auth=client.signs))
    except EtlError:
        if not client.maybe_billed:
            budget.settle(key, 0)
        raise
    finally:
        drain.spend.requests += budget.run.requests - before
    user = next(iter(objects(document.get("data"))), {})
    budget.settle(key, user_usd * bool(user.get("id")))
    refuse_errors_only(page_of(document), settings, found=bool(user))
    if not user.get("id"):
        raise BadDataError(f"X knows no account @{settings.source.account}.", hint="Check the name in a browser.")
    for spend in (budget.run, drain.spend):
        spend.users_billed += 1
    account = {"id": str(user["id"]), "username": str(user.get("username") or settings.source.account)}
    remember(settings, account)
    return account
