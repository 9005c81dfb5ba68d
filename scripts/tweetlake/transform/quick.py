"""From plain posts (tweetlake/plain.py) to rows: what rows.py does, without a look at what is known already."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET

from ..columns import Row
from ..plain import Entities, Geo, Included, Medium, Metrics, Note, Post
from ..raw import Page
from .rows import title_of, unescape

Texts = list[str]
NO_TEXTS: Texts = []  # shared: a row's lists are only read
NO_METRICS = Metrics()


def quick_row_of(post: Post, page: Page, collected_at: datetime | None) -> Row:
    """One plain post as a row, the same as row_of makes of it."""
    author_id = post.author_id
    username = (page.users.get(author_id) if author_id else None) or account_of(page, author_id)
    references = post.referenced_tweets
    if references:
        refers = {"retweeted" if r.type == "reposted" else r.type: r.id for r in references}
        retweeted, replied_to, quoted = refers.get("retweeted"), refers.get("replied_to"), refers.get("quoted")
        original = page.included.get(retweeted) if retweeted else None
    else:
        retweeted = replied_to = quoted = original = None
    if original is None:
        text, entities = note_or_text(post)
    else:
        text, entities = text_of_retweet(post, original)  # type: ignore[arg-type]
    metrics = post.public_metrics or NO_METRICS
    history = post.edit_history_tweet_ids
    if post.attachments is None and original is None:
        media_types = media_urls = None
    else:
        media_types, media_urls = media_lists(post, original, page)  # type: ignore[arg-type]
    withheld, geo = post.withheld, post.geo
    article_title = None
    if post.article is not None or post.article_title is not None:
        article_title = title_of(post.article_title, post.article)
    return (
        post.id,
        datetime.fromisoformat(post.created_at),
        clean(username) if username else username,
        author_id,
        clean(unescape(text) if "&" in text else text),
        clean(post.lang) if post.lang else post.lang,
        metrics.like_count,
        metrics.retweet_count,
        metrics.reply_count,
        metrics.quote_count,
        metrics.bookmark_count,
        metrics.impression_count,
        replied_to is not None or bool(post.in_reply_to_user_id),
        retweeted is not None,
        quoted is not None,
        post.conversation_id,
        retweeted or replied_to or quoted,
        f"https://x.com/{username or 'i'}/status/{post.id}",
        *entity_lists(entities),
        None if history is None else len(history) > 1,
        history,
        post.possibly_sensitive,
        None if withheld is None else once(withheld.country_codes or ()),
        collected_at,
        media_types,
        media_urls,
        article_title,
        place_of(geo, page) if geo else None,
    )


def account_of(page: Page, author_id: str | None) -> str | None:
    """The user name, where the page was asked from one account and brings no users."""
    account = page.own.get("account")
    if isinstance(account, dict) and account.get("id") in (None, author_id):
        username = account.get("username")
        return username if isinstance(username, str) else None
    return None


def note_or_text(post: Post | Included) -> tuple[str, Entities | None]:
    """The full text and its entities, still with HTML entities."""
    note: Note | None = post.note_tweet
    if note is None:
        return post.text, post.entities
    return note.text, post.entities if note.entities is UNSET else note.entities


def text_of_retweet(post: Post, original: Included) -> tuple[str, Entities | None]:
    """A retweet's own text is cut, so "RT @name: " + the original's."""
    full, entities = note_or_text(original)
    head, separator, _ = post.text.partition(": ")
    return f"{head}: {full}" if separator and head.startswith("RT @") else post.text, entities


def entity_lists(entities: Entities | None) -> tuple[Texts | None, Texts | None, Texts | None]:
    """(hashtags, mentions, links), each value once; all None when the API gave no entities."""
    if entities is None:
        return None, None, None
    tags, mentions, links = entities.hashtags, entities.mentions, entities.urls
    return (
        once(tag.tag for tag in tags) if tags else NO_TEXTS,
        once(mention.username for mention in mentions) if mentions else NO_TEXTS,
        once(link.expanded_url or link.url for link in links) if links else NO_TEXTS,
    )


def once(values: Iterable[str | None]) -> Texts:
    """The texts, each once, in their order."""
    return list(dict.fromkeys(clean(value) for value in values if value is not None))


def clean(text: str) -> str:
    """NUL, which no CSV reader agrees on, becomes U+FFFD."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def media_lists(post: Post, original: Included | None, page: Page) -> tuple[Texts | None, Texts | None]:
    """(type, address) of each photo, video and GIF."""
    attachments = post.attachments
    if attachments is None and original is not None:
        attachments = original.attachments
    if attachments is None:
        return None, None
    keys = attachments.media_keys or ()
    media: list[Medium] = [page.media[key] for key in keys if key in page.media]  # type: ignore[misc]
    if keys and not media:
        return None, None
    return [clean(medium.type) for medium in media if medium.type], once(address_of(medium) for medium in media)


def place_of(geo: Geo, page: Page) -> str | None:
    """The full name of the place that the author has tagged."""
    name = page.places.get(geo.place_id or "", geo.full_name)
    return clean(name) if name else name


def address_of(medium: Medium) -> str | None:
    """Of a photo, of a video's best MP4, or at least of its preview."""
    if medium.url or not medium.variants:
        return medium.url or medium.preview_image_url
    files = [variant for variant in medium.variants if variant.content_type == "video/mp4" and variant.url]
    best = max(files, key=lambda variant: variant.bit_rate or 0, default=None)
    return best.url if best else medium.preview_image_url
