"""The simulator against real clients over HTTP, and its answers against X's official OpenAPI where that is present."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
import tweepy
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth1

from stand_ins.x_api import vocabulary
from stand_ins.x_api.__main__ import read_recording
from stand_ins.x_api.server import listen
from stand_ins.x_api.world import RECIPES, account_named, account_with, day_stubs, id_at, time_of
from tests.helpers.openapi import openapi
from tests.helpers.x_api import XApi

PROJECT = Path(__file__).resolve().parent.parent
RECORDINGS = PROJECT.parent / "shared" / "recordings"
DAY = date(2026, 3, 1)
NEXT_MORNING = "2026-03-02T01:30:00Z"
DAY_WINDOW = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-02T00:00:00Z"}
EVERY_TWEET_FIELD = (
    "author_id,attachments,conversation_id,created_at,edit_controls,edit_history_tweet_ids,entities,id,"
    "in_reply_to_user_id,lang,note_tweet,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,source,"
    "text,withheld"
)
EVERY_POST_FIELD = (
    "attachments,conversation_id,created_at,edit_controls,entities,id,lang,note_post,possibly_sensitive,"
    "public_metrics,reply_settings,source,text,withheld"
)
TWEET_EXPANSIONS = (
    "author_id,attachments.media_keys,edit_history_tweet_ids,entities.mentions.username,in_reply_to_user_id,"
    "referenced_tweets.id,referenced_tweets.id.author_id"
)
POST_EXPANSIONS = (
    "author_id,attachments.media_keys,edit_history_post_ids,entities.mentions.username,in_reply_to_user_id,"
    "referenced_posts"
)
NASA = f"/2/users/{account_named('nasa').id}/tweets"


class Api:
    """requests with the bearer token of the simulator, and a short timeout."""

    def __init__(self, x_api: XApi) -> None:
        self.x_api = x_api
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {x_api.bearer_token}"

    def get(self, path: str, **query: Any) -> requests.Response:
        """Keyword `tweet_fields` is sent as `tweet.fields`."""
        named = {name.replace("_fields", ".fields"): value for name, value in query.items()}
        return self.session.get(self.x_api.base_url + path, params=named, timeout=5)

    def json(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All pages; stops at a token that was there before."""
        seen = set()
        token = None
        while True:
            page = self.json(path, **query, **({"pagination_token": token} if token else {}))
            yield page
            token = page["meta"].get("next_token")
            if token is None:
                return
            assert token not in seen, "the same token twice"
            seen.add(token)


@pytest.fixture
def api(x_api: XApi) -> Iterator[Api]:
    """The simulator on the morning after DAY."""
    x_api.set_now(NEXT_MORNING)
    client = Api(x_api)
    yield client
    client.session.close()


def oauth1(x_api: XApi, **changed: Any) -> OAuth1:
    values = {
        "client_key": x_api.consumer_key,
        "client_secret": x_api.consumer_secret,
        "resource_owner_key": x_api.access_token,
        "resource_owner_secret": x_api.access_token_secret,
    }
    return OAuth1(**(values | changed))


# ---- the world ---------------------------------------------------------------------------------------------------


def test_same_account_and_day_give_the_same_posts_in_another_process(api: Api) -> None:
    code = (
        "from datetime import date; from stand_ins.x_api.world import account_named, day_stubs; "
        "from stand_ins.x_api.posts import build; "
        "print([build(s).body['text'] for s in day_stubs(account_named('NASA'), date(2026, 3, 1))])"
    )
    there = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    here = [p["text"] for page in api.pages(NASA, max_results=100, **DAY_WINDOW) for p in page["data"]]
    assert there.stdout.strip() == str(here)


def test_a_day_holds_every_kind_of_post_and_both_of_its_edges() -> None:
    stubs = day_stubs(account_named("nasa"), DAY)
    assert {stub.recipe for stub in stubs} == set(RECIPES)
    first, last = id_at(datetime(2026, 3, 1, tzinfo=UTC)), id_at(datetime(2026, 3, 2, tzinfo=UTC))
    assert first >> 22 == stubs[-1].id >> 22
    assert (last >> 22) - 1 == stubs[0].id >> 22
    assert len({stub.id for stub in stubs}) == len(stubs)


def test_ids_grow_with_time_before_and_after_they_became_snowflakes() -> None:
    days = [date(2006, 3, 21), date(2008, 2, 29), date(2010, 11, 3), date(2010, 11, 4), date(2010, 11, 5), DAY]
    stubs = [stub for day in days for stub in reversed(day_stubs(account_named("nasa"), day))]
    assert [stub.id for stub in stubs] == sorted({stub.id for stub in stubs})
    assert {time_of(stub.id).date() for stub in stubs} == set(days)
    assert max(stub.id for stub in stubs if time_of(stub.id).date() < date(2010, 11, 4)) < 30_000_000_000


@pytest.mark.parametrize("name", ["a", "nasa", "exactly_12ch", "0_zero", "fifteen_letters"])
def test_an_id_leads_back_to_its_account(name: str) -> None:
    account = account_named(name)
    assert account_with(account.id) == account
    assert account_named(name.upper()).id == account.id
    assert len(account.id) <= 19


