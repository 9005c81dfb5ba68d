"""A day in the lake is never replaced by something poorer or foreign, and its raw pages are never lost."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stand_ins.s3_server import S3
from tests.helpers.etl import Run, run_etl

TODAY = datetime.now(UTC).date()
YESTERDAY = str(TODAY - timedelta(days=1))
DAY = "2026-11-23"  # of the pages below
FIELD = Path(__file__).resolve().parents[2] / "shared" / "field" / "etl"


def page(*numbers: int, day: str = DAY, author: str = "1") -> dict[str, Any]:
    """A page as other tools keep it: these posts, and who wrote them."""
    posts = [
        {
            "id": str(2124985147136854983 + number),
            "created_at": f"{day}T10:00:{number % 60:02}.000Z",
            "text": f"post {number}",
            "author_id": author,
        }
        for number in numbers
    ]
    return {"data": posts, "includes": {"users": [{"id": author, "username": f"example{author}"}]}}


class Lake:
    """A folder, looked at without the script's own code."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self, day: str = DAY) -> list[str]:
        with (self.root / f"twitter/dt={day}/refined_tweets.csv").open(encoding="utf-8", newline="") as file:
            return [row["id"] for row in csv.DictReader(file)]

    def manifest(self, day: str = DAY) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / f"twitter/dt={day}/_manifest.json").read_text())
        return found

    def files(self) -> dict[str, str]:
        """Every file with its SHA-256."""
        files = (file for file in self.root.rglob("*") if file.is_file())
        return {str(file.relative_to(self.root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def replaced(self, day: str = YESTERDAY) -> list[Path]:
        return list(self.root.glob(f"twitter_raw/dt={day}/_replaced/*"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


class Raw:
    """--from-raw of pages that are written for it."""

    def __init__(self, folder: Path, lake: Lake) -> None:
        self.file, self.lake = folder / "pages.jsonl", lake

    def land(self, *pages: dict[str, Any], options: tuple[str, ...] = ()) -> Run:
        self.file.write_text("".join(json.dumps(page) + "\n" for page in pages))
        return run_etl("--from-raw", str(self.file), "--to", str(self.lake.root), *options)


@pytest.fixture
def raw(tmp_path: Path, lake: Lake) -> Raw:
    return Raw(tmp_path, lake)


class Account:
    """Days asked from the simulator."""

    def __init__(self, x_api: Any, env: dict[str, str], lake: Lake) -> None:
        self.x_api, self.env, self.lake = x_api, env, lake

    def land(self, *options: str, account: str = "nasa", day: str | None = YESTERDAY) -> Run:
        when = ("--date", day) if day else ()
        return run_etl("--account", account, *when, "--to", str(self.lake.root), *options, env=self.env)

    @property
    def asked(self) -> int:
        return len(self.x_api.requests)


@pytest.fixture
def x(x_api: Any, x_env: dict[str, str], lake: Lake) -> Iterator[Account]:
    yield Account(x_api, x_env, lake)


def refused(run: Run, part: str) -> bool:
    """Exit 2, with the cause, what was kept, and both ways out."""
    summary = run.summary
    assert run.code == 2, run.log
    assert part in summary["error"] and "nothing was written" in summary["kept"].lower(), summary
    assert "--name" in summary["hint"] and "--replace" in summary["hint"]
    return not summary["days"]


# ---- raw pages


def test_a_part_of_a_day_does_not_replace_it(raw: Raw, lake: Lake) -> None:
    assert raw.land(page(*range(5))).code == 0
    before = lake.files()
    assert refused(raw.land(page(0)), "4 of them")
    assert refused(raw.land(page(3, 4, 5, 6, 7, 8)), "3 of them"), "more posts, and still not those"
    assert lake.files() == before
    assert raw.land(page(2, 1), page(0, 3, 4)).code == 0, "the same posts in other pages"
    assert raw.land(page(*range(7))).code == 0 and len(lake.ids()) == 7, "more than there were"
    assert raw.land(page(0), options=("--replace",)).code == 0 and len(lake.ids()) == 1


def test_one_poorer_day_stops_all_days_of_the_pages(raw: Raw, lake: Lake) -> None:
    other = "2026-11-22"
    assert raw.land(page(0, 1), page(10, 11, day=other)).code == 0
    before = lake.files()
    assert refused(raw.land(page(0, 1, 2), page(10, day=other)), f"{other} is in the lake with 2 posts")
    assert refused(raw.land(page(0), page(10, 11, 12, day=other)), f"{DAY} is in the lake with 2 posts")
    assert lake.files() == before, "the richer day neither"
    assert raw.land(page(0, 1, 2), page(10, day=other), options=("--date", DAY)).code == 0
    assert (len(lake.ids()), len(lake.ids(other))) == (3, 2)


def test_the_newer_version_of_a_post_takes_its_place(raw: Raw, lake: Lake) -> None:
    first, second = page(0)["data"][0], page(1)["data"][0]
    versions = {"edit_history_tweet_ids": [first["id"], second["id"]]}
    assert raw.land({"data": [first]}).code == 0
    assert raw.land({"data": [second | versions]}).code == 0
    assert lake.ids() == [second["id"]]
    assert refused(raw.land({"data": [first | versions]}), "1 of them"), "and not the older one again"


@pytest.mark.parametrize("options", [(), ("--date", DAY)])
def test_an_edit_after_midnight_may_take_a_post_out_of_the_day_before(
    raw: Raw, lake: Lake, options: tuple[str, ...]
) -> None:
    """The day has landed with the first version; pages of both days drop it there."""
    first, other = page(0)["data"][0], page(1)["data"][0]
    next_day = str(2124985147136854983 + (15 * 3_600_000 << 22))  # 15 hours later, as a post's id tells
    edit: dict[str, Any] = {
        "id": next_day,
        "created_at": "2026-11-24T01:00:00.000Z",
        "text": "edited",
        "author_id": "1",
    }
    edit |= {"edit_history_tweet_ids": [first["id"], next_day]}
    assert raw.land({"data": [first, other]}).code == 0
    run = raw.land({"data": [first, other, edit]}, options=options)
    assert run.code == 0, run.log
    assert lake.ids() == [other["id"]]


def test_a_limit_does_not_make_a_day_poorer(raw: Raw, lake: Lake) -> None:
    assert raw.land(page(*range(5))).code == 0
    assert refused(raw.land(page(*range(5)), options=("--limit", "2")), "3 of them")
    assert len(lake.ids()) == 5


def test_a_day_whose_parquet_is_gone_is_judged_by_its_rows(raw: Raw, lake: Lake) -> None:
    assert raw.land(page(*range(5))).code == 0
    (lake.root / f"twitter_parquet/dt={DAY}/refined_tweets.parquet").unlink()
    assert refused(raw.land(page(0)), "4 of them")
    assert raw.land(page(*range(5))).code == 0


@pytest.mark.skipif(not FIELD.exists(), reason=f"no inputs in {FIELD}")
def test_the_day_met_in_the_field(lake: Lake) -> None:
    land = ("--to", str(lake.root), "--from-raw")
    assert run_etl(*land, str(FIELD / "14_whole_day.jsonl")).code == 0
    assert refused(run_etl(*land, str(FIELD / "14_part_of_a_day.jsonl")), "4 of them")
    whole = json.loads((FIELD / "14_whole_day.jsonl").read_text())
    assert lake.ids() == [post["id"] for post in whole["data"]]


# ---- from X


def test_a_landed_day_asks_x_for_nothing(x: Account, lake: Lake) -> None:
    first = x.land()
    assert first.code == 0 and first.summary["already_landed"] == []
    before, asked = lake.files(), x.asked
    for options in ((), ("--limit", str(first.rows)), ("--archive",)):
        run = x.land(*options)
        assert (run.code, run.summary["already_landed"], run.summary["days"]) == (0, [YESTERDAY], []), run.log
    assert run.summary["cost_usd_max"] == 0
    assert (x.asked, lake.files()) == (asked, before)
    again = x.land("--again")
    assert again.code == 0 and again.rows == first.rows and x.asked > asked
    assert {name: sha for name, sha in lake.files().items() if "manifest" not in name} == {
        name: sha for name, sha in before.items() if "manifest" not in name
    }


def test_another_account_or_a_part_is_refused_before_it_is_paid_for(x: Account, lake: Lake) -> None:
    assert x.land().code == 0
    before, asked, billed = lake.files(), x.asked, x.x_api.billed_posts
    assert refused(x.land(account="breadlab"), "of @breadlab")
    assert refused(x.land("--limit", "5"), "newest 5")
    search = run_etl("--query", "from:nasa", "--date", YESTERDAY, "--to", str(lake.root), env=x.env)
    assert refused(search, "the search 'from:nasa'")
    assert (lake.files(), x.asked, x.x_api.billed_posts) == (before, asked, billed)
    assert x.land("--name", "bread", account="breadlab").code == 0, "beside it"
    assert (lake.root / f"twitter/source=bread/dt={YESTERDAY}/_manifest.json").exists()
    assert before.items() <= lake.files().items()


def test_replaced_raw_pages_are_kept_and_are_not_read_with_the_rest(x: Account, lake: Lake, tmp_path: Path) -> None:
    assert x.land("--include-replies").code == 0
    rows, paid = lake.ids(YESTERDAY), lake.root / f"twitter_raw/dt={YESTERDAY}/pages.jsonl.gz"
    sha256, content = hashlib.sha256(paid.read_bytes()).hexdigest(), gzip.decompress(paid.read_bytes())
    assert x.land("--replace", "--limit", "5", account="breadlab").code == 0
    assert len(lake.ids(YESTERDAY)) == 5 and not {*lake.ids(YESTERDAY)} & {*rows}
    (kept,) = lake.replaced()
    assert kept.name == f"{sha256}.jsonl.gz" and gzip.decompress(kept.read_bytes()) == content
    # The folder is what the lake is now; the file by itself is what it was.
    rebuilt, older = Lake(tmp_path / "rebuilt"), Lake(tmp_path / "older")
    assert run_etl("--from-raw", str(lake.root / "twitter_raw"), "--to", str(rebuilt.root)).code == 0
    assert {*rebuilt.ids(YESTERDAY)} >= {*lake.ids(YESTERDAY)} and not {*rebuilt.ids(YESTERDAY)} & {*rows}
    assert run_etl("--from-raw", str(kept), "--to", str(older.root), "--include-replies").code == 0
    assert older.ids(YESTERDAY) == rows


def test_a_range_asks_only_for_the_days_that_are_missing(x: Account, lake: Lake) -> None:
    days = [str(TODAY - timedelta(days=n)) for n in (3, 2, 1)]
    assert x.land(day=days[1]).code == 0
    before, asked = lake.files(), x.asked
    run = x.land("--start", days[0], "--end", days[2], day=None)
    assert run.code == 0, run.log
    assert [day["date"] for day in run.summary["days"]] == [days[0], days[2]]
    assert run.summary["already_landed"] == [days[1]]
    assert before.items() <= lake.files().items()
    questions = [request.query for request in x.x_api.requests[asked:] if "start_time" in request.query]
    # The proof of depth asks for the last hour before a day.
    asked_days = {q["start_time"][:10] for q in questions if q["start_time"].endswith("T00:00:00Z")}
    assert asked_days == {days[0], days[2]}


def test_a_range_with_a_foreign_day_is_refused_as_a_whole(x: Account, lake: Lake) -> None:
    days = [str(TODAY - timedelta(days=n)) for n in (2, 1)]
    assert x.land(day=days[1], account="breadlab").code == 0
    asked = x.asked
    assert refused(x.land("--start", days[0], "--end", days[1], day=None), f"{days[1]} is in the lake")
    assert x.asked == asked and not (lake.root / f"twitter/dt={days[0]}").exists()


def test_landed_days_out_of_x_s_reach_need_no_archive(x: Account, lake: Lake) -> None:
    """Recent search gives seven days; a search's day that is landed isn't asked for, however old it is."""
    old = TODAY - timedelta(days=9)
    search = ("--query", "from:nasa", "--date", str(old), "--to", str(lake.root))
    assert run_etl(*search, env=x.env).code == 2
    assert run_etl(*search, "--archive", env=x.env).code == 0
    run = run_etl(*search, env=x.env)
    assert (run.code, run.summary["already_landed"]) == (0, [str(old)]), run.log


def test_more_kinds_come_and_fewer_do_not(x: Account, lake: Lake) -> None:
    plain = x.land()
    more = x.land("--include-replies")
    assert (plain.code, more.code) == (0, 0) and more.rows > plain.rows, more.log
    assert refused(x.land(), "with replies") and "--include-replies" in x.land().summary["hint"]


def test_the_latest_posts_replace_the_latest_and_no_day(x: Account, lake: Lake) -> None:
    assert x.land("--latest", "7", day=None).code == 0
    assert lake.manifest(str(TODAY))["complete"] is False
    (first,) = lake.root.glob("twitter_raw/dt=*/pages.jsonl.gz")
    paid = first.read_bytes()
    assert x.land("--latest", "5", day=None).code == 0, "an earlier --latest"
    assert [file.read_bytes() for file in lake.replaced(str(TODAY))] == [paid]
    assert refused(x.land("--latest", "5", day=None, account="breadlab"), "of @breadlab")
    manifest = lake.manifest(str(TODAY)) | {"complete": True, "latest": None, "window": {"end": f"{TODAY}T23:59:59Z"}}
    (lake.root / f"twitter/dt={TODAY}/_manifest.json").write_text(json.dumps(manifest))
    assert refused(x.land("--latest", "50", day=None), "newest 50")


def test_the_latest_of_an_account_with_few_posts_are_no_day(x: Account, lake: Lake) -> None:
    assert x.land("--latest", "3200", "--include-replies", day=None, account="quiet").code == 0
    assert lake.manifest(str(TODAY))["complete"] is False


def test_a_day_that_was_cut_is_asked_again(x: Account, lake: Lake) -> None:
    cut = x.land("--limit", "20")
    assert cut.code == 0 and lake.manifest(YESTERDAY)["complete"] is False
    assert refused(x.land("--limit", "5"), "newest 5")
    whole = x.land()
    assert whole.code == 0 and whole.rows > cut.rows and lake.manifest(YESTERDAY)["complete"] is True
    assert len(lake.replaced()) == 1, "the pages of the cut day were paid for, too"


def test_a_day_with_a_file_gone_is_not_landed(x: Account, lake: Lake) -> None:
    assert x.land().code == 0
    whole = lake.ids(YESTERDAY)
    (lake.root / f"twitter/dt={YESTERDAY}/refined_tweets.csv").unlink()
    run = x.land()
    assert run.code == 0 and run.summary["already_landed"] == [] and "not all of its files" in run.log
    assert lake.ids(YESTERDAY) == whole


def test_the_owner_is_known_by_the_id(x: Account, lake: Lake) -> None:
    assert x.land().code == 0
    manifest = lake.manifest(YESTERDAY)
    assert manifest["account_id"]
    file = lake.root / f"twitter/dt={YESTERDAY}/_manifest.json"
    file.write_text(json.dumps(manifest | {"account": "nasa_before_its_renaming"}))
    assert x.land().summary["already_landed"] == [YESTERDAY]
    file.write_text(json.dumps(manifest | {"account_id": "12"}))
    assert refused(x.land(), "@nasa (id 12)")


def test_a_manifest_that_is_none_is_not_guessed_at(x: Account, lake: Lake) -> None:
    file = lake.root / f"twitter/dt={YESTERDAY}/_manifest.json"
    file.parent.mkdir(parents=True)
    file.write_text("half a mani")
    run = x.land()
    assert run.code == 2 and "isn't a manifest" in run.summary["error"] and x.asked == 0, run.log
    assert x.land("--replace").code == 0


# ---- both


def test_a_rebuild_keeps_a_day_landed(x: Account, lake: Lake) -> None:
    assert x.land("--include-replies").code == 0
    before, asked = lake.manifest(YESTERDAY), x.asked
    rebuild = ("--from-raw", str(lake.root / "twitter_raw"), "--to", str(lake.root))
    assert refused(run_etl(*rebuild), "--include-replies")
    run = run_etl(*rebuild, "--include-replies")
    assert run.code == 0, run.log
    after = lake.manifest(YESTERDAY)
    for name in ("account", "account_id", "complete", "window", "files", "rows"):
        assert after[name] == before[name], name
    assert x.land("--include-replies").summary["already_landed"] == [YESTERDAY]
    assert x.asked == asked


def test_raw_pages_of_another_account_set_the_old_ones_aside(x: Account, lake: Lake, tmp_path: Path) -> None:
    assert x.land().code == 0
    other = Lake(tmp_path / "other")
    bread = run_etl("--account", "breadlab", "--date", YESTERDAY, "--to", str(other.root), env=x.env)
    assert bread.code == 0
    pages = tmp_path / "bread"
    shutil.copytree(other.root / "twitter_raw", pages)
    land = ("--from-raw", str(pages), "--to", str(lake.root))
    paid = (lake.root / f"twitter_raw/dt={YESTERDAY}/pages.jsonl.gz").read_bytes()
    assert refused(run_etl(*land), "of @breadlab")
    assert run_etl(*land, "--replace").code == 0
    assert lake.ids(YESTERDAY) == other.ids(YESTERDAY)
    assert [file.read_bytes() for file in lake.replaced()] == [paid]
    assert "pages.jsonl.gz" not in lake.manifest(YESTERDAY)["files"]
    assert not (lake.root / f"twitter_raw/dt={YESTERDAY}/pages.jsonl.gz").exists()


def test_a_day_of_unknown_pages_is_known_by_its_author(x: Account, raw: Raw, lake: Lake) -> None:
    """As raw pages of other tools make it, and as rebuilds of old versions did."""
    assert x.land().code == 0
    lines = gzip.decompress((lake.root / f"twitter_raw/dt={YESTERDAY}/pages.jsonl.gz").read_bytes()).splitlines()
    posts = [json.loads(line)["data"] for line in lines]
    shutil.rmtree(lake.root)
    user = {"id": posts[0][0]["author_id"], "username": "NASA"}
    assert raw.land(*({"data": part, "includes": {"users": [user]}} for part in posts)).code == 0
    assert "account" not in lake.manifest(YESTERDAY)
    assert refused(x.land(account="breadlab"), "of @breadlab")
    assert refused(x.land("--limit", "5"), "newest 5"), "it may be the whole day"
    assert x.land().code == 0
    assert lake.manifest(YESTERDAY)["complete"] is True


def test_the_same_in_a_bucket(x_api: Any, x_env: dict[str, str], s3: S3) -> None:
    def land(account: str, *options: str) -> Run:
        to = ("--date", YESTERDAY, "--to", f"s3://{s3.bucket}/some/prefix")
        return run_etl("--account", account, *to, *options, env=x_env | s3.env)

    raw_key = f"some/prefix/twitter_raw/dt={YESTERDAY}/pages.jsonl.gz"
    assert land("nasa").code == 0
    paid, asked = s3.read(raw_key), len(x_api.requests)
    assert refused(land("breadlab"), "of @breadlab")
    assert land("nasa").summary["already_landed"] == [YESTERDAY]
    assert len(x_api.requests) == asked
    assert land("breadlab", "--replace").code == 0
    kept = f"some/prefix/twitter_raw/dt={YESTERDAY}/_replaced/{hashlib.sha256(paid).hexdigest()}.jsonl.gz"
    assert s3.read(kept) == paid and s3.read(raw_key) != paid
    folder = f"s3://{s3.bucket}/some/prefix/twitter_raw"
    run = run_etl("--from-raw", folder, "--to", f"s3://{s3.bucket}/rebuilt", env=s3.env)
    assert run.code == 0
    rebuilt = s3.read(f"rebuilt/twitter/dt={YESTERDAY}/refined_tweets.csv")
    assert rebuilt == s3.read(f"some/prefix/twitter/dt={YESTERDAY}/refined_tweets.csv"), "without what was replaced"
