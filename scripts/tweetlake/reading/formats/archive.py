"""X's own archive, "Download an archive of your data": JavaScript files that assign lists to names.

The same posts as v1.1 has them, numbers as text, without their author: that is the account of the archive. Of retweets
and quotes it has the text and a link, no id. Long posts are in note-tweet.js, under ids of their own.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...raw import JsonObject, Page, objects
from ...times import moment_of
from .v1 import LINK_TO_POST, id_in, iso_time, object_in, page_of_tweets

ARCHIVE_KIND = "X archive"
POSTS = ("tweet", "tweets", "community_tweet", "community_tweets")
LEARNED = ("account", "manifest", "note_tweet")  # what says something about the posts in other files
OTHERS = {
    "deleted_tweets": "posts that were deleted",
    "deleted_tweet": "posts that were deleted",
    "deleted_tweet_headers": "ids of posts that were deleted",
    "deleted_note_tweet": "long posts that were deleted",
    "tweet_headers": "ids and times of posts, without text",
    "tweetdeck": "settings of TweetDeck",
    "like": "likes",
    "follower": "followers",
    "following": "followed accounts",
    "direct_messages": "direct messages",
    "direct_messages_group": "direct messages",
}
RETWEET = re.compile(r"RT @\w{1,15}: ", re.ASCII)
LEADING_MENTIONS = re.compile(r"(?:@\w{1,15}\s+)+", re.ASCII)
LINK_AT_END = re.compile(r"\s*https://t\.co/\w+\s*$", re.ASCII)
LONG_TEXT = 200  # characters that are enough to know a long post by
SAME_TIME_SECONDS = 10  # between a long post and its shortened one
NOTE_HEAD = 8  # characters by which long posts are sorted


@dataclass
class Archive:
    """What is known of the archive whose files are in one folder."""

    username: str | None = None
    account_id: str | None = None
    made_at: str | None = None
    notes: dict[str, list[JsonObject]] = field(default_factory=dict)  # by the head of the text

    def learn(self, document: Any) -> None:
        """From account.js, manifest.js or note-tweet.js."""
        if not isinstance(document, dict):
            return
        account = object_in(document, "account")
        owner = object_in(document, "userInfo")
        self.username = account.get("username") or owner.get("userName") or self.username
        self.account_id = account.get("accountId") or owner.get("accountId") or self.account_id
        self.made_at = object_in(document, "archiveInfo").get("generationDate") or self.made_at
        note = object_in(document, "noteTweet")
        if isinstance(text := object_in(note, "core").get("text"), str):
            self.notes.setdefault(body_of(text)[:NOTE_HEAD], []).append(note)

    def page_of(self, tweets: list[JsonObject]) -> Page:
        """A page of these posts, with what the archive's other files say about them."""
        page = page_of_tweets(tweets)
        page.kind = ARCHIVE_KIND
        page.collected_at = self.made_at
        for post, tweet in zip(page.posts, tweets, strict=True):
            if "author_id" not in post:
                post["author_id"] = self.account_id
                page.own = {"account": {"id": self.account_id, "username": self.username}}
            post["edit_history_tweet_ids"] = versions_of(tweet)
            page.cut_texts += self._complete(post, tweet)
        return page

    def _complete(self, post: JsonObject, tweet: JsonObject) -> bool:
        """Add what only the text tells. Is the text cut nevertheless?"""
        text = post.get("text")
        if not isinstance(text, str) or "retweeted_status" in tweet:
            return False
        if RETWEET.match(text):
            post["referenced_tweets"] = [{"type": "retweeted", "id": None}]
            return text.endswith("…")
        links = [str(link.get("expanded_url")) for link in objects(object_in(post, "entities").get("urls"))]
        if "is_quote_status" not in tweet and any(LINK_TO_POST.fullmatch(link) for link in links):
            post["referenced_tweets"].append({"type": "maybe quoted", "id": None})
        if note := self._note_of(post, tweet, html.unescape(text)):
            post["note_tweet"] = note
        return note is None and LINK_AT_END.sub("", text).endswith("…")

    def _note_of(self, post: JsonObject, tweet: JsonObject, text: str) -> JsonObject | None:
        """The whole text of a long post: the note that begins like this text and was made at that time."""
        begins = LINK_AT_END.sub("", text).removesuffix("…").rstrip() if "…" in text[-30:] else text
        mentions = LEADING_MENTIONS.match(begins)
        seconds_apart = {}
        for number, note in enumerate(notes := self.notes.get(body_of(begins)[:NOTE_HEAD], [])):
            apart = abs(seconds_of(note.get("createdAt")) - seconds_of(post.get("created_at")))
            same_id = note.get("noteTweetId") == id_in(tweet, "id")
            if not body_of(note["core"]["text"]).startswith(body_of(begins)):
                continue
            if same_id or apart <= SAME_TIME_SECONDS or len(begins) >= LONG_TEXT:
                seconds_apart[number] = -1 if same_id else apart
        if not seconds_apart:
            return None
        core = notes[min(seconds_apart, key=lambda number: seconds_apart[number])]["core"]
        whole = core["text"]
        if mentions and not LEADING_MENTIONS.match(whole):
            whole = mentions[0] + whole
        # Its text isn't escaped as those of posts are.
        return {"text": html.escape(whole, quote=False), "entities": entities_with(post.get("entities"), core)}


def body_of(text: str) -> str:
    """The text without the names that it answers to."""
    return LEADING_MENTIONS.sub("", text, count=1) if LEADING_MENTIONS.match(text) else text


def seconds_of(value: Any) -> float:
    """Seconds since 1970 of a time, 0 for anything else."""
    moment: datetime | None = moment_of(iso_time(value))
    return moment.timestamp() if moment else 0.0


def versions_of(tweet: JsonObject) -> Any:
    """All ids of an edited post, oldest first: `edit_info` of the first version, or of a later one."""
    info = object_in(tweet, "edit_info")
    first = object_in(info, "initial") or object_in(object_in(info, "edit"), "editControlInitial")
    return first.get("editTweetIds")


def entities_with(entities: Any, core: JsonObject) -> JsonObject:
    """Those of the shortened text, and of the whole."""
    known = entities if isinstance(entities, dict) else {}
    tags = [{"tag": tag.get("text") or tag.get("tag")} for tag in objects(core.get("hashtags"))]
    mentions = [{"username": user.get("screenName")} for user in objects(core.get("mentions"))]
    links = [
        {"expanded_url": link.get("expandedUrl"), "url": link.get("shortUrl")} for link in objects(core.get("urls"))
    ]
    return {
        "hashtags": objects(known.get("hashtags")) + tags,
        "mentions": objects(known.get("mentions")) + mentions,
        "urls": objects(known.get("urls")) + links,
    }


def section_of(name: str) -> str:
    """Which part of an archive is assigned to this JavaScript name; "" when it isn't one."""
    parts = name.removeprefix("window.").split(".")
    if parts[0] == "YTD" and len(parts) > 1:
        return parts[1]
    if parts[0] == "__THAR_CONFIG":
        return "manifest"
    if parts[:2] == ["Grailbird", "data"] and len(parts) > 2:
        return "tweets" if parts[2].startswith("tweets_") else parts[2]
    return ""


def name_of_section(section: str) -> str:
    """What a part without posts is called."""
    return "of an archive: " + OTHERS.get(section, section.replace("_", " "))
