"""What is asked of each post: every public field, and what comes along at no price.

What isn't asked now can't be rebuilt from the raw pages later. Names are those of OpenAPI 2.166 (`tweet.*`): still
honoured in 2026, and the only ones tweepy knows. Reading accepts both vocabularies.
"""

from __future__ import annotations

# Left out: `context_annotations`, which cuts a page of the archive from 500 posts to 100; the metrics that only the
# author may see (`non_public_metrics`, `organic_metrics`, `promoted_metrics`: X refuses them to others); and what
# belongs to the programme of Community Notes (`matched_media_notes`, `note_request_suggestions`,
# `suggested_source_links`, `suggested_source_links_with_counts`).
TWEET_FIELDS = [
    "article",
    "attachments",
    "author_id",
    "card_uri",
    "community_id",
    "conversation_id",
    "created_at",
    "display_text_range",
    "edit_controls",
    "edit_history_tweet_ids",
    "entities",
    "geo",
    "id",
    "in_reply_to_user_id",
    "lang",
    "media_metadata",
    "note_tweet",
    "paid_partnership",
    "possibly_sensitive",
    "public_metrics",
    "referenced_tweets",
    "reply_settings",
    "scopes",
    "source",
    "text",
    "withheld",
]
MEDIA_FIELDS = [
    "alt_text",
    "duration_ms",
    "height",
    "media_key",
    "preview_image_url",
    "public_metrics",
    "type",
    "url",
    "variants",
    "width",
]
PLACE_FIELDS = ["contained_within", "country", "country_code", "full_name", "geo", "id", "name", "place_type"]

FIELDS = {"tweet_fields": TWEET_FIELDS, "media_fields": MEDIA_FIELDS, "place_fields": PLACE_FIELDS}
# Of what comes along, X lists a price for posts and users only (see prices.py).
FREE_EXPANSIONS = ["attachments.media_keys", "geo.place_id"]
