"""From a stub to a whole post, with everything X could return about it, in the old (`tweet`) vocabulary."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from . import errors
from .texts import (
    CASHTAGS,
    EMOJI,
    FOREIGN,
    FRIENDS,
    SOURCES,
    TAGS,
    Cashtag,
    Hashtag,
    Link,
    Mention,
    Piece,
    compose,
    link,
    sentence,
)
from .world import Account, Stub, account_named, account_with, digest, earlier_id, time_of

SHOWN_CHARACTERS = 275  # a longer text is cut here and stands whole in note_tweet only
RETWEET_CHARACTERS = 140
VIEWS_SINCE = date(2022, 12, 15)  # older posts have no impression_count and no bookmark_count (recordings)
EDITABLE = timedelta(hours=1)


@dataclass(slots=True)
class Post:
    """`body` holds every field; the rest is what the expansions may add to a page."""

    body: dict[str, Any]
    referenced: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    mentioned: list[Account] = field(default_factory=list)
    media: list[dict[str, Any]] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Partial errors by the expansion that brings them up."""


def timestamp(moment: datetime) -> str:
    """As X writes it: whole seconds, with a fraction of .000."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@lru_cache(maxsize=20_000)
def build(stub: Stub) -> Post:
    """The post of this stub. Callers must not change it: it is shared."""
    rng = Random(digest("post", stub.id))
    pieces, extra = _pieces(stub, rng)
    post = Post(_body(stub.id, stub.account, pieces, rng))
    post.mentioned = [account_with(piece.id) for piece in pieces if isinstance(piece, Mention)]
    for account in post.mentioned:
        if account.kind == "suspended":
            post.problems["entities.mentions.username"] = [
                errors.suspended_user("entities.mentions.username", account.username)
            ]
    _apply(stub, post, rng)
    _tag_place(stub, post)
    _head_article(stub, post)
    post.body.update(extra)
    return post


def _mention(username: str) -> Mention:
    account = account_named(username)
    return Mention(account.username, account.id)


def _pieces(stub: Stub, rng: Random) -> tuple[list[Piece], dict[str, Any]]:
    """What the post says, and fields that follow from it."""
    friend = rng.choice(FRIENDS)
    words = sentence(rng)
    match stub.recipe:
        case "emoji":
            return [f"{rng.choice(EMOJI)} {words} {rng.choice(EMOJI)}{rng.choice(EMOJI)}"], {}
        case "newlines":
            return [f"{words}\n\n- {sentence(rng)}\n- {sentence(rng)}\r\n"], {}
        case "quotes":
            return [f'"{words}", she said; it\'s 5" long, \\"really\\", and that, too, is true\t.'], {}
        case "html":
            return [f"<b>{words}</b> & more: 1 < 2 > 0 ", Hashtag(rng.choice(TAGS)), " &c."], {}
        case "typed_entity":
            # The author typed "&amp;" itself: decoding the entities twice would lose it.
            return [f"In HTML write &amp; for an ampersand and &lt;br&gt; for a break. {words}"], {}
        case "hashtags":
            return [words, " ", Hashtag(rng.choice(TAGS)), " ", Hashtag(rng.choice(TAGS))], {}
        case "cashtag":
            return [words, " ", Cashtag(rng.choice(CASHTAGS))], {}
        case "mention":
            return [words, " thanks to ", _mention(friend), " and ", _mention(rng.choice(FRIENDS))], {}
        case "links":
            return [words, " ", link(rng), " ", link(rng)], {}
        case "foreign":
            lang, text = rng.choice(FOREIGN)
            return [f"\u200f{text} {rng.choice(EMOJI)}\u200b"], {"lang": lang}
        case "formula":
            # A spreadsheet takes such a cell for a formula.
            return [f'=HYPERLINK("https://example.org","{words}")+1'], {}
        case "long" | "long_with_links":
            paragraphs = [f"{words}. {sentence(rng)} & {sentence(rng)}.\n" for _ in range(rng.randrange(4, 9))]
            ending: list[Piece] = [Hashtag(rng.choice(TAGS))]
            if stub.recipe == "long_with_links":
                ending += [" ", _mention(friend), " ", link(rng), " The end \U0001f31f"]
            return ["".join(paragraphs), *ending], {}
        case "reply" | "reply_hidden":
            return [_mention(friend), f" {words}"], {"in_reply_to_user_id": account_named(friend).id}
        case "self_reply":
            return [f"2/ {words}"], {"in_reply_to_user_id": stub.account.id}
        case "suspended_mention":
            return [words, " says ", _mention("suspended")], {}
        case _:
            return [f"{words}."], {}


def _body(post_id: int, account: Account, pieces: list[Piece], rng: Random) -> dict[str, Any]:
    """A plain post with every field that posts have in common."""
    made = time_of(post_id)
    text, entities = compose(pieces)
    body: dict[str, Any] = {
        "id": str(post_id),
        "edit_history_tweet_ids": [str(post_id)],
        "author_id": account.id,
        "conversation_id": str(post_id),
        "created_at": timestamp(made),
        "lang": "en",
        "possibly_sensitive": False,
        "reply_settings": "everyone",
        "source": rng.choice(SOURCES),
        "public_metrics": _metrics(made, rng),
        "edit_controls": {
            "edits_remaining": 5,
            "is_edit_eligible": True,
            "editable_until": timestamp(made + EDITABLE),
        },
    }
    if len(text) > SHOWN_CHARACTERS + 5:
        body["note_tweet"] = {"text": text} | ({"entities": entities} if entities else {})
        text, entities = compose(pieces, SHOWN_CHARACTERS)
        whole = Link(f"{post_id % 10**10:010d}", f"https://x.com/i/web/status/{post_id}")
        tail, tail_entities = compose([" ", whole])
        for entity in tail_entities["urls"]:
            moved = {"start": entity["start"] + len(text), "end": entity["end"] + len(text)}
            entities.setdefault("urls", []).append(entity | moved)
        text += tail
    body["text"] = text
    if entities:
        body["entities"] = entities
    return body


def _metrics(made: datetime, rng: Random) -> dict[str, int]:
    likes = int(rng.paretovariate(0.7)) % 900_000
    metrics = {
        "retweet_count": likes // 7,
        "reply_count": likes // 11,
        "like_count": likes,
        "quote_count": likes // 40,
    }
    if made.date() >= VIEWS_SINCE:
        metrics |= {"bookmark_count": likes // 25, "impression_count": likes * 53 + rng.randrange(500)}
    return metrics


def _apply(stub: Stub, post: Post, rng: Random) -> None:
    """What a recipe adds to the plain post: references, versions, media, legal notes."""
    body = post.body
    match stub.recipe:
        case "edited":
            _edit(stub, post, rng)
        case "withheld":
            # Recorded: the text gives way to a notice, and `scope` is absent when only the post is withheld.
            body["text"] = f"@{stub.account.username}'s post withheld in India in response to a legal demand"
            body["withheld"] = {"copyright": False, "country_codes": ["IN"]}
        case "withheld_user":
            body["withheld"] = {"copyright": False, "country_codes": ["DE", "FR"], "scope": "user"}
        case "sensitive":
            body["possibly_sensitive"] = True
        case "photo":
            _attach_photo(stub, post)
            _add_video(stub, post)
        case "without_lang":
            del body["lang"]
        case "reply" | "self_reply" | "reply_hidden":
            _reply(stub, post, rng)
        case "retweet" | "retweet_of_long":
            _retweet(stub, post, rng)
        case "quote":
            _refer(post, "quoted", _other_post(stub, rng.choice(FRIENDS), rng))
        case "quote_missing":
            _refer_to_nothing(post, "quoted", _earlier_id(stub, rng), errors.missing_post)


def _earlier_id(stub: Stub, rng: Random) -> int:
    return earlier_id(stub.id, rng.randrange(60_000, 40_000_000))


def _other_post(stub: Stub, username: str, rng: Random) -> dict[str, Any]:
    """An older post by someone else; it exists as a reference only."""
    pieces: list[Piece] = [f"{sentence(rng)} & so on ", Hashtag(rng.choice(TAGS))]
    return _body(_earlier_id(stub, rng), account_named(username), pieces, rng)


def _refer(post: Post, kind: str, other: dict[str, Any]) -> None:
    post.body["referenced_tweets"] = [{"type": kind, "id": other["id"]}]
    post.referenced.append(other)


def _refer_to_nothing(post: Post, kind: str, other_id: int, problem: Any) -> None:
    """A reference to a post that is gone or private: the page brings an error in place of the post."""
    post.body["referenced_tweets"] = [{"type": kind, "id": str(other_id)}]
    post.problems["referenced_tweets.id"] = [problem("referenced_tweets.id", str(other_id))]


def _reply(stub: Stub, post: Post, rng: Random) -> None:
    if stub.recipe == "self_reply":
        parent = _body(stub.previous_id, stub.account, [f"1/ {sentence(rng)}"], rng)
        _refer(post, "replied_to", parent)
    elif stub.recipe == "reply_hidden":
        _refer_to_nothing(post, "replied_to", _earlier_id(stub, rng), errors.hidden_post)
    else:
        _refer(post, "replied_to", _other_post(stub, post.mentioned[0].username, rng))
    post.body["conversation_id"] = post.body["referenced_tweets"][0]["id"]


def _retweet(stub: Stub, post: Post, rng: Random) -> None:
    """X cuts a retweet's text at 140 characters; the whole stands in the referenced post."""
    author = _mention(rng.choice(FRIENDS))
    words = " & ".join(sentence(rng) for _ in range(12 if stub.recipe == "retweet_of_long" else 4))
    original = _body(_earlier_id(stub, rng), account_with(author.id), [words, " ", Hashtag(rng.choice(TAGS))], rng)
    post.body["text"], post.body["entities"] = compose(["RT ", author, ": ", words], RETWEET_CHARACTERS)
    # A retweet is not answered, liked or quoted itself.
    post.body["public_metrics"] |= {"like_count": 0, "reply_count": 0, "quote_count": 0}
    post.mentioned = [account_with(author.id)]
    _refer(post, "retweeted", original)


