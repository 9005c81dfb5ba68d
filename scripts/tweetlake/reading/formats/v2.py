"""Posts of the API v2 that aren't pages: one by one, flattened (`twarc2 flatten`), from a stream, as events.

Events: https://docs.x.com/x-api/activity/event-payloads
"""

from __future__ import annotations

import re
from typing import Any

from ...raw import JsonObject, Page, is_post, objects, page_of
from ...times import time_of_id
from .others import name_of

ID = re.compile(r"[0-9]{1,19}")
REFERENCES = ("referenced_posts", "referenced_tweets")


def page_of_v2(document: Any) -> Page:
    """The page of any document that has none of the other formats; without posts, `kind` says what it is."""
    if event := event_of(document):
        return page_of_event(event)
    page = page_of(document)
    if not page.posts:
        page.kind = name_of(document)
    elif not isinstance(document, dict) or "data" not in document:
        take_apart(page)
    elif "matching_rules" in document:
        page.kind = "v2 stream"
        date_by_id(page)
    return page


def take_apart(page: Page) -> None:
    """Flattened posts hold the posts they refer to; in a page those are beside them."""
    page.kind = "v2 posts"
    for post in page.posts:
        if isinstance(post.get("author"), dict):
            page.kind = "v2 flattened"
        for name in REFERENCES:
            for original in objects(post.get(name)):
                if isinstance(original.get("id"), str | int) and "text" in original:
                    page.kind = "v2 flattened"
                    page.included[str(original["id"])] = original
    if any("matching_rules" in post for post in page.posts):
        date_by_id(page)


def date_by_id(page: Page) -> None:
    """A stream that wasn't asked for `created_at` doesn't send it; the id holds it, X shows whole seconds."""
    for post in page.posts:
        digits = ID.fullmatch(str(post["id"])) if isinstance(post.get("id"), str | int) else None
        moment = time_of_id(int(digits[0])) if digits and post.get("created_at") is None else None
        if moment:
            post["created_at"] = moment.replace(microsecond=0).isoformat()
            page.dated_by_id += 1


def event_of(document: Any) -> JsonObject | None:
    """The event of the Activity API in this document, in its envelope or without it."""
    for event in (document.get("data"), document) if isinstance(document, dict) else ():
        if isinstance(event, dict) and "event_type" in event and isinstance(event.get("payload"), dict):
            return event
    return None


def page_of_event(event: JsonObject) -> Page:
    """A new post is a page of one; of other events only the name is taken."""
    payload = event["payload"]
    is_new = str(event["event_type"]).lower().startswith("post") and "text" in payload  # post.delete has no text
    if not (is_new and is_post(payload)):
        return Page(posts=[], kind=name_of({"data": event}))
    page = page_of({"data": payload, "includes": event.get("includes")})
    page.kind = "activity events"
    date_by_id(page)
    return page
