"""The story of one window: its posts come from X, page by page, into the spool."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import GoneError, StaleTokenError, UsageError, XUnavailableError
from ..raw import OWN_KEY, JsonObject, Page, page_of
from ..times import iso, moment_of, utc_now
from .accounts import Accounts, look_up, refuse_errors_only, refuse_strangers
from .budget import Bill, Budget
from .depth import prove_depth
from .pager import Pager
from .prices import Spend
from .progress import Progress
from .spool import Spool
from .window import Window

if TYPE_CHECKING:
    from .client import XClient

log = logging.getLogger(__name__)


@dataclass
class Drain:
    """What a window is drained with, how far it has come, and how it ended.

    `start` and `end` are the window's, or those that an earlier run has asked for. `posts` are those of all pages, and
    so is `spend`: pages of an earlier, unfinished run are included. `budget.run` counts what this run asked.
    """

    window: Window
    client: XClient
    spool: Spool
    budget: Budget
    accounts: Accounts
    start: datetime | None
    end: datetime | None
    collected_at: datetime  # when the first page was asked for; UTC, whole seconds
    account: JsonObject = field(default_factory=dict)  # {"id", "username"}; empty: a query
    spend: Spend = field(default_factory=Spend)
    posts: int = 0
    pages: int = 0
    pages_resumed: int = 0
    gone: str = ""  # why X stopped showing the posts halfway
    complete: bool = True  # False: cut by --limit or --latest, or by the end of the day's settled part

    @property
    def has_rest(self) -> bool:
        """Is there more to come than what is landed? X showed the account no more, or its clock was behind."""
        return bool(self.gone) or (holds_day(self.window, self.window.end) and not holds_day(self.window, self.end))

    def facts(self) -> JsonObject:
        """For the manifest."""
        return {
            "query": self.window.query,
            "window": {"start": iso(self.start), "end": iso(self.end)},
            "complete": self.complete,
            "pages": self.pages,
            "pages_resumed": self.pages_resumed,
            **self.spend.as_dict(),
            **({"incomplete_reason": self.gone} if self.gone else {}),
        }

    def key(self, what: str) -> str:
        """Names a request in the ledger: the same one in every run of this window."""
        return f"{self.spool.path.stem}#{what}"

    def bracket(self, what: str, worst_usd: float, posts: int = 0) -> AbstractContextManager[Bill]:
        """The budget's bracket for a request of this window."""
        return self.budget.bracket(self.key(what), worst_usd, posts, self.spend)


def extract(window: Window, client: XClient, spool: Spool, budget: Budget, accounts: Accounts) -> Drain:
    """Fill the spool with all pages of the window. Pages of an earlier run are not asked for again.

    Raises EtlError; the spool keeps what came.
    """
    now = utc_now().replace(microsecond=0)
    drain = Drain(window, client, spool, budget, accounts, window.start, window.end, collected_at=now)
    kept = spool.open()
    pages = [page for page in kept if not page.own.get("depth_proven")]
    identify(drain, pages)
    with Progress(window.label, drain.spend) as progress:
        pager = replay(drain, pages, progress)
        proven = len(kept) > len(pages)
        drain_part(drain, pager, progress)
        drain.end = pager.end
        if not drain.gone and holds_day(window, reach_of(drain)) and not holds_day(window, drain.end):
            # The pages of an earlier run end in the middle of the day: only what came after them is asked for.
            log.info("%s was asked for until %s; now the rest of it.", window.day, iso(drain.end))
            pager = Pager(window, drain.end, window.end)
            proven = False
            drain_part(drain, pager, progress)
            drain.end = pager.end
    if not holds_day(window, drain.end):
        drain.complete = False
        log.warning(
            "%s isn't over (or settled): its posts after %s are missing. Run it again then.", window.day, drain.end
        )
    if not (proven or pager.cut):
        prove(drain)
    return drain


def identify(drain: Drain, pages: list[Page]) -> None:
    """Find out whose posts these are and what one costs. `pages` of an earlier run say it, and what they asked for."""
    window, name = drain.window, drain.window.source.account
    if pages:
        first, last = pages[0], pages[-1]
        drain.account = first.own.get("account") or {}
        drain.start, drain.end = moment_of(first.own.get("start")), moment_of(last.own.get("end"))
        drain.collected_at = moment_of(first.collected_at) or drain.collected_at
        drain.spend.users_billed = int(last.own.get("users_billed") or 0)
    if name and not drain.account.get("id"):
        drain.account = look_up(drain, name)
        drain.client.clock.check()
    drain.window = window.priced_for(drain.account.get("id"))
    drain.budget.run.post_usd = drain.spend.post_usd = drain.window.post_usd