@pytest.mark.parametrize(
    "day", [date(2006, 3, 21), date(2009, 7, 1), date(2010, 11, 4), date(2010, 11, 6), date(2016, 2, 29), DAY]
)
def test_any_day_since_2006_has_its_posts(api: Api, day: date) -> None:
    window = {"start_time": f"{day}T00:00:00Z", "end_time": f"{day + timedelta(days=1)}T00:00:00Z"}
    page = api.json("/2/tweets/search/all", query="from:nasa", max_results=500, tweet_fields="created_at", **window)
    assert len(page["data"]) + (50 if "next_token" in page["meta"] else 0) >= 28
    assert all(post["created_at"].startswith(str(day)) for post in page["data"])


# ---- users -------------------------------------------------------------------------------------------------------


def test_a_user_is_found_in_any_case_and_billed(api: Api) -> None:
    user = api.json("/2/users/by/username/nAsA", user_fields="created_at,public_metrics")["data"]
    assert user["username"] == "NASA"
    assert set(user) == {"id", "name", "username", "created_at", "public_metrics"}
    assert api.x_api.cost_usd == pytest.approx(0.010)
    assert api.json(f"/2/users/{user['id']}")["data"]["username"] == "NASA"


@pytest.mark.parametrize(
    ("name", "title", "word"), [("suspended", "Forbidden", "suspended"), ("nobody_here", "Not Found Error", "find")]
)
def test_a_suspended_or_unknown_user_is_200_with_errors_only(api: Api, name: str, title: str, word: str) -> None:
    for path in (f"/2/users/by/username/{name}", f"/2/users/{account_named(name).id}/tweets"):
        body = api.json(path)
        assert set(body) == {"errors"}
        assert body["errors"][0]["title"] == title
        assert word in body["errors"][0]["detail"]
    assert api.x_api.cost_usd == 0


def test_a_protected_user_is_found_but_not_read(api: Api) -> None:
    user = api.json("/2/users/by/username/protected", user_fields="protected")["data"]
    assert user["protected"] is True
    body = api.json(f"/2/users/{user['id']}/tweets")
    assert set(body) == {"errors"}
    assert body["errors"][0]["type"].endswith("/not-authorized-for-resource")


def test_a_malformed_username_is_400_not_404(api: Api) -> None:
    answer = api.get("/2/users/by/username/sixteen_letters_")
    assert answer.status_code == 400
    assert "^[A-Za-z0-9_]{1,15}$" in answer.json()["errors"][0]["message"]
    assert "x-rate-limit-remaining" in answer.headers


def test_several_users_at_once(api: Api) -> None:
    body = api.json("/2/users/by", usernames="nasa,nobody_here,suspended")
    assert [user["username"] for user in body["data"]] == ["NASA"]
    assert [problem["value"] for problem in body["errors"]] == ["nobody_here", "suspended"]


# ---- timelines ---------------------------------------------------------------------------------------------------


