"""Search queries: keywords, "phrases", #tags, $tags, from:, is:, has:, lang:, `-`, OR and parentheses.

As on X, a blank means AND and binds tighter than OR, and a query needs one clause that could stand alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import invalid_request
from .posts import build
from .world import SEARCH_POOL, Account, Stub, account_named

Test = Callable[[Stub], bool]

_TOKEN = re.compile(r'-?"[^"]*"|-?\(|\)|[^\s()"]+')
_USERNAME = re.compile(r"[A-Za-z0-9_]{1,15}")
_HAS = {
    "links": ("entities", "urls"),
    "hashtags": ("entities", "hashtags"),
    "cashtags": ("entities", "cashtags"),
    "mentions": ("entities", "mentions"),
    "media": ("attachments", "media_keys"),
    "images": ("attachments", "media_keys"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What a post must pass, whose posts can pass at all (None: anybody's), and whether it may stand alone."""

    test: Test
    authors: frozenset[Account] | None = None
    stands_alone: bool = True

    def accounts(self) -> list[Account]:
        """The accounts to look through, in a fixed order."""
        if self.authors is None:
            return [account_named(name) for name in SEARCH_POOL]
        return sorted(self.authors, key=lambda account: account.id)


def parse_query(text: str) -> Query:
    """The query, or a 400 in X's words."""
    parser = _Parser(text)
    query = parser.any_of()
    if parser.peek():
        raise parser.error(f"no viable alternative at input '{parser.peek()}'")
    if not query.stands_alone:
        raise parser.error("Rule must contain at least one positive, non-stopword clause")
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _TOKEN.findall(text)
        self.position = 0

    def error(self, reason: str) -> Exception:
        return invalid_request("query", self.text, f"There were errors processing your request: {reason}")

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def any_of(self) -> Query:
        parts = [self.all_of()]
        while self.peek() == "OR":
            self.take()
            parts.append(self.all_of())
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        authors = None
        if all(part.authors is not None for part in parts):
            authors = frozenset().union(*(part.authors or () for part in parts))
        return Query(lambda stub: any(test(stub) for test in tests), authors, all(p.stands_alone for p in parts))

    def all_of(self) -> Query:
        parts = []
        while self.peek() not in ("", ")", "OR"):
            parts.append(self.one())
        if not parts:
            raise self.error(f"missing clause at '{self.peek()}'")
        known = [part.authors for part in parts if part.authors is not None]
        authors = frozenset.intersection(*known) if known else None
        # The author test is the cheapest and comes first; a keyword needs the whole post.
        tests = [part.test for part in sorted(parts, key=lambda part: part.authors is None)]
        return Query(lambda stub: all(test(stub) for test in tests), authors, any(p.stands_alone for p in parts))

    def one(self) -> Query:
        token = self.take()
        if token.startswith("-") and len(token) > 1:
            inside = self.group() if token == "-(" else self.atom(token[1:])
            return Query(lambda stub: not inside.test(stub), None, stands_alone=False)
        return self.group() if token == "(" else self.atom(token)

    def group(self) -> Query:
        query = self.any_of()
        if self.take() != ")":
            raise self.error("missing ')' at '<EOF>'")
        return query

    def atom(self, token: str) -> Query:
        operator, colon, value = token.partition(":")
        if colon and operator.isalpha() and not token.startswith('"') and not value.startswith("//"):
            return self.operator(operator.lower(), value)
        if token.startswith("#"):
            return _entity_query("hashtags", token[1:])
        if token.startswith("$"):
            return _entity_query("cashtags", token[1:])
        needle = token.strip('"').lower()
        return Query(lambda stub: needle in _whole_text(stub))

    def operator(self, operator: str, value: str) -> Query:
        if operator == "from":
            name = value.removeprefix("@")
            if not _USERNAME.fullmatch(name):
                raise self.error(f"'{value}' is not a valid username for the operator from:")
            account = account_named(name)
            return Query(lambda stub: stub.account == account, frozenset([account]))
        if operator == "is" and value in ("reply", "retweet", "quote"):
            return Query(lambda stub: stub.kind == value, None, stands_alone=False)
        if operator == "has" and value in _HAS:
            outer, inner = _HAS[value]
            return Query(lambda stub: inner in build(stub).body.get(outer, {}), None, stands_alone=False)
        if operator == "lang":
            return Query(lambda stub: build(stub).body.get("lang") == value, None, stands_alone=False)
        raise self.error(f"Reference to invalid operator '{operator}'")


def _entity_query(kind: str, tag: str) -> Query:
    wanted = tag.lower()

    def test(stub: Stub) -> bool:
        body = build(stub).body
        whole = body.get("note_tweet", body)
        return any(entity["tag"].lower() == wanted for entity in whole.get("entities", {}).get(kind, ()))

    return Query(test)


def _whole_text(stub: Stub) -> str:
    body = build(stub).body
    text: str = body.get("note_tweet", body)["text"]
    return text.lower()
