"""Posts of the API v1.1 in the shape of v2: extended or compatible, of a stream, of a search, of account activity.

What v1.1 doesn't say (replies, quotes, bookmarks, impressions, the conversation) stays out, so that it is null.
"""

from __future__ import annotations

import re
from typing import Any

from ...raw import JsonObject, Page, objects
from .others import name_of
from .v2 import date_by_id

# "Wed Oct 10 20:19:24 +0000 2018", and of archives before 2018 "2018-10-10 20:19:24 +0000". Not by strptime, which
# reads the month in the language of the machine.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
V1_TIME = re.compile(
    r"[A-Z][a-z]{2} (?P<month>" + "|".join(MONTHS) + r") (?P<day>\d\d) "
    r"(?P<time>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4}) (?P<year>\d{4})",
    re.ASCII,
)
OLD_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)", re.ASCII)
LINK_TO_POST = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/\w+/status(?:es)?/(\d+)/?(?:\?.*)?", re.ASCII
)
COUNTS = {
    "favorite_count": "like_count",
    "retweet_count": "retweet_count",
    "reply_count": "reply_count",  # of streams only
    "quote_count": "quote_count",
}
LISTS = ("statuses", "tweet_create_events")  # of a search, of account activity


def tweets_in(document: Any) -> list[JsonObject] | None:
    """The posts of v1.1 in a document; None when it has another format."""
    if not isinstance(document, dict):
        return None
    for name in LISTS:
        if isinstance(document.get(name), list):
            return [tweet for tweet in objects(document[name]) if is_tweet(tweet)]
    return [document] if is_tweet(document) else None


def is_tweet(item: JsonObject) -> bool:
    """Has it a text, and something only v1.1 writes? Direct messages have a recipient, too."""
    if not ("text" in item or "full_text" in item) or "recipient_id" in item or "recipient" in item:
        return False
    if "id_str" in item or "full_text" in item:
        return True
    user = item.get("user")
    has_user = isinstance(user, dict) and ("screen_name" in user or "id_str" in user)
    return has_user or ("author_id" not in item and iso_time(item.get("created_at")) != item.get("created_at"))


def page_of_tweets(tweets: list[JsonObject], document: Any = None) -> Page:
    """One page of these; without any, `kind` says what the document is."""
    if not tweets:
        empty = isinstance(document, dict) and any(document.get(name) == [] for name in LISTS)
        return Page(posts=[], kind="empty v1.1 pages" if empty else name_of(document))
    page = Page(posts=[], kind="v1.1", originals=tweets)
    for tweet in tweets:
        page.posts.append(post_of(tweet))
        page.cut_texts += is_cut(tweet)
        retweeted = tweet.get("retweeted_status")
        if isinstance(retweeted, dict) and (original_id := id_in(retweeted, "id")) is not None:
            page.included[str(original_id)] = post_of(retweeted)
        user = object_in(tweet, "user")
        if isinstance(name := user.get("screen_name"), str):
            page.users[str(id_in(user, "id"))] = name
    date_by_id(page)
    return page


def post_of(tweet: JsonObject) -> JsonObject:
    """One post of v1.1 in the shape of v2, without what isn't known."""
    extended = object_in(tweet, "extended_tweet")
    place = object_in(tweet, "place").get("full_name")
    texts = (extended.get("full_text"), tweet.get("full_text"), tweet.get("text"))
    countries = tweet.get("withheld_in_countries")
    post = {
        "id": id_in(tweet, "id"),
        "created_at": iso_time(tweet.get("created_at")),
        "author_id": id_in(object_in(tweet, "user"), "id"),
        "text": next((text for text in texts if isinstance(text, str)), None),
        "lang": tweet.get("lang"),
        "public_metrics": {new: tweet[old] for old, new in COUNTS.items() if tweet.get(old) is not None},
        "in_reply_to_user_id": id_in(tweet, "in_reply_to_user_id"),
        "referenced_tweets": references_of(tweet),
        "possibly_sensitive": tweet.get("possibly_sensitive"),
        "entities": entities_of(extended if isinstance(extended.get("entities"), dict) else tweet),
        "attachments": attachments_of(extended) or attachments_of(tweet),
        "geo": None if place is None else {"full_name": place},
        "edit_history_tweet_ids": object_in(tweet, "edit_history").get("edit_tweet_ids"),
        "withheld": {"country_codes": countries} if isinstance(countries, list) else None,
    }
    return {key: value for key, value in post.items() if value is not None}