def test_paging_a_day_with_tweepy_is_complete_newest_first_and_without_duplicates(x_api: XApi) -> None:
    x_api.set_now(NEXT_MORNING)

    class ToSimulator(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            request.url = (request.url or "").replace("https://api.twitter.com", x_api.base_url)
            return super().send(request, *args, **kwargs)

    client = tweepy.Client(x_api.bearer_token)
    client.session.mount("https://api.twitter.com", ToSimulator())
    user = client.get_user(username="nasa").data
    paginator = tweepy.Paginator(
        client.get_users_tweets, user.id, max_results=10, tweet_fields=["created_at", "public_metrics"], **DAY_WINDOW
    )
    pages = list(paginator)
    ids = [post.id for page in pages for post in page.data or []]
    assert ids == [stub.id for stub in day_stubs(account_named("nasa"), DAY)]
    assert all(post.created_at.date() == DAY for page in pages for post in page.data)
    assert x_api.billed_posts == len(ids)


@pytest.mark.parametrize("size", [5, 37, 100])
def test_pages_of_any_size_hold_the_same_posts(api: Api, size: int) -> None:
    pages = list(api.pages(NASA, max_results=size, **DAY_WINDOW))
    ids = [post["id"] for page in pages for post in page["data"]]
    assert ids == [str(stub.id) for stub in day_stubs(account_named("nasa"), DAY)]
    for page in pages:
        assert page["meta"]["result_count"] == len(page["data"]) <= size
        assert (page["meta"]["newest_id"], page["meta"]["oldest_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])


def test_some_pages_are_short_although_more_follow(api: Api) -> None:
    pages = list(api.pages(f"/2/users/{account_named('prolific').id}/tweets", max_results=100))
    short = [page for page in pages if len(page["data"]) < 100 and "next_token" in page["meta"]]
    assert 0 < len(short) < len(pages)


def test_exclude_leaves_out_replies_and_retweets(api: Api) -> None:
    kept = [
        post
        for page in api.pages(
            NASA, max_results=100, exclude="replies,retweets", tweet_fields="referenced_tweets", **DAY_WINDOW
        )
        for post in page["data"]
    ]
    kinds = {reference["type"] for post in kept for reference in post.get("referenced_tweets", ())}
    assert kinds == {"quoted"}
    expected = [s for s in day_stubs(account_named("nasa"), DAY) if s.kind in ("original", "quote")]
    assert [post["id"] for post in kept] == [str(stub.id) for stub in expected]


def test_pages_without_replies_are_short_or_empty_and_go_on(api: Api) -> None:
    """X looks at so many posts and then leaves out what is excluded: 19 of 20 here."""
    path = f"/2/users/{account_named('chatty').id}/tweets"
    pages = list(api.pages(path, max_results=5, exclude="replies", start_time="2026-03-01T12:00:00Z"))
    sizes = [page["meta"]["result_count"] for page in pages]
    assert 0 in sizes[:-1] and any(0 < size < 5 for size in sizes[:-1])
    found = [post["id"] for page in pages for post in page.get("data", ())]
    noon = id_at(datetime(2026, 3, 1, 12, tzinfo=UTC))
    now = id_at(datetime.fromisoformat(NEXT_MORNING))
    stubs = [stub for day in (DAY + timedelta(days=1), DAY) for stub in day_stubs(account_named("chatty"), day)]
    assert found == [str(stub.id) for stub in stubs if noon <= stub.id < now and stub.kind != "reply"]


@pytest.mark.parametrize(("exclude", "depth"), [({}, 3_200), ({"exclude": "replies"}, 800)])
def test_a_timeline_ends_at_its_depth(api: Api, exclude: dict[str, str], depth: int) -> None:
    path = f"/2/users/{account_named('prolific').id}/tweets"
    ids = [post["id"] for page in api.pages(path, max_results=100, **exclude) for post in page["data"]]
    if exclude:
        assert 0.8 * depth < len(ids) < depth  # 800 posts, of which the replies are left out
    else:
        assert len(ids) == depth
    beyond = api.json(path, start_time="2026-02-01T00:00:00Z", end_time="2026-02-02T00:00:00Z", **exclude)
    assert beyond == {"meta": {"result_count": 0}}


def test_a_quiet_account_has_an_empty_page_without_ids(api: Api) -> None:
    assert api.json(f"/2/users/{account_named('quiet').id}/tweets") == {"meta": {"result_count": 0}}
    assert api.x_api.billed_posts == 0


def test_since_id_goes_before_start_time_and_until_id_before_end_time(api: Api) -> None:
    ids = [stub.id for stub in day_stubs(account_named("nasa"), DAY)]
    page = api.json(NASA, max_results=100, since_id=ids[3], start_time="2026-03-01T23:59:59Z")
    shown = [int(post["id"]) for post in page["data"]]
    assert [i for i in shown if i <= ids[0]] == ids[:3]
    page = api.json(NASA, max_results=5, until_id=ids[3], end_time="2010-11-07T00:00:00Z")
    assert int(page["data"][0]["id"]) == ids[4]


@pytest.mark.parametrize("path", ["/2/tweets/search/recent", "/2/tweets/search/all"])
@pytest.mark.parametrize("name", ["since_id", "until_id"])
@pytest.mark.parametrize("time_name", ["start_time", "end_time"])
def test_a_search_refuses_ids_beside_times(api: Api, path: str, name: str, time_name: str) -> None:
    values = {name: str(id_at(datetime(2026, 3, 1, tzinfo=UTC))), time_name: "2026-03-01T00:00:00Z"}
    answer = api.get(path, query="from:nasa", **values)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["parameters"] == {name: [value] for name, value in values.items()}
    assert error["message"].startswith("Invalid use of 'since_id' or 'until_id' in conjunction with")
    assert api.x_api.billed_posts == 0


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"max_results": 4}, "max_results"),
        ({"max_results": 101}, "max_results"),
        ({"max_results": "many"}, "max_results"),
        ({"start_time": "2010-11-05T23:59:58Z"}, "start_time"),
        ({"start_time": "2026-03-01"}, "start_time"),
        ({"start_time": "2026-03-02T00:00:00Z", "end_time": "2026-03-01T00:00:00Z"}, "start_time"),
        ({"tweet_fields": "id,nonsense"}, "tweet.fields"),
        ({"post_fields": "note_tweet"}, "post.fields"),
        ({"expansions": "nonsense"}, "expansions"),
        ({"exclude": "quotes"}, "exclude"),
        ({"pagination_token": "nonsense"}, "pagination_token"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_bad_parameter_is_400_and_named(api: Api, query: dict[str, Any], parameter: str) -> None:
    answer = api.get(NASA, **query)
    body = answer.json()
    assert answer.status_code == 400
    assert body["title"] == "Invalid Request"
    assert list(body["errors"][0]["parameters"]) == [parameter]
    assert "x-rate-limit-reset" in answer.headers
    assert api.x_api.billed_posts == 0


def test_a_complaint_about_a_field_lists_all_fields(api: Api) -> None:
    message = api.get(NASA, tweet_fields="nonsense").json()["errors"][0]["message"]
    assert "note_tweet" in message and "referenced_tweets" in message
    message = api.get(NASA, post_fields="nonsense").json()["errors"][0]["message"]
    assert "note_post" in message and "referenced" not in message


# ---- what a page shows -------------------------------------------------------------------------------------------


def whole_day(api: Api, **query: str) -> dict[str, Any]:
    """DAY of the account in one answer: data, includes and errors of its pages put together."""
    whole: dict[str, Any] = {"data": [], "includes": {}, "errors": []}
    for page in api.pages(NASA, max_results=100, **DAY_WINDOW, **query):
        whole["data"] += page["data"]
        whole["errors"] += page.get("errors", [])
        for kind, items in page.get("includes", {}).items():
            whole["includes"].setdefault(kind, []).extend(items)
    return whole


def test_only_three_fields_come_unasked(api: Api) -> None:
    assert all(set(post) == {"id", "text", "edit_history_tweet_ids"} for post in whole_day(api)["data"])


def test_long_posts_are_cut_unless_the_note_is_asked_for(api: Api) -> None:
    long = [post for post in whole_day(api, tweet_fields="note_tweet")["data"] if "note_tweet" in post]
    assert long
    for post in long:
        assert len(unescape(post["note_tweet"]["text"])) > 280 >= len(unescape(post["text"])) - 24
        assert unescape(post["note_tweet"]["text"]).startswith(unescape(post["text"]).partition("…")[0])


def test_text_is_escaped_once_and_entities_count_in_the_escaped_text(api: Api) -> None:
    posts = whole_day(api, tweet_fields="entities,note_tweet")["data"]
    assert any("&amp;amp;" in post["text"] for post in posts)  # typed as &amp; by the author
    checked = 0
    for post in posts:
        for holder in (post, post.get("note_tweet", {})):
            text, entities = holder.get("text", ""), holder.get("entities", {})
            for sign, kind, name in (("#", "hashtags", "tag"), ("$", "cashtags", "tag"), ("@", "mentions", "username")):
                for entity in entities.get(kind, ()):
                    assert text[entity["start"] : entity["end"]] == sign + entity[name]
                    checked += 1
            for entity in entities.get("urls", ()):
                assert text[entity["start"] : entity["end"]] == entity["url"]
                checked += 1
    assert checked >= 15


def test_edits_references_and_partial_errors(api: Api) -> None:
    day = whole_day(api, tweet_fields=EVERY_TWEET_FIELD, expansions=TWEET_EXPANSIONS)
    included = {post["id"] for post in day["includes"]["tweets"]}
    missing = {problem["value"] for problem in day["errors"]}
    edited = [post for post in day["data"] if len(post["edit_history_tweet_ids"]) > 1]
    assert edited
    for post in edited:
        history = post["edit_history_tweet_ids"]
        assert history == sorted(history, key=int) and history[-1] == post["id"]
        assert included >= set(history)
    references = {r["id"] for post in day["data"] for r in post.get("referenced_tweets", ())}
    assert references <= included | missing
    assert {problem["type"].rpartition("/")[2] for problem in day["errors"]} == {
        "resource-not-found",
        "not-authorized-for-resource",
    }
    retweets = [p for p in day["data"] if p.get("referenced_tweets", [{}])[0].get("type") == "retweeted"]
    assert retweets and all(len(unescape(post["text"])) <= 141 for post in retweets)


def test_both_vocabularies_say_the_same(api: Api) -> None:
    old = whole_day(api, tweet_fields=EVERY_TWEET_FIELD, expansions=TWEET_EXPANSIONS)
    new = whole_day(api, post_fields=EVERY_POST_FIELD, expansions=POST_EXPANSIONS)
    assert "tweets" in old["includes"] and "posts" not in old["includes"]
    assert "posts" in new["includes"] and "tweets" not in new["includes"]
    renamed = json.dumps(old["data"])
    for before, after in (
        ("note_tweet", "note_post"),
        ("referenced_tweets", "referenced_posts"),
        ("edit_history_tweet_ids", "edit_history_post_ids"),
        ("retweet_count", "repost_count"),
    ):
        assert f'"{before}"' in renamed and f'"{before}"' not in json.dumps(new["data"])
        renamed = renamed.replace(f'"{before}"', f'"{after}"')
    assert json.loads(renamed) == new["data"]


def test_new_expansion_words_without_post_fields_give_old_words(api: Api) -> None:
    page = api.json(NASA, expansions="referenced_posts", max_results=100, **DAY_WINDOW)
    assert "tweets" in page["includes"]
    assert any("referenced_tweets" in post for post in page["data"])


def test_post_fields_show_an_author_by_expansion_only(api: Api) -> None:
    assert "author_id" not in api.json(NASA, post_fields="text")["data"][0]
    assert "author_id" in api.json(NASA, post_fields="text", expansions="author_id")["data"][0]


# ---- search, counts, usage ---------------------------------------------------------------------------------------


def search_ids(api: Api, query: str, **more: Any) -> list[str]:
    pages = api.pages("/2/tweets/search/recent", query=query, max_results=100, **more)
    return [post["id"] for page in pages for post in page.get("data", ())]


def test_search_by_account_finds_what_the_timeline_shows(api: Api) -> None:
    stubs = day_stubs(account_named("nasa"), DAY)
    assert search_ids(api, "from:NASA", **DAY_WINDOW) == [str(stub.id) for stub in stubs]
    assert search_ids(api, "from:nasa -is:reply -is:retweet", **DAY_WINDOW) == [
        str(stub.id) for stub in stubs if stub.kind in ("original", "quote")
    ]


def test_search_operators(api: Api) -> None:
    def texts(query: str) -> list[str]:
        pages = api.pages(
            "/2/tweets/search/recent", query=query, max_results=100, tweet_fields="note_tweet", **DAY_WINDOW
        )
        return [post.get("note_tweet", post)["text"].lower() for page in pages for post in page.get("data", ())]

    assert texts("umbrella") and all("umbrella" in text for text in texts("umbrella"))
    assert not any(text.startswith("rt @") for text in texts("umbrella"))  # no retweets by keyword since May 2026
    assert all("red umbrella" in text and "swans" not in text for text in texts('"red umbrella" -swans'))
    either = texts("(umbrella OR swans) -is:reply")
    assert any("umbrella" in t and "swans" not in t for t in either) and any("swans" in t for t in either)
    assert all("#weather" in text for text in texts("#Weather")) and texts("#Weather")
    assert all("$acme" in text for text in texts("$ACME")) and texts("$ACME")
    assert texts("umbrella has:links") != texts("umbrella")
    assert texts("from:nobody_here") == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("recent", {"query": "x" * 513}),
        ("all", {"query": "x" * 1025}),
        ("recent", {}),
        ("recent", {"query": "-is:reply"}),
        ("recent", {"query": "(nasa"}),
        ("recent", {"query": "nasa colour:blue"}),
        ("recent", {"query": "nasa", "max_results": 9}),
        ("recent", {"query": "nasa", "max_results": 101}),
        ("all", {"query": "nasa", "max_results": 501}),
        ("recent", {"query": "nasa", "start_time": "2026-02-23T01:29:00Z"}),
        ("recent", {"query": "nasa", "end_time": "2026-03-02T01:29:55Z"}),
        ("recent", {"query": "nasa", "since_id": "1"}),
    ],
)
def test_a_bad_search_is_400(api: Api, path: str, query: dict[str, Any]) -> None:
    answer = api.get(f"/2/tweets/search/{path}", **query)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith("/invalid-request")