def _edit(stub: Stub, post: Post, rng: Random) -> None:
    """Each edit is a post of its own with its own id; timeline and search return the newest only."""
    ids = sorted(earlier_id(stub.id, rng.randrange(5_000, 1_500_000)) for _ in range(rng.randrange(1, 4)))
    history = [str(post_id) for post_id in [*ids, stub.id]]
    left = 5 - len(ids)
    until = timestamp(time_of(ids[0]) + EDITABLE)
    # Recorded edits have this number as a string, other posts as a number; a client must take both.
    controls = {"edits_remaining": str(left), "is_edit_eligible": True, "editable_until": until}
    shared = {"edit_history_tweet_ids": history, "conversation_id": history[0], "edit_controls": controls}
    for post_id in ids:
        post.versions.append(_body(post_id, stub.account, [f"{sentence(rng)} (tpyo)"], rng) | shared)
    post.body |= shared
    post.versions.append(post.body)


def _attach_photo(stub: Stub, post: Post) -> None:
    key = f"3_{stub.id - 7}"
    photo = Link(f"{stub.id % 10**9:010d}", f"https://x.com/{stub.account.username}/status/{stub.id}/photo/1")
    text, entities = compose([post.body["text"], " ", photo])
    entities["urls"][0] |= {"media_key": key, "display_url": f"pic.x.com/{photo.code}"}
    post.body |= {"text": text, "entities": entities, "attachments": {"media_keys": [key]}}
    address = f"https://pbs.twimg.com/media/{stub.id % 10**9}.jpg"
    post.media.append({"media_key": key, "type": "photo", "url": address, "width": 1200, "height": 800})


