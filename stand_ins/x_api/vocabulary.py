"""The two vocabularies of the X API: `tweet.*` (until 2026) and `post.*` (OpenAPI 2.167 and later).

The live server answers in the words of the parameter it was sent: `post.fields` gives the new keys, `tweet.fields`
or no such parameter the old ones. Both spellings of an expansion are taken either way (measured 2026-08-23).
Inside the simulator everything has the old names; this module translates on the way in and on the way out.
"""

from collections.abc import Mapping
from typing import Any

from .errors import NEW_PROBLEMS, OLD_PROBLEMS


def names(text: str) -> tuple[str, ...]:
    """Blank-separated names as a tuple."""
    return tuple(text.split())


TWEET_FIELDS = names(
    "article attachments author_id card_uri community_id context_annotations conversation_id created_at "
    "display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang "
    "matched_media_notes media_metadata non_public_metrics note_request_suggestions note_tweet organic_metrics "
    "paid_partnership possibly_sensitive promoted_metrics public_metrics referenced_tweets reply_settings scopes "
    "source suggested_source_links suggested_source_links_with_counts text withheld"
)
POST_FIELDS = names(
    "article article_title attachments card_uri community_id context_annotations conversation_id created_at "
    "display_text_range edit_controls entities geo id lang matched_media_notes media_metadata non_public_metrics "
    "note_post note_request_suggestions organic_metrics paid_partnership possibly_sensitive promoted_metrics "
    "public_metrics reply_settings scopes source suggested_source_links suggested_source_links_with_counts text "
    "withheld"
)

TWEET_EXPANSIONS = names(
    "article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet "
    "attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username geo.place_id "
    "in_reply_to_user_id entities.note.mentions.username referenced_tweets.id "
    "referenced_tweets.id.attachments.media_keys referenced_tweets.id.author_id"
)
POST_EXPANSIONS = names(
    "article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet "
    "attachments.poll_ids author_id edit_history_post_ids entities.mentions.username geo.place_id "
    "in_reply_to_user_id referenced_posts username"
)

OLD_EXPANSION = {"referenced_posts": "referenced_tweets.id", "edit_history_post_ids": "edit_history_tweet_ids"}
OLD_FIELD = {"note_post": "note_tweet"}

NEW_POST_KEY = {
    "note_tweet": "note_post",
    "referenced_tweets": "referenced_posts",
    "edit_history_tweet_ids": "edit_history_post_ids",
}
"""Keys of a post that were renamed; `public_metrics.retweet_count` and `includes.tweets` are handled below."""


def speaks_post(query: Mapping[str, str]) -> bool:
    """Whether this request is answered in the new vocabulary."""
    return "post.fields" in query


def to_post_vocabulary(body: dict[str, Any]) -> dict[str, Any]:
    """The same answer in the new words. User objects keep `tweet_count`, as seen on the wire in September 2026."""
    renamed = dict(body)
    if isinstance(body.get("data"), list):
        renamed["data"] = [_post(post) for post in body["data"]]
    if "includes" in body:
        includes = dict(body["includes"])
        if "tweets" in includes:
            includes["posts"] = [_post(post) for post in includes.pop("tweets")]
        renamed["includes"] = includes
    if "errors" in body:
        renamed["errors"] = [_problem(problem) for problem in body["errors"]]
    return renamed


def _post(post: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {NEW_POST_KEY.get(key, key): value for key, value in post.items()}
    if "public_metrics" in post:
        metrics = post["public_metrics"]
        renamed["public_metrics"] = {
            {"retweet_count": "repost_count"}.get(name, name): count for name, count in metrics.items()
        }
    return renamed


def _problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {**problem, "type": problem["type"].replace(OLD_PROBLEMS, NEW_PROBLEMS)}
    if problem.get("resource_type") == "tweet":
        renamed["resource_type"] = "post"
    if problem.get("parameter") == "referenced_tweets.id":
        renamed["parameter"] = "referenced_posts"
        renamed["detail"] = problem["detail"].replace("referenced_tweets.id", "referenced_posts")
    return renamed
