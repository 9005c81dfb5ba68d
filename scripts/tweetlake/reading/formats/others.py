"""JSON that has no posts, called by its name, so that nobody has to guess what was taken for a page."""

from __future__ import annotations

from typing import Any

from ...raw import JsonObject, objects

ANYTHING_ELSE = "JSON without posts"

# What is there, and then what it is: the first that fits.
NAMES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("tweet_count", "start"), "counts"),
    (("post_count", "start"), "counts"),
    (("dm_conversation_id",), "direct messages"),
    (("message_create",), "direct messages"),
    (("dmConversation",), "direct messages"),
    (("sender_screen_name",), "direct messages"),
    (("rest_id", "legacy"), "answers of X's own web site"),
    (("_type", "rawContent"), "what snscrape wrote"),
    (("objectType", "verb"), "Gnip activity streams"),
    (("action", "reason"), "a compliance job's result"),
    (("action", "redacted_at"), "a compliance job's result"),
    (("upload_url", "download_url"), "compliance jobs"),
    (("delete",), "notices of a stream"),
    (("limit",), "notices of a stream"),
    (("scrub_geo",), "notices of a stream"),
    (("status_withheld",), "notices of a stream"),
    (("user_withheld",), "notices of a stream"),
    (("disconnect",), "notices of a stream"),
    (("warning",), "notices of a stream"),
    (("friends",), "notices of a stream"),
    (("like",), "likes"),
    (("tweetId", "fullText"), "likes"),
    (("screen_name",), "v1.1 users"),
    (("username",), "users"),
    (("member_count",), "lists"),
    (("follower_count",), "lists"),
    (("owner_id", "private"), "lists"),
    (("state", "host_ids"), "Spaces"),
    (("trend_name",), "trends"),
    (("media_key",), "media"),
    (("voting_status",), "polls"),
    (("full_name", "country_code"), "places"),
    (("value", "id"), "rules of a stream"),
    (("reason", "post"), "rejected posts of an earlier run"),
    (("content_sha256", "files"), "the manifest of a day"),
    (("id", "name"), "users or lists"),
)


def name_of(document: Any) -> str:
    """What a document without posts is."""
    if not isinstance(document, dict):
        return ANYTHING_ELSE
    if "event_type" in document:
        return name_of_event(document)
    data = document.get("data")
    if isinstance(data, dict) and "event_type" in data:
        return name_of_event(data)
    if data or "data" in document:
        return name_of_items(objects(data)) if objects(data) else "empty v2 pages"
    if isinstance(document.get("errors"), list) or {"title", "type"} <= document.keys():
        return "errors only"
    if isinstance(document.get("users"), list):
        return "v1.1 users"
    if isinstance(meta := document.get("meta"), dict) and "result_count" in meta:
        return "empty v2 pages"
    return name_of_items([document])


def name_of_items(items: list[JsonObject]) -> str:
    """What these are, by the keys of the first."""
    first = items[0]
    if "event_type" in first:
        return name_of_event(first)
    if "id" in first and "action" in first and "text" not in first:
        return "a compliance job's result"
    return next((name for keys, name in NAMES if all(key in first for key in keys)), ANYTHING_ELSE)


def name_of_event(event: JsonObject) -> str:
    """Of a direct message or of the Activity API, which has many kinds: follow.follow, profile.update.bio."""
    kind = str(event.get("event_type"))
    if kind in ("MessageCreate", "ParticipantsJoin", "ParticipantsLeave") or kind.startswith(("dm.", "chat.")):
        return "direct messages"
    return f"activity events ({kind[:40]})"