def _add_video(stub: Stub, post: Post) -> None:
    """Every third post with a photo has a video, too: its address is in its variants, and in its preview."""
    if digest("video", stub.id) % 3:
        return
    key, address = f"7_{stub.id - 6}", f"https://video.twimg.com/ext_tw_video/{stub.id - 6}"
    post.body["attachments"]["media_keys"].append(key)
    playlist = {"content_type": "application/x-mpegURL", "url": f"{address}/pl/list.m3u8"}
    files = [
        {"bit_rate": rate, "content_type": "video/mp4", "url": f"{address}/vid/{rate}.mp4"}
        for rate in (256_000, 2_176_000, 832_000)
    ]
    post.media.append(
        {
            "media_key": key,
            "type": "video",
            "preview_image_url": f"https://pbs.twimg.com/ext_tw_video_thumb/{stub.id - 6}/img.jpg",
            "duration_ms": 71_292,
            "width": 1280,
            "height": 720,
            "public_metrics": {"view_count": digest("views", stub.id) % 100_000},
            "variants": [playlist, *files],
        }
    )


PLACES = (
    ("3078869807f9dd36", "Berlin", "Germany", "DE"),
    ("0023c19311cdf0fc", "Soledad", "Colombia", "CO"),
    ("2fb8ef9c51c8d547", "Nagpur", "India", "IN"),
)


def _tag_place(stub: Stub, post: Post) -> None:
    """One post in ten says where it was written."""
    number = digest("place", stub.id)
    if number % 10:
        return
    place_id, name, country, code = PLACES[number // 10 % len(PLACES)]
    post.body["geo"] = {"place_id": place_id}
    place = {"id": place_id, "name": name, "full_name": f"{name}, {country}", "country": country}
    post.places.append(place | {"country_code": code, "place_type": "city"})


def _head_article(stub: Stub, post: Post) -> None:
    """Some long posts are articles, which have a title."""
    if stub.recipe == "long" and digest("article", stub.id) % 2:
        post.body["article"] = {"title": f"On things & such, part {stub.id % 100}"}


# ---- users -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def user_body(account: Account) -> dict[str, Any]:
    """Every field X could return about the account (old vocabulary)."""
    rng = Random(digest("user", account.id))
    return {
        "id": account.id,
        "name": account.username.replace("_", " ").title() + " ✨",
        "username": account.username,
        "created_at": "2009-06-02T20:12:29.000Z",
        "description": f"A simulated account. {sentence(rng)}",
        "location": "Nowhere, 51° N",
        "profile_image_url": f"https://pbs.twimg.com/profile_images/{account.id}/avatar_normal.jpg",
        "protected": account.kind == "protected",
        "public_metrics": {
            "followers_count": rng.randrange(1_000_000),
            "following_count": rng.randrange(2_000),
            "tweet_count": rng.randrange(200_000) * (account.kind != "quiet"),
            "listed_count": rng.randrange(5_000),
            "like_count": rng.randrange(50_000),
        },
        "url": "",
        "verified": rng.random() < 0.5,
        "verified_type": "none",
    }
