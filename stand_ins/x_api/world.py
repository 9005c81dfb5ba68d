"""The simulated world: accounts and their posts, made on demand and always the same.

Nothing is stored. An account's id encodes its name, and a day's posts follow from account id and day alone, so that
any account, any day from 2006-03-21 on and any restart give the same posts. An id is a snowflake: milliseconds since
X's epoch, shifted by 22 bits. Before November 2010 ids were short numbers, one after the other: here one every 5 ms.
Hence the order of ids is the order of time.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random

SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
FIRST_SNOWFLAKE_MS = SNOWFLAKE_EPOCH_MS + 7_081  # 2010-11-04T01:43:01.738Z; ids had come to 29.7 billion by then
FIRST_DAY = date(2006, 3, 21)
FIRST_MS = 1_142_899_200_000
SHORT_ID_MS = 5  # between two short ids
DAY_MS = 86_400_000

KINDS = {
    "suspended": "suspended",
    "protected": "protected",
    "nobody_here": "unknown",
    "quiet": "quiet",
    "prolific": "prolific",
    "occasional": "occasional",
    "three_pages": "three_pages",
    "thousand": "thousand",
    "chatty": "chatty",
}
"""Accounts that differ from the ordinary; every other valid name is an ordinary account."""

DISPLAY_NAMES = {"nasa": "NASA", "xdevelopers": "XDevelopers"}
"""Names whose owner writes them with capitals; X compares names without case and answers in the owner's spelling."""

SEARCH_POOL = ("nasa", "xdevelopers", "skywatcher", "harbour_news", "breadlab", "rivergauge")
"""Whose posts a search without `from:` looks through."""

RECIPES = (
    "plain",
    "emoji",
    "newlines",
    "quotes",
    "html",
    "typed_entity",
    "hashtags",
    "cashtag",
    "mention",
    "links",
    "foreign",
    "formula",
    "long",
    "long_with_links",
    "edited",
    "withheld",
    "withheld_user",
    "sensitive",
    "photo",
    "without_lang",
    "reply",
    "self_reply",
    "retweet",
    "quote",
    "quote_missing",
    "reply_hidden",
    "suspended_mention",
    "retweet_of_long",
)
"""One of each on an ordinary day; what each means is in posts.py."""

KIND_OF_RECIPE = {
    "reply": "reply",
    "self_reply": "reply",
    "reply_hidden": "reply",
    "retweet": "retweet",
    "retweet_of_long": "retweet",
    "quote": "quote",
    "quote_missing": "quote",
}


@dataclass(frozen=True, slots=True)
class Account:
    """`kind` is `ordinary` or a value of KINDS."""

    id: str
    username: str
    kind: str


@dataclass(frozen=True, slots=True)
class Stub:
    """What is known of a post before its text is made: enough to page and filter quickly."""

    id: int
    account: Account
    recipe: str
    previous_id: int

    @property
    def kind(self) -> str:
        """`original`, `reply`, `retweet` or `quote`."""
        return KIND_OF_RECIPE.get(self.recipe, "original")


# ---- time and ids ------------------------------------------------------------------------------------------------


def id_at(moment: datetime) -> int:
    """The smallest id a post made at `moment` can have."""
    return _id_at_ms(round(moment.timestamp() * 1000))


def _id_at_ms(milliseconds: int) -> int:
    if milliseconds < FIRST_SNOWFLAKE_MS:
        return max(milliseconds - FIRST_MS, 0) // SHORT_ID_MS
    return (milliseconds - SNOWFLAKE_EPOCH_MS) << 22


def _ms_of(post_id: int) -> int:
    if post_id < _id_at_ms(FIRST_SNOWFLAKE_MS):
        return FIRST_MS + post_id * SHORT_ID_MS
    return (post_id >> 22) + SNOWFLAKE_EPOCH_MS


def time_of(post_id: int) -> datetime:
    """When the post was made (UTC, millisecond resolution)."""
    return datetime.fromtimestamp(_ms_of(post_id) / 1000, UTC)


