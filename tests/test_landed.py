"""What may take the place of what: the rules of load/landed.py, without a lake."""

from __future__ import annotations

from typing import Any

import pytest
from tweetlake.load.landed import Coming, Kinds, Landed, Origin, is_landed, objection

NASA = Origin("nasa", "11348282")
SEARCH = Origin(query="from:nasa moon")
BOTH = Kinds(replies=True, retweets=True)


def landed(**more: Any) -> Landed:
    """A complete day of 24 posts of @nasa."""
    day: dict[str, Any] = {"origin": NASA, "rows": 24, "complete": True}
    return Landed(**day | more)


def coming(origin: Origin = NASA, **more: Any) -> Coming:
    return Coming(origin, **more)


LANDED, ANEW = "landed", "anew"  # nothing is asked; asked and written. Anything else is part of the objection.
RULES = [
    # --- the same source
    ("the same", landed(), coming(), LANDED),
    ("the name in capitals", landed(origin=Origin("NASA")), coming(Origin("nasa")), LANDED),
    ("renamed, the same id", landed(origin=Origin("nasa_old", "11348282")), coming(), LANDED),
    ("the id isn't known yet", landed(), coming(Origin("nasa")), LANDED),
    ("an old manifest has no id", landed(origin=Origin("nasa")), coming(), LANDED),
    ("the same search", landed(origin=SEARCH), coming(SEARCH), LANDED),
    ("an empty day", landed(rows=0), coming(), LANDED),
    # --- another one
    ("another account", landed(), coming(Origin("breadlab")), "of @breadlab"),
    ("the name has another id", landed(), coming(Origin("nasa", "2")), "of @nasa (id 2)"),
    ("a search over an account", landed(), coming(SEARCH), "the search"),
    ("an account over a search", landed(origin=SEARCH), coming(), "of @nasa"),
    ("another search", landed(origin=SEARCH), coming(Origin(query="mars")), "'mars'"),
    ("another account over an empty day", landed(rows=0), coming(Origin("breadlab")), "of @breadlab"),
    ("over posts of nobody knows whom", landed(origin=Origin(), complete=None), coming(), "of @nasa"),
    ("over nothing of nobody knows whom", landed(origin=Origin(), complete=None, rows=0), coming(), ANEW),
    # --- replies and retweets
    ("replies, too", landed(), coming(kinds=Kinds(replies=True)), ANEW),
    ("no replies any more", landed(kinds=BOTH), coming(kinds=Kinds(retweets=True)), "with replies,"),
    ("neither", landed(kinds=BOTH), coming(), "with replies and retweets,"),
    ("neither, and there are none", landed(kinds=BOTH, rows=0), coming(), LANDED),
    ("others", landed(kinds=Kinds(replies=True)), coming(kinds=Kinds(retweets=True)), "with replies,"),
    # --- less than a day
    ("--limit below the rows", landed(), coming(newest=5), "newest 5"),
    ("--limit above the rows", landed(), coming(newest=24), LANDED),
    ("--latest over a day", landed(), coming(newest=50, is_latest=True), "newest 50"),
    ("a day that isn't over", landed(complete=None), coming(is_over=False), "isn't over"),
    ("--limit over who knows", landed(complete=None, rows=3), coming(newest=5), "newest 5"),
    ("a whole day over who knows", landed(complete=None), coming(), ANEW),
    # --- over less than a day
    ("a whole day over a part", landed(complete=False), coming(), ANEW),
    ("the evening over noon", landed(complete=False), coming(is_over=False), ANEW),
    ("a higher --limit", landed(complete=False), coming(newest=50), ANEW),
    ("a lower --limit", landed(complete=False), coming(newest=5), "newest 5"),
    ("--latest over --latest", landed(complete=False, is_latest=True), coming(newest=5, is_latest=True), ANEW),
    ("a day over --latest", landed(complete=False, is_latest=True), coming(), ANEW),
    # --- raw pages
    ("the same pages", landed(), coming(from_raw=True), ANEW),
    ("the same pages of others", landed(origin=Origin(), complete=None), coming(Origin(), from_raw=True), ANEW),
    ("pages of others with all posts", landed(), coming(Origin(), from_raw=True), ANEW),
    ("a part of them", landed(), coming(from_raw=True, lost=4), "4 of them"),
    ("a part over a part", landed(complete=False), coming(from_raw=True, lost=4), "4 of them"),
    ("kinds left out", landed(kinds=BOTH), coming(from_raw=True, lost=4), "--include-replies --include-retweets"),
    ("a part over --latest", landed(complete=False, is_latest=True), coming(from_raw=True, lost=4), "4 of them"),
    (
        "the latest of pages over --latest",
        landed(origin=Origin(), complete=False, is_latest=True),
        coming(Origin(), from_raw=True, newest=5, is_latest=True, lost=4),
        ANEW,
    ),
    ("pages of another account", landed(), coming(Origin("breadlab"), from_raw=True), "of @breadlab"),
]


@pytest.mark.parametrize(("there", "comes", "expected"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_rules(there: Landed, comes: Coming, expected: str) -> None:
    if expected == LANDED:
        assert is_landed(there, comes)
        return
    assert not is_landed(there, comes)
    problem = objection(there, comes)
    if expected == ANEW:
        assert problem is None
    else:
        assert problem and expected in problem.why
        assert problem.instead


WINDOW = {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z"}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            {"account": "nasa", "rows": 3, "complete": True, "window": WINDOW},
            Landed(Origin("nasa"), rows=3, complete=True),
        ),
        ({"account": "nasa", "complete": False, "window": WINDOW}, Landed(Origin("nasa"), complete=False)),
        (
            {"account": "nasa", "complete": True, "latest": 5, "window": WINDOW},
            Landed(Origin("nasa"), complete=False, is_latest=True),
        ),
        # Written before `latest` was.
        (
            {"account": "nasa", "complete": True, "window": {"start": None, "end": None}},
            Landed(Origin("nasa"), complete=False, is_latest=True),
        ),
        ({"account": None, "query": "(a OR b) -is:reply -is:retweet"}, Landed(Origin(query="a OR b"))),
        (
            {"account": None, "query": "moon -is:reply", "include": {"retweets": True}},
            Landed(Origin(query="moon"), Kinds(retweets=True)),
        ),
        # An account by the full-archive search.
        ({"account": "nasa", "query": "from:nasa -is:reply -is:retweet"}, Landed(Origin("nasa"))),
        ({"from_raw": True, "rows": 2}, Landed(Origin(), rows=2)),
        ({"from_raw": True, "rows": 2, "left_out": {"beyond_limit": 1}}, Landed(Origin(), rows=2, complete=False)),
        # Written by somebody else: whatever is in it, it's read.
        (
            {"account": 5, "rows": "x", "complete": "no", "window": [], "include": 3, "left_out": 1, "query": {}},
            Landed(Origin("5")),
        ),
    ],
)
def test_manifests_of_all_versions(manifest: dict[str, Any], expected: Landed) -> None:
    assert Landed.of(manifest) == expected


@pytest.mark.parametrize(
    "query", ["moon", "a OR b", "(a OR b)", "moon -is:retweet", "x -is:reply", "(a OR b) -is:reply"]
)
def test_a_search_is_the_same_with_its_operators(query: str) -> None:
    """As window.py puts them behind it."""
    operators = "-is:reply -is:retweet"
    asked = f"({query})" if " OR " in query else query
    assert Origin.of(None, None, query).is_same(Origin.of(None, None, f"{asked} {operators}"))
    assert not Origin.of(None, None, query).is_same(Origin.of(None, None, f"{asked}s {operators}"))