def test_the_limits_of_a_search_are_met(api: Api) -> None:
    longest = "umbrella OR " * 42 + "swans"
    assert len(longest) == 509
    assert "data" in api.json("/2/tweets/search/recent", query=longest)
    assert "data" in api.json("/2/tweets/search/recent", query="from:nasa", start_time="2026-02-23T01:30:00Z")
    newest = api.json("/2/tweets/search/recent", query="from:prolific", tweet_fields="created_at")["data"][0]
    assert newest["created_at"] <= "2026-03-02T01:29:30.000Z"


def test_search_all_is_for_apps_only(api: Api) -> None:
    url = api.x_api.base_url + "/2/tweets/search/all"
    answer = requests.get(url, params={"query": "from:nasa"}, auth=oauth1(api.x_api), timeout=5)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/unsupported-authentication")


def test_counts_agree_with_the_posts_and_cost_per_request(api: Api) -> None:
    body = api.json("/2/tweets/counts/recent", query="from:nasa", granularity="hour", **DAY_WINDOW)
    assert len(body["data"]) == 24
    assert body["meta"]["total_tweet_count"] == len(day_stubs(account_named("nasa"), DAY))
    assert sum(bucket["tweet_count"] for bucket in body["data"]) == body["meta"]["total_tweet_count"]
    assert api.x_api.cost_usd == pytest.approx(0.005)
    week = api.json("/2/tweets/counts/recent", query="from:nasa", granularity="day")
    assert len(week["data"]) == 8