def earlier_id(post_id: int, milliseconds: int) -> int:
    """The id of a post made so long before this one."""
    low_bits = post_id % (1 << 22) if post_id >= _id_at_ms(FIRST_SNOWFLAKE_MS) else 0
    earlier = _id_at_ms(_ms_of(post_id) - milliseconds)
    return earlier + low_bits if earlier >= _id_at_ms(FIRST_SNOWFLAKE_MS) else earlier


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def digest(*parts: object) -> int:
    """A stable 64-bit number for these parts (Python's own hash differs from process to process)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


# ---- accounts ----------------------------------------------------------------------------------------------------

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz_"
_LONGEST_ENCODED = 12  # 37**12 still fits into the 19 digits of an id
_FIRST_HASHED_ID = 7 * 10**18
_hashed_names: dict[int, str] = {}


@lru_cache(maxsize=4096)
def account_named(username: str) -> Account:
    """The account of this name, in any case. Names of up to 12 characters can be read back from the id."""
    name = username.lower()
    if len(name) <= _LONGEST_ENCODED:
        number = 0
        for letter in name:
            number = number * len(_LETTERS) + _LETTERS.index(letter) + 1
    else:
        number = _FIRST_HASHED_ID + digest("account", name) % (2 * 10**18)
        _hashed_names[number] = name
    return Account(str(number), DISPLAY_NAMES.get(name, name), KINDS.get(name, "ordinary"))


def account_with(user_id: str) -> Account:
    """The account of this id; a long name nobody asked for since the start can't be read back: it is made up."""
    number = int(user_id)
    if number >= _FIRST_HASHED_ID:
        name = _hashed_names.get(number)
        return account_named(name) if name else Account(user_id, f"user_{number % 10**9}", "ordinary")
    letters = []
    while number > 0:
        number, rest = divmod(number - 1, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return account_named("".join(reversed(letters))) if letters else Account(user_id, "nobody_here", "unknown")


# ---- posts -------------------------------------------------------------------------------------------------------


def posts_on(account: Account, day: date) -> int:
    """How many posts the account makes that day; cheap, because the depth limits sum it over years."""
    if day < FIRST_DAY or account.kind in ("quiet", "suspended", "protected", "unknown"):
        return 0
    number = digest("count", account.id, day)
    match account.kind:
        case "prolific":
            return 540 + number % 60
        case "occasional":
            return number % 3
        case "three_pages":
            return 201 + number % 100
        case "thousand" | "chatty":
            return 1000
        case _:
            return len(RECIPES) + number % (61 - len(RECIPES))


@lru_cache(maxsize=2048)
def day_stubs(account: Account, day: date) -> tuple[Stub, ...]:
    """All posts the account makes on this UTC day, newest first."""
    count = posts_on(account, day)
    rng = Random(digest("day", account.id, day))
    start_ms = round(midnight(day).timestamp() * 1000)
    short = start_ms < FIRST_SNOWFLAKE_MS
    step_ms = SHORT_ID_MS if short else 1
    offsets_ms = sorted(rng.sample(range(step_ms, DAY_MS - 1000, step_ms), count))
    if count > 2:
        # The edges of a day are where windows go wrong: its first millisecond and its last second hold a post.
        offsets_ms[0], offsets_ms[-1] = 0, DAY_MS - (1000 if short else 1)
    # Keeps ids of accounts that post in the same millisecond apart.
    low_bits = int(account.id) % (97 if short else 1 << 22)
    recipes = [_recipe(account, i, count, rng) for i in range(count)]
    rng.shuffle(recipes)
    stubs: list[Stub] = []
    previous_id = 0
    for offset_ms, recipe in zip(offsets_ms, recipes, strict=True):
        post_id = _id_at_ms(start_ms + offset_ms) + low_bits
        stubs.append(Stub(post_id, account, recipe, previous_id or earlier_id(post_id, offset_ms + 3_600_000)))
        previous_id = post_id
    return tuple(reversed(stubs))


def _recipe(account: Account, number: int, count: int, rng: Random) -> str:
    """What kind of post the day's `number`th of `count` is, before they are shuffled."""
    if account.kind == "chatty":
        return "reply" if number < 0.95 * count else "plain"
    return RECIPES[number] if number < len(RECIPES) and count > 2 else rng.choice(RECIPES)


def stubs_between(account: Account, oldest_id: int, before_id: int) -> Iterator[Stub]:
    """Posts with oldest_id <= id < before_id, newest first, day by day."""
    if before_id <= oldest_id or account.kind in ("quiet", "suspended", "protected", "unknown"):
        return
    first_day = max(time_of(oldest_id).date(), FIRST_DAY)
    day = time_of(before_id - 1).date()
    while day >= first_day:
        for stub in day_stubs(account, day):
            if stub.id < oldest_id:
                return
            if stub.id < before_id:
                yield stub
        day -= timedelta(days=1)


@lru_cache(maxsize=1024)
def _posts_before(account: Account, day: date, wanted: int) -> int:
    """The id of the `wanted`-th newest post made before `day`; 0 if there are fewer."""
    while day > FIRST_DAY:
        day -= timedelta(days=1)
        count = posts_on(account, day)
        if count >= wanted:
            return day_stubs(account, day)[wanted - 1].id
        wanted -= count
    return 0


def oldest_reachable_id(account: Account, now: datetime, depth: int) -> int:
    """A timeline shows the newest `depth` posts only: the id of the last of them, 0 if all are within reach."""
    today = [stub for stub in day_stubs(account, now.date()) if stub.id < id_at(now)]
    if len(today) >= depth:
        return today[depth - 1].id
    return _posts_before(account, now.date(), depth - len(today))