def references_of(tweet: JsonObject) -> list[JsonObject]:
    """As v2 lists them: a retweet refers to its original alone."""
    if isinstance(retweeted := tweet.get("retweeted_status"), dict):
        return [{"type": "retweeted", "id": id_in(retweeted, "id")}]
    found = []
    if (answered := id_in(tweet, "in_reply_to_status_id")) is not None:
        found.append({"type": "replied_to", "id": answered})
    quoted = id_in(tweet, "quoted_status_id") or id_in(object_in(tweet, "quoted_status"), "id")
    if quoted is None and (link := object_in(tweet, "quoted_status_permalink").get("expanded")):
        named = LINK_TO_POST.fullmatch(str(link))
        quoted = named[1] if named else None
    if quoted is not None or tweet.get("is_quote_status") is True:
        found.append({"type": "quoted", "id": quoted})
    return found


def entities_of(tweet: JsonObject) -> JsonObject | None:
    """Hashtags, mentions and links under the names of v2, where media are links, too, in the order of the text."""
    entities = tweet.get("entities")
    if not isinstance(entities, dict):
        return None
    links = objects(entities.get("urls")) + objects(entities.get("media"))
    return {
        "hashtags": [{"tag": tag.get("text")} for tag in objects(entities.get("hashtags"))],
        "mentions": [{"username": user.get("screen_name")} for user in objects(entities.get("user_mentions"))],
        "urls": sorted(links, key=start_of),
    }


def start_of(entity: JsonObject) -> int:
    """Where it begins in the text."""
    indices = entity.get("indices")
    return number_of(indices[0]) if isinstance(indices, list) and indices else 0


def number_of(value: Any) -> int:
    """A small number; archives write it as text. 0 for anything else."""
    text = str(value) if isinstance(value, str | int) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0


def attachments_of(tweet: JsonObject) -> JsonObject | None:
    """Photos, videos and GIFs, as `twarc2 flatten` writes them; `entities` has the first photo only."""
    for name in ("extended_entities", "entities"):
        if found := objects(object_in(tweet, name).get("media")):
            return {"media": [medium_of(medium) for medium in found]}
    return None


def medium_of(medium: JsonObject) -> JsonObject:
    """A medium under the names of v2. The picture of a video is only its preview."""
    address = "url" if medium.get("type") == "photo" else "preview_image_url"
    variants = [
        variant | {"bit_rate": number_of(variant.get("bitrate"))}
        for variant in objects(object_in(medium, "video_info").get("variants"))
    ]
    return {"type": medium.get("type"), address: medium.get("media_url_https"), "variants": variants}


def is_cut(tweet: JsonObject) -> bool:
    """Compatible posts end at 140 characters unless the rest came with them."""
    whole = "full_text" in tweet or "full_text" in object_in(tweet, "extended_tweet") or "retweeted_status" in tweet
    return tweet.get("truncated") is True and not whole


def id_in(item: JsonObject, name: str) -> Any:
    """As text where it is there: JavaScript has rounded the number. 0 and "" are no ids."""
    return item.get(f"{name}_str") or item.get(name) or None


def object_in(item: JsonObject, name: str) -> JsonObject:
    value = item.get(name)
    return value if isinstance(value, dict) else {}


def iso_time(value: Any) -> Any:
    """A time as v1.1 or an old archive writes it, as ISO 8601; anything else as it is."""
    if not isinstance(value, str):
        return value
    if found := V1_TIME.fullmatch(value):
        month, zone = MONTHS.index(found["month"]) + 1, found["zone"]
        return f"{found['year']}-{month:02}-{found['day']}T{found['time']}{zone[:3]}:{zone[3:]}"
    if found := OLD_TIME.fullmatch(value):
        return f"{found[1]}T{found[2]}{found[3]}:{found[4]}"
    return value