def test_usage_counts_what_was_billed(api: Api) -> None:
    api.json(NASA, max_results=5)
    usage = api.json("/2/usage/tweets", usage_fields="daily_project_usage", days=1)["data"]
    assert usage["project_usage"] == "5"
    assert usage["daily_project_usage"]["usage"] == [{"date": "2026-03-02T00:00:00.000Z", "usage": "5"}]


# ---- credentials, prices, rate limits ----------------------------------------------------------------------------


def test_a_wrong_or_absent_token_is_401_without_rate_headers(api: Api) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "OAuth"}):
        answer = requests.get(api.x_api.base_url + NASA, headers=headers, timeout=5)
        assert answer.status_code == 401
        assert answer.json() == {
            "title": "Unauthorized",
            "type": "about:blank",
            "status": 401,
            "detail": "Unauthorized",
        }
        assert not [name for name in answer.headers if name.startswith("x-rate-limit")]


def test_an_oauth1_signature_is_verified(x_api: XApi) -> None:
    url = x_api.base_url + NASA
    query = {"tweet.fields": "created_at,note_tweet", "max_results": "5"}
    good = requests.get(url, params=query, auth=oauth1(x_api), timeout=5)
    assert good.status_code == 200, good.text
    assert good.headers["x-rate-limit-limit"] == "900"  # the limit of a user, not of an app
    forged = {
        "client secret": oauth1(x_api, client_secret="wrong"),
        "token secret": oauth1(x_api, resource_owner_secret="wrong"),
        "client": oauth1(x_api, client_key="wrong"),
        "token": oauth1(x_api, resource_owner_key="1-wrong"),
        "old": oauth1(x_api, timestamp=str(int(time.time()) - 400)),
        "ahead": oauth1(x_api, timestamp=str(int(time.time()) + 400)),
        "method": oauth1(x_api, signature_method="PLAINTEXT"),
    }
    for what, auth in forged.items():
        assert requests.get(url, params=query, auth=auth, timeout=5).status_code == 401, what


