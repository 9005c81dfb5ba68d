"""The chapters by themselves: settings, both vocabularies, hostile pages, refusals, what lands."""

from __future__ import annotations

import csv
import io
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tweetlake.errors import CredentialsError, EtlError, UsageError
from tweetlake.logs import RedactingFormatter
from tweetlake.raw import RawCounts, page_of, parse_json
from tweetlake.reading.pages import read_pages
from tweetlake.settings import check_bucket, read_settings
from tweetlake.transform.rows import Rules

from tests.helpers.etl import SCRIPT, Collected, collect, run_etl

TOKEN = {"X_BEARER_TOKEN": "AAAAAAAAAAAAAAAAAAAAAtoken"}
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def post(number: int, text: str = "hello", **more: Any) -> dict[str, Any]:
    """A post of 2026-03-01 with the fields every post has."""
    return {
        "id": str(2028000000000000000 + number),
        "text": text,
        "author_id": "42",
        "created_at": f"2026-03-01T10:{number % 60:02}:00.000Z",
    } | more


def rows_from(*documents: Any, rules: Rules | None = None) -> tuple[list[dict[str, Any]], Collected]:
    harvest = collect([page_of(document) for document in documents], rules)
    return harvest.rows, harvest


def land_lines(tmp_path: Path, lines: list[str], *options: str) -> tuple[Any, list[dict[str, str]]]:
    pages = tmp_path / "pages.jsonl"
    pages.write_text("\n".join(lines) + "\n", encoding="utf-8")
    csv.field_size_limit(1_000_000)  # the module's own limit is 131,072 characters
    run = run_etl("--from-raw", str(pages), "--to", str(tmp_path / "lake"), *options)
    rows: list[dict[str, str]] = []
    for file in sorted((tmp_path / "lake").glob("twitter/dt=*/refined_tweets.csv")):
        rows += csv.DictReader(io.StringIO(file.read_bytes().decode(), newline=""))
    return run, rows


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--account", "na sa"], "user name"),
        (["--account", "a" * 16], "user name"),
        (["--account", ""], "empty"),
        (["--account", "nasa", "--date", "2026-03-03"], "future"),
        (["--account", "nasa", "--date", "2026-02-30"], "YYYY-MM-DD"),
        (["--account", "nasa", "--date", "20260301"], "YYYY-MM-DD"),
        (["--account", "nasa", "--start", "2026-03-01"], "belong together"),
        (["--account", "nasa", "--start", "2026-03-02", "--end", "2026-03-01"], "after"),
        (["--account", "nasa", "--date", "2026-03-01", "--latest", "5"], "exclude each other"),
        (["--account", "nasa", "--latest", "0"], "1 or more"),
        (["--account", "nasa", "--query", "x"], "not allowed with"),
        (["--account", "nasa", "--name", "a/b"], "object key"),
        (["--query", " "], "empty"),
        ([], "required"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings([*arguments, "--to", "lake"], dict(TOKEN), NOW)
    assert part in str(caught.value)


@pytest.mark.parametrize("bucket", ["A-b-c", "ab", "a..b", "192.168.5.4", "-abc", "abc-", "xn--abc", "a_b_c", "b" * 64])
def test_bucket_names_s3_forbids(bucket: str) -> None:
    with pytest.raises(UsageError):
        check_bucket(bucket)


def test_settings_default_to_yesterday_and_read_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / "twitter.env"
    file.write_text('# comment\n\nexport X_BEARER_TOKEN="abc=def"\nAWS_DEFAULT_REGION=eu-central-1\n')
    environ = {"AWS_DEFAULT_REGION": "us-east-1"}
    settings = read_settings(["--account", "@nasa", "--to", "s3://my-bucket", "--env-file", str(file)], environ, NOW)
    assert (settings.source.account, [str(day) for day in settings.days]) == ("nasa", ["2026-03-01"])
    assert settings.credentials.bearer_token == "abc=def"
    assert environ["AWS_DEFAULT_REGION"] == "us-east-1", "the environment wins"
    assert "abc=def" not in repr(settings)


@pytest.mark.parametrize("environ", [{}, {"X_CONSUMER_KEY": "a"}, {"X_BEARER_TOKEN": "a b"}])
def test_missing_or_malformed_credentials(environ: dict[str, str]) -> None:
    with pytest.raises(CredentialsError):
        read_settings(["--account", "nasa", "--to", "lake"], environ, NOW)


def test_both_vocabularies_give_the_same_rows() -> None:
    common: dict[str, Any] = {"public_metrics": {"like_count": 1, "reply_count": 0}, "conversation_id": "7"}
    old = post(1, "cut ...", **common) | {
        "public_metrics": {**common["public_metrics"], "retweet_count": 3},
        "note_tweet": {"text": "the whole &amp;amp; text", "entities": {"hashtags": [{"tag": "long"}]}},
        "referenced_tweets": [{"type": "quoted", "id": "99"}],
        "edit_history_tweet_ids": ["5", str(2028000000000000001)],
    }
    new = post(1, "cut ...", **common) | {
        "public_metrics": {**common["public_metrics"], "repost_count": 3},
        "note_post": old["note_tweet"],
        "referenced_posts": old["referenced_tweets"],
        "edit_history_post_ids": old["edit_history_tweet_ids"],
    }
    (row,), _ = rows_from({"data": [old]})
    assert rows_from({"data": [new]})[0] == [row]
    assert row["text"] == "the whole &amp; text", "entities are decoded once, not twice"
    assert (row["retweets"], row["is_quote"], row["edited"], row["hashtags"]) == (3, True, True, ["long"])
    assert row["bookmarks"] is None and row["lang"] is None, "what is left out isn't 0"


def test_retweets_get_the_whole_text() -> None:
    retweet = post(2, "RT @other: the beg…", referenced_tweets=[{"type": "retweeted", "id": "9"}])
    includes = {"tweets": [{"id": "9", "text": "the beg", "note_tweet": {"text": "the beginning and the end"}}]}
    (row,), _ = rows_from({"data": [retweet], "includes": includes})
    assert row["text"] == "RT @other: the beginning and the end"
    assert rows_from({"data": [retweet]}, rules=Rules())[1].left_out == {"retweets": 1}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_only_the_newest_version_of_an_edited_post_stays(order: tuple[int, ...]) -> None:
    ids = [post(n)["id"] for n in (1, 2, 3)]
    versions = [post(n, f"v{n}", edit_history_tweet_ids=ids[:n]) for n in (1, 2, 3)]
    rows, harvest = rows_from({"data": [versions[n] for n in order]})
    assert [row["text"] for row in rows] == ["v3"]
    assert harvest.left_out == {"older_versions": 2}


def test_ids_are_exact_and_a_later_copy_replaces_an_earlier_one() -> None:
    rows, harvest = rows_from(
        {"data": [post(1, public_metrics={"like_count": "1"})]},
        {"data": [post(1, public_metrics={"like_count": 2}) | {"id": 2028000000000000001}]},
    )
    assert [(row["id"], row["likes"]) for row in rows] == [("2028000000000000001", 2)]
    assert harvest.left_out == {"duplicates": 1}


HOSTILE = [
    '"just a text"',
    "[]",
    "null",
    '{"data": 5, "includes": 3, "errors": "no", "meta": []}',
    '{"data": [null, 1, "x", [], {}]}',
    "[" * 100_000,
    "not json",
    '{"data": [{"id": "1", "text": "no time"}]}',
    '{"data": [{"text": "no id", "created_at": "2026-03-01T00:00:00Z"}]}',
    '{"data": [{"id": 1e300, "text": "x", "created_at": "2026-03-01T00:00:00Z"}]}',
    '{"data": [{"id": "2", "text": "x", "created_at": "0001-01-01T00:00:00+23:00"}]}',
    '{"data": [{"id": "3", "text": "x", "created_at": "2026-03-01T00:00:00"}]}',
    '{"data": [{"id": "4", "text": "x", "created_at": 17, "huge": 123456789012345678901234567890}]}',
]


def test_hostile_lines_lose_no_valid_post(tmp_path: Path) -> None:
    odd = '\u2028 \u202e = + - @me \r\n "q", \x07 \ufeff'
    good = [
        json.dumps({"data": [post(1, odd)]}),
        json.dumps(
            {
                "data": [
                    post(2, "@first"),
                    post(3, "=1+1", entities={"hashtags": None, "urls": [None]}, public_metrics=None, withheld=[]),
                    post(4, "x" * 280_000, created_at="2026-03-01T23:59:59.999Z"),
                    post(5, "a", created_at="2026-03-01T10:00:00Z", lang=None, edit_history_tweet_ids=None),
                ]
            }
        ),
        '{"data": [{"id": "77", "text": "half \\ud83d pair", "created_at": "2026-03-01T00:00:00Z"}]}',
    ]
    run, rows = land_lines(tmp_path, [*HOSTILE, *good], "--max-reject-percent", "60")
    assert run.code == 0, run.log
    assert run.summary["bad_lines"] == 2
    assert run.summary["rejected"] == 6
    texts = {row["id"][-2:]: row["text"] for row in rows}
    assert len(rows) == 6
    assert texts["01"] == odd and texts["02"] == "@first" and texts["03"] == "=1+1" and len(texts["04"]) == 280_000
    assert texts["77"] == "half \ufffd pair"
    assert {row["created_at"] for row in rows} >= {"2026-03-01T23:59:59.999Z", "2026-03-01T10:00:00Z"}


def test_rejects_are_kept_with_their_reason_or_fail_the_run(tmp_path: Path) -> None:
    lines = [json.dumps({"data": [post(n) for n in range(30)]})]
    lines.append(json.dumps({"data": [post(99, public_metrics={"like_count": -1})]}))
    run, rows = land_lines(tmp_path, lines)
    assert (run.code, len(rows), run.summary["rejected"]) == (0, 30, 1), run.log
    rejected = (tmp_path / "lake/twitter_rejected/dt=2026-03-01/rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected[0])["reason"] == "likes: a metric is below 0"
    manifest = json.loads((tmp_path / "lake/twitter/dt=2026-03-01/_manifest.json").read_text())
    assert manifest["reject_reasons"] == {"likes: a metric is below 0": 1}
    run, rows = land_lines(tmp_path, lines, "--max-reject-percent", "1")
    assert run.code == 8 and len(rows) == 30, "nothing was overwritten"
    run, rows = land_lines(tmp_path, lines[:1])
    assert run.code == 0
    assert not list((tmp_path / "lake").glob("twitter_rejected/**/rejected.jsonl")), "a stale one would lie"


def test_days_of_raw_are_partitions_and_a_date_picks_one(tmp_path: Path) -> None:
    first, second = post(1), post(2, created_at="2026-03-02T00:00:00.000Z")
    run, _ = land_lines(tmp_path, [json.dumps({"data": [first, second]})])
    assert [day["date"] for day in run.summary["days"]] == ["2026-03-01", "2026-03-02"]
    run, _ = land_lines(tmp_path, [json.dumps({"data": [first, second]})], "--date", "2026-03-02")
    assert [(day["date"], day["rows"]) for day in run.summary["days"]] == [("2026-03-02", 1)]
    assert run.summary["left_out"] == {"other_days": 1}


@pytest.mark.parametrize("content", [b"", b"garbage\n", b'{"errors": [{"title": "Forbidden"}]}\n', b'{"data": []}\n'])
def test_raw_without_posts_is_a_failure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pages.jsonl").write_bytes(content)
    run = run_etl("--from-raw", str(tmp_path / "pages.jsonl"), "--to", str(tmp_path / "lake"))
    assert run.code == 8, run.log
    assert not (tmp_path / "lake" / "twitter").exists()


def test_a_torn_gzip_gives_what_came_before(tmp_path: Path) -> None:
    import gzip

    whole = gzip.compress(b"".join(json.dumps(post(n, "x" * 99)).encode() + b"\n" for n in range(5000)))
    (tmp_path / "pages.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    counts = RawCounts()
    posts = sum(len(page.posts) for page in read_pages(str(tmp_path), counts))
    assert 1000 < posts < 5000 and counts.unreadable == 1


def test_parsing_is_lenient_only_where_it_must_be() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "😀"
    assert parse_json(b'"\xff"') == "\ufffd"
    with pytest.raises(ValueError, match="nested"):
        parse_json(b"[" * 100_000)


def test_a_page_without_data_still_has_its_next_token() -> None:
    assert page_of({"meta": {"result_count": 0, "next_token": "abc"}}).next_token == "abc"


def test_no_secret_passes_the_log_filter() -> None:
    formatter = RedactingFormatter(["s3cret-value"])
    record = logging.LogRecord("x", logging.DEBUG, "", 0, "a s3cret-value, Bearer %s", ("A" * 40,), None)
    line = formatter.format(record)
    assert "s3cret" not in line and "AAAA" not in line and line.endswith("a ***, Bearer ***")


def test_help_explains_itself_and_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = "import sys, twitter_etl; print([m for m in ('pandas', 'pyarrow', 'boto3', 'tweepy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], cwd=SCRIPT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    done = subprocess.run([sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=True)
    assert "exit codes:" in done.stdout and "examples:" in done.stdout and "99" not in done.stdout


def test_exit_codes_are_those_of_the_help() -> None:
    from tweetlake.errors import EXIT_CODES

    documented = {code for code, _ in EXIT_CODES}
    kinds = {kind.exit_code for kind in EtlError.__subclasses__()}
    assert kinds <= documented
    assert 99 not in documented, "BashOperator reads 99 as skipped"