def replay(drain: Drain, pages: list[Page], progress: Progress) -> Pager:
    """Take the pages of an earlier run as if they came now. Returns the pager that goes on after them."""
    pager = Pager(drain.window, drain.start, drain.end)
    for page in pages:
        start, end = moment_of(page.own.get("start")), moment_of(page.own.get("end"))
        if end != pager.end:  # the day had got longer: see extract
            pager = Pager(drain.window, start, end)
        drain.posts += pager.take(page)
        drain.spend.add_page(page)
        drain.spend.requests += 1
        progress.page(page)
    drain.pages = drain.pages_resumed = len(pages)
    if pages:
        log.info("Going on after %d pages in %s.", len(pages), drain.spool.path)
        drain.budget.catch_up(drain.key(""), pages)
    return pager


def drain_part(drain: Drain, pager: Pager, progress: Progress) -> None:
    """All pages of what the pager walks through."""
    while pager.more:
        try:
            page = next_page(drain, pager)
        except GoneError as error:
            end_early(drain, pager, error)
            return
        if page:
            progress.page(page)
    drain.complete = drain.complete and not pager.cut


def end_early(drain: Drain, pager: Pager, error: GoneError) -> None:
    """Make do with what came, if the user wants that. Raises the error if not, or if nothing came."""
    if not drain.posts:
        raise error
    if not drain.window.land_incomplete:
        error.hint = f"--land-incomplete lands the {drain.posts} posts that came before, as an incomplete day."
        raise error
    log.warning("%s Landing the %d posts that came before.", error.message, drain.posts)
    pager.more, pager.cut = False, True
    drain.gone, drain.complete = error.message, False


def next_page(drain: Drain, pager: Pager) -> Page | None:
    """One more page, kept and paid for; None when its token is void, and the pager goes on in another way."""
    window = drain.window
    number = str(drain.pages)
    size = drain.budget.posts_within(
        drain.key(number), pager.page_size(), window.endpoint.min_results, window.worst_post_usd
    )
    drain.spool.require_room(size)
    try:
        with drain.bracket(number, size * window.worst_post_usd, size) as bill:
            document = ask(drain, pager, size)
            page = page_of(document)
            refuse_errors_only(page, drain.accounts, window.source)
            refuse_no_answer(page, window.label)
            bill.add_page(page)  # whether the disk takes it or not
            refuse_strangers(drain, page)
            pager.shorten(reached(drain))
            leads_back = bool(pager.token) and pager.has_taken(page)  # the token does, also in every later run
            if not leads_back:
                keep(drain, pager, page, document)
    except StaleTokenError:
        if not pager.token:
            raise
        leads_back = True
    except UsageError:
        if not pager.shorten(reached(drain)):
            raise
        pager.asked_end = pager.end  # a search refuses an end that isn't over
        drain.client.clock.check()
        return None
    drain.client.clock.check()  # now that the page is kept
    if leads_back:
        pager.go_on()
        return None
    return page


def reached(drain: Drain) -> datetime:
    """Up to when X has shown all posts that it had when it was last asked, by its own clock."""
    return drain.client.clock.sent_at - drain.window.endpoint.settled


def reach_of(drain: Drain) -> datetime | None:
    """Where the window ends, or how far X can give it now."""
    end, clock = drain.window.end, drain.client.clock
    return min(end, clock.now - drain.window.endpoint.settled) if end and clock.is_known else end


def ask(drain: Drain, pager: Pager, size: int) -> JsonObject:
    """The answer with the next `size` posts."""
    parameters = drain.window.parameters | pager.parameters(size)
    return drain.client.posts(drain.window, drain.account.get("id"), parameters)


def keep(drain: Drain, pager: Pager, page: Page, document: JsonObject) -> None:
    """Put a page into the spool, with what a later run has to know of it; not one whose posts are all there already."""
    own = {
        "collected_at": iso(drain.collected_at),
        "account": drain.account or None,
        "query": drain.window.query,
        "users_billed": drain.spend.users_billed,
        **pager.bounds,
    }
    new = pager.take(page)
    if page.posts and not new:
        return
    drain.spool.append(document | {OWN_KEY: own})
    drain.posts += new
    drain.pages += 1


def prove(drain: Drain) -> None:
    """The proof of depth, kept as an empty page: a retry of the upload needs X no more."""
    if not drain.window.depth or drain.start is None:
        return
    try:
        prove_depth(drain)
    except UsageError:
        if not drain.posts:
            drain.spool.remove()  # nothing was paid for: nothing to keep
        raise
    drain.spool.append({"data": [], "meta": {"result_count": 0}, OWN_KEY: {"depth_proven": True}})


def holds_day(window: Window, end: datetime | None) -> bool:
    """Does a window that ends then hold all of the day? The latest posts are of no day."""
    return window.day is None or (end is not None and end.date() > window.day)


def refuse_no_answer(page: Page, label: str) -> None:
    """A page without posts says so (`result_count` 0). `{}`, or a `data` nobody can read, isn't an empty day."""
    if not page.posts and page.meta.get("result_count") != 0:
        raise XUnavailableError(
            f"{label}: X answered 200 with neither posts nor the statement that there are none.",
            hint="Run it again later; nothing was written.",
        )