def test_an_oauth1_request_can_be_neither_changed_nor_sent_again(x_api: XApi) -> None:
    signed = requests.Request("GET", x_api.base_url + NASA, params={"max_results": "5"}, auth=oauth1(x_api)).prepare()
    with requests.Session() as session:
        changed = signed.copy()
        changed.url = (signed.url or "").replace("=5", "=6")
        assert session.send(changed, timeout=5).status_code == 401
        x_api.reset()
        assert session.send(signed, timeout=5).status_code == 200
        assert session.send(signed, timeout=5).status_code == 401  # the nonce is used up


def test_posts_are_charged_once_a_day_and_owned_ones_a_fifth(api: Api) -> None:
    for _ in range(2):
        api.json(NASA, max_results=5)
    assert api.x_api.billed_posts == 5
    assert api.x_api.cost_usd == pytest.approx(0.025)
    api.x_api.set_now("2026-03-03T01:30:00Z")
    api.json(NASA, max_results=5, until_id=id_at(datetime(2026, 3, 2, 1, 30, tzinfo=UTC)))
    assert api.x_api.billed_posts == 10
    api.x_api.reset()
    own = f"{api.x_api.base_url}/2/users/{account_named('lakekeeper').id}/tweets"
    assert requests.get(own, params={"max_results": 5}, auth=oauth1(api.x_api), timeout=5).status_code == 200
    assert api.x_api.cost_usd == pytest.approx(0.005)


def test_the_rate_limit_counts_down_and_then_refuses(api: Api) -> None:
    path = "/2/usage/tweets"  # the lowest limit: 50 in 15 minutes
    answers = [api.get(path) for _ in range(51)]
    assert [int(a.headers["x-rate-limit-remaining"]) for a in answers[:50]] == list(range(49, -1, -1))
    assert answers[50].status_code == 429
    assert 0 < int(answers[50].headers["x-rate-limit-reset"]) - time.time() <= 901


