"""Every recorded page goes through --from-raw: what goes in comes out, or is counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import twitter_etl

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"
TWARC = sorted((RECORDINGS / "twarc_csv").glob("*.json*"))
CASSETTES = sorted((RECORDINGS / "tweepy_cassettes").glob("*.json"))
FILES_WITHOUT_POSTS = {"counts", "users", "lists", "tweets_compliance", "users_compliance", "empty"}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not TWARC, reason=f"no recordings in {RECORDINGS}")]


def post_ids(path: Path) -> set[str]:
    """Ids of all posts in a file of pages, found without the code under test."""
    ids: set[str] = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            page = json.loads(line)
        except ValueError:
            continue
        data = page.get("data", page)
        ids.update(item["id"] for item in (data if isinstance(data, list) else [data]) if "text" in item)
    return ids


def land(path: Path, lake: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    code = twitter_etl.main(["--from-raw", str(path), "--to", str(lake), *options])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def rows_of(lake: Path) -> list[dict[str, str]]:
    rows = []
    for file in sorted(lake.glob("twitter/dt=*/refined_tweets.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            rows += list(csv.DictReader(stream))
    return rows


def check(path: Path, lake: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """All posts with every kind included: ids in = ids out. Then with the defaults: the difference is counted."""
    ids = post_ids(path)
    everything = ("--include-replies", "--include-retweets", "--max-reject-percent", "100")
    code, summary = land(path, lake / "all", capsys, *everything)
    if not ids:
        assert (code, summary["status"]) == (8, "failed")
        assert not (lake / "all" / "twitter").exists()
        return summary
    assert code == 0, summary
    rows = rows_of(lake / "all")
    out = {row["id"] for row in rows}
    rejected = set()
    for file in (lake / "all").glob("twitter_rejected/dt=*/rejected.jsonl"):
        rejected |= {json.loads(line)["id"] for line in file.read_text(encoding="utf-8").splitlines()}
    assert len(out) == len(rows), "an id twice"
    older = summary["left_out"].get("older_versions", 0)
    assert out | rejected <= ids
    assert len(ids) == len(out | rejected) + older
    for options in (everything, ("--max-reject-percent", "100")):
        _, summary = land(path, lake / "-".join(options), capsys, *options)
        landed = sum(day["rows"] for day in summary["days"])
        assert summary["posts_in"] == landed + sum(summary["left_out"].values()) + summary["rejected"]
    return summary


@pytest.mark.parametrize("path", TWARC, ids=lambda path: path.stem)
def test_twarc_pages(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = check(path, tmp_path, capsys)
    assert (path.stem in FILES_WITHOUT_POSTS) == (summary["posts_in"] == 0)
    assert summary["rejected"] == 0
    assert summary["bad_lines"] == (1 if path.stem == "streaming_output_with_error" else 0)


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_tweepy_cassettes(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded with default fields, so without created_at: every post is rejected for that, and none is lost."""
    bodies = [json.dumps(call["body"]) for call in json.loads(path.read_text()) if isinstance(call.get("body"), dict)]
    pages = tmp_path / "pages.jsonl"
    pages.write_text("\n".join(bodies), encoding="utf-8")
    summary = check(pages, tmp_path, capsys)
    assert summary["rejected"] == summary["posts_in"]


def test_known_oddities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Edits, withheld posts and partial errors, against numbers counted by hand in the recordings."""
    both = ("--include-replies", "--include-retweets")
    land(RECORDINGS / "twarc_csv" / "edited_after.jsonl", tmp_path / "edited", capsys, *both)
    edited = rows_of(tmp_path / "edited")
    assert [row["edited"] for row in edited] == ["true"]
    assert len(json.loads(edited[0]["edit_history_ids"])) == 2
    land(RECORDINGS / "twarc_csv" / "withheld.jsonl", tmp_path / "withheld", capsys, *both)
    assert sum(bool(row["withheld_countries"]) for row in rows_of(tmp_path / "withheld")) == 13
    _, summary = land(RECORDINGS / "twarc_csv" / "entities_test.jsonl", tmp_path / "entities", capsys, *both)
    assert summary["partial_errors"] == {"not-found": 3, "suspended": 5, "not-authorized": 3}
    assert all(row["lang"] == "" and row["likes"] != "" for row in rows_of(tmp_path / "entities"))