def test_the_archive_takes_one_request_a_second_and_names_the_wrong_reset(api: Api) -> None:
    """Recorded: the reset is that of the 15 minutes, of whose requests some are left."""
    answers = [api.get("/2/tweets/search/all", query="from:quiet") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["x-rate-limit-remaining"] == "299"
    assert int(answers[1].headers["x-rate-limit-reset"]) - time.time() > 890
    time.sleep(1)
    assert api.get("/2/tweets/search/all", query="from:quiet").status_code == 200


def test_usage_as_pay_per_use_apps_see_it(api: Api) -> None:
    api.json(NASA, max_results=5)
    counted = api.json("/2/usage/tweets", days=1, usage_fields="daily_project_usage")["data"]
    assert counted["daily_project_usage"]["usage"][0]["usage"] == "5"
    answer = api.get("/2/usage/credits")
    assert (answer.status_code, answer.text) == (404, "")
    api.x_api.pay_per_use(credit_usd=12.5)
    usage = api.json("/2/usage/tweets", days=1, usage_fields="daily_project_usage")["data"]
    assert usage["project_usage"] == "0" and "daily_project_usage" not in usage
    assert api.json("/2/usage/credits")["data"]["total_balance"] == pytest.approx(12.5 - 0.025)


# ---- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "needle"),
    [
        ("rate_limit", 429, "Too Many Requests"),
        ("rate_limit_no_reset", 429, '"code":88'),
        ("rate_limit_24h", 429, "Too Many Requests"),
        ("usage_capped", 429, "UsageCapExceeded"),
        ("credits_depleted", 402, "CreditsDepleted"),
        ("payment_required", 402, "Payment Required"),
        ("spend_cap", 403, "SpendCapReached"),
        ("not_enrolled", 403, "client-not-enrolled"),
        ("unauthorized", 401, "Unauthorized"),
        ("not_found", 404, ""),
        ("server_error", 503, "Service Unavailable"),
        ("bad_gateway_html", 502, "<html>"),
    ],
)
def test_a_fault_with_a_status_comes_as_often_as_armed(api: Api, name: str, status: int, needle: str) -> None:
    api.x_api.fault(name, count=2)
    answers = [api.get(NASA) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert needle in answers[0].text
    assert [request.status for request in api.x_api.requests] == [status, status, 200]
    assert ("x-rate-limit-reset" in answers[0].headers) == (status == 403 or name in ("rate_limit", "rate_limit_24h"))
    assert api.x_api.billed_posts == len(answers[2].json()["data"])


def test_a_rate_limit_says_when_it_ends(api: Api) -> None:
    api.x_api.fault("rate_limit", seconds=77)
    headers = api.get(NASA).headers
    assert headers["x-rate-limit-remaining"] == "0"
    assert 75 < int(headers["x-rate-limit-reset"]) - time.time() < 79
    api.x_api.fault("rate_limit_24h")
    headers = api.get(NASA).headers
    assert headers["x-app-limit-24hour-remaining"] == "0"
    assert int(headers["x-app-limit-24hour-reset"]) - time.time() > 86_000


@pytest.mark.parametrize("name", ["reset", "cut_body"])
def test_a_broken_connection(api: Api, name: str) -> None:
    api.x_api.fault(name)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        api.get(NASA)
    assert api.get(NASA).status_code == 200


def test_a_hanging_answer(api: Api) -> None:
    api.x_api.fault("hang", seconds=0.3)
    started = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        api.get(NASA)
    assert time.monotonic() - started >= 0.3
    api.x_api.fault("hang")
    with pytest.raises(requests.ReadTimeout):
        api.session.get(api.x_api.base_url + NASA, timeout=0.2)
    assert api.get(NASA).status_code == 200


def test_a_body_that_is_not_json(api: Api) -> None:
    api.x_api.fault("invalid_json")
    answer = api.get(NASA)
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_errors_only_and_faults_for_one_path(api: Api) -> None:
    api.x_api.fault("errors_only", path="/tweets")
    assert "data" in api.json("/2/users/by/username/nasa")
    assert set(api.json(NASA)) == {"errors"}


def test_a_repeated_token_leads_to_the_same_page(api: Api) -> None:
    api.x_api.fault("repeated_token", count=2)
    first = api.json(NASA, max_results=5)
    second = api.json(NASA, max_results=5, pagination_token=first["meta"]["next_token"])
    assert second == first
    third = api.json(NASA, max_results=5, pagination_token=second["meta"]["next_token"])
    assert third["data"] == first["data"] and third["meta"]["next_token"] != first["meta"]["next_token"]


def test_an_empty_page_loses_no_post(api: Api) -> None:
    api.x_api.fault("empty_page")
    first, *rest = api.pages(NASA, max_results=100, **DAY_WINDOW)
    assert "data" not in first and first["meta"]["result_count"] == 0
    ids = [post["id"] for page in rest for post in page["data"]]
    assert ids == [str(stub.id) for stub in day_stubs(account_named("nasa"), DAY)]


def test_an_unknown_fault_is_refused(x_api: XApi) -> None:
    with pytest.raises(ValueError, match="known: rate_limit"):
        x_api.fault("colour")


def test_an_unknown_path_is_404_without_a_body(api: Api) -> None:
    answer = api.get("/2/nothing/here")
    assert (answer.status_code, answer.text) == (404, "")


# ---- replay, control, command line -------------------------------------------------------------------------------


def test_recorded_pages_come_in_order_and_then_empty_ones(api: Api) -> None:
    first = {"data": [{"id": "1", "text": "a"}], "meta": {"result_count": 1, "next_token": "t"}}
    second = {"status": 429, "headers": {"x-rate-limit-limit": "1500"}, "body": {"title": "Too Many Requests"}}
    api.x_api.replay([first, second])
    assert "data" in api.json("/2/users/by/username/nasa")  # a lookup is no page and uses none up
    assert api.json(NASA) == first
    answer = api.get("/2/tweets/search/recent", query="anything")
    assert (answer.status_code, answer.json()) == (429, second["body"])
    assert answer.headers["x-rate-limit-limit"] == "1500"
    assert api.json(NASA) == {"meta": {"result_count": 0}}
    assert api.x_api.billed_posts == 1


@pytest.mark.parametrize("name", ["twarc_csv/2sets.jsonl", "tweepy_cassettes/test_client_get_users_tweets.json"])
def test_real_recordings_are_served_as_they_are(api: Api, name: str) -> None:
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"recorded pages are not beside the project ({name})")
    pages = read_recording(str(path))
    api.x_api.replay(pages)
    for page in pages:
        assert api.json(NASA) == page.get("body", page)
    assert api.x_api.billed_posts > 0


def test_control_endpoints(api: Api) -> None:
    control = api.x_api.base_url + "/_control/"
    requests.post(control + "faults", json={"name": "server_error", "path": "/tweets"}, timeout=5).raise_for_status()
    requests.post(control + "now", json={"now": "2026-01-01T00:00:00Z"}, timeout=5).raise_for_status()
    assert api.get(NASA, max_results=7).status_code == 503
    page = api.json(NASA, tweet_fields="created_at")
    assert page["data"][0]["created_at"].startswith("2025-12-31")
    state = requests.get(control + "state", timeout=5).json()
    assert (state["billed_posts"], state["faults"]) == (len(page["data"]), [])
    asked = {"method": "GET", "path": NASA, "query": {"max_results": "7"}}
    assert state["requests"][0] == asked | {"status": 503, "fault": "server_error"}
    bad = requests.post(control + "faults", json={"name": "colour"}, timeout=5)
    assert bad.status_code == 400 and "known:" in bad.json()["error"]
    assert requests.post(control + "reset", timeout=5).json()["requests"] == []


def test_the_command_line_serves_and_explains_itself(tmp_path: Path) -> None:
    recording = tmp_path / "pages.jsonl"
    recording.write_text('{"data":[{"id":"7","text":"b"}],"meta":{"result_count":1}}\n', encoding="utf-8")
    command = [sys.executable, "-m", "stand_ins.x_api", "--port", "0", "--bearer-token", "secret"]
    command += ["--fault", "not_found:1", "--replay", str(recording)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith("x_api listening on http://127.0.0.1:")
            url, headers = line.split()[-1] + NASA, {"Authorization": "Bearer secret"}
            answers = [requests.get(url, headers=headers, timeout=5) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [404, 200]
            assert answers[1].json()["data"][0]["id"] == "7"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
    taken = listen("127.0.0.1", 0)
    command[command.index("0")] = str(taken.getsockname()[1])
    busy = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    taken.close()
    assert busy.returncode == 2 and "Take another --port" in busy.stderr
    bad = subprocess.run(
        [sys.executable, "-m", "stand_ins.x_api", "--fault", "colour"], cwd=PROJECT, capture_output=True, text=True
    )
    assert bad.returncode == 2 and "unknown fault 'colour'" in bad.stderr and "Traceback" not in bad.stderr


# ---- the official description ------------------------------------------------------------------------------------


def check(version: str, schema: str, body: dict[str, Any]) -> None:
    """`body` has the schema of this name."""
    _, registry = openapi(version)
    validator = jsonschema.Draft202012Validator({"$ref": f"urn:x#/components/schemas/{schema}"}, registry=registry)
    # OpenAPI 3.0 writes `nullable`; nothing here is null, so that JSON Schema serves.
    validator.validate(body)


def answer_schema(version: str, path: str) -> str:
    document, _ = openapi(version)
    content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    name: str = content["schema"]["$ref"].rpartition("/")[2]
    return name


PAGES = [
    ("/2/users/{id}/tweets", NASA, {"max_results": 100, **DAY_WINDOW}),
    ("/2/tweets/search/recent", "/2/tweets/search/recent", {"query": "telescope", "max_results": 100}),
    ("/2/tweets/search/all", "/2/tweets/search/all", {"query": "from:nasa", "max_results": 100, **DAY_WINDOW}),
]


@pytest.mark.parametrize(("path", "url", "query"), PAGES)
def test_pages_have_the_official_tweet_schema(api: Api, path: str, url: str, query: dict[str, Any]) -> None:
    schema = answer_schema("2.166", path)
    page = api.json(
        url,
        tweet_fields=EVERY_TWEET_FIELD,
        expansions=TWEET_EXPANSIONS,
        user_fields="created_at,public_metrics,protected,verified_type",
        media_fields="url,width,height",
        **query,
    )
    for post in page["data"] + page["includes"]["tweets"]:
        # The one place where the simulator follows the wire, not the description: a number recorded as a string.
        if isinstance(post["edit_controls"]["edits_remaining"], str):
            post["edit_controls"]["edits_remaining"] = int(post["edit_controls"]["edits_remaining"])
        # The description knows posts of today; metrics added in December 2022 were not filled in for older ones.
        if post["created_at"] < "2022-12-15":
            post["public_metrics"] |= {"impression_count": 0, "bookmark_count": 0}
    check("2.166", schema, page)
    with pytest.raises(jsonschema.ValidationError):
        check("2.166", schema, {**page, "data": [{**page["data"][0], "id": 5}]})


@pytest.mark.parametrize(("path", "url", "query"), PAGES)
def test_pages_have_the_official_post_schema(api: Api, path: str, url: str, query: dict[str, Any]) -> None:
    schema = answer_schema("2.167", path)
    # Without the users' public_metrics: they still say tweet_count on the wire, post_count in the description.
    page = api.json(
        url, post_fields=EVERY_POST_FIELD, expansions=POST_EXPANSIONS, user_fields="created_at,protected", **query
    )
    for post in page["data"] + page["includes"]["posts"]:
        post["edit_controls"]["edits_remaining"] = int(post["edit_controls"]["edits_remaining"])
        # Nothing in this answer may be unknown to the new description: the old words are gone.
        known = openapi("2.167")[0]["components"]["schemas"]["Post"]["properties"]
        assert set(post) <= set(known)
    check("2.167", schema, page)


@pytest.mark.parametrize(
    ("version", "path", "url", "query"),
    [
        ("2.166", "/2/users/by/username/{username}", "/2/users/by/username/nasa", {"user_fields": "public_metrics"}),
        ("2.166", "/2/users/by/username/{username}", "/2/users/by/username/suspended", {}),
        ("2.166", "/2/users/by/username/{username}", "/2/users/by/username/nobody_here", {}),
        ("2.166", "/2/users/{id}/tweets", f"/2/users/{account_named('protected').id}/tweets", {}),
        ("2.166", "/2/users/{id}/tweets", f"/2/users/{account_named('quiet').id}/tweets", {}),
        ("2.166", "/2/tweets/counts/recent", "/2/tweets/counts/recent", {"query": "umbrella"}),
        ("2.167", "/2/usage/tweets", "/2/usage/tweets", {"usage_fields": "daily_project_usage,daily_client_app_usage"}),
    ],
)
def test_other_answers_have_the_official_schema(
    api: Api, version: str, path: str, url: str, query: dict[str, Any]
) -> None:
    check(version, answer_schema(version, path), api.json(url, **query))


def test_fields_and_expansions_are_the_official_ones() -> None:
    for version, prefix, fields, expansions in (
        ("2.166", "Tweet", vocabulary.TWEET_FIELDS, vocabulary.TWEET_EXPANSIONS),
        ("2.167", "Post", vocabulary.POST_FIELDS, vocabulary.POST_EXPANSIONS),
    ):
        declared = openapi(version)[0]["components"]["parameters"]
        for kind, ours in (("Fields", fields), ("Expansions", expansions)):
            assert set(ours) == set(declared[f"{prefix}{kind}Parameter"]["schema"]["items"]["enum"])
