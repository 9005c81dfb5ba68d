"""Every layout, encoding and packing of the same posts lands the same rows; what isn't read is told, by name."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweetlake.raw import parse_json
from tweetlake.reading import documents
from tweetlake.reading.documents import DamagedError, Documents, Unreadable

from stand_ins.s3_server import S3
from tests.fuzz.pages import good_post, line_of
from tests.helpers.etl import SCRIPT, Run, rows_in, run_etl, run_here

POSTS = [good_post(n, text=f'post {n}: "{{[", \\ \n é 😀') for n in range(40)]
IDS = [post["id"] for post in POSTS]
PAGE = {"data": POSTS, "includes": {"users": [{"id": "11348282", "username": "nasa"}]}, "meta": {"result_count": 40}}
LAYOUTS = {
    "JSON Lines": "\n".join(map(json.dumps, POSTS)),
    "JSON Lines with CRLF, indented": "".join(f"  {json.dumps(post)}\r\n" for post in POSTS),
    "a list": json.dumps(POSTS),
    "a compact list": json.dumps(POSTS, separators=(",", ":")),
    "a list with a post a line": "[\n" + ",\n".join(map(json.dumps, POSTS)) + "\n]\n",
    "a list with commas first": "[" + "\n,".join(map(json.dumps, POSTS)) + "\n]\n",
    "a pretty list": json.dumps(POSTS, indent=2),
    "a list without indent": json.dumps(POSTS, indent=0),
    "pretty posts": "\n".join(json.dumps(post, indent=4) for post in POSTS),
    "posts glued together": "".join(map(json.dumps, POSTS)),
    "posts with commas, without brackets": ",\n".join(map(json.dumps, POSTS)),
    "RFC 7464": "".join(f"\x1e{json.dumps(post)}\n" for post in POSTS),
    "a page": json.dumps(PAGE),
    "a pretty page": json.dumps(PAGE, indent="\t", ensure_ascii=False),
    "a list of pages": json.dumps([PAGE | {"data": POSTS[:9]}, PAGE | {"data": POSTS[9:]}], indent=1),
    "lists in a list": json.dumps([POSTS[:9], [POSTS[9:20], []], POSTS[20:]]),
    "JavaScript": f"window.pages = {json.dumps(POSTS[:9], indent=1)};\nvar more = {json.dumps(POSTS[9:])};",
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def zipped(content: bytes, name: str = "pages.json") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, content)
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two gzips": lambda content: gzip.compress(content[:500]) + gzip.compress(content[500:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": zipped,
    "gzip in zip": lambda content: zipped(gzip.compress(content), "pages.bin"),
    "zip in zip": lambda content: zipped(zipped(content), "inner"),
    "zip in xz": lambda content: lzma.compress(zipped(content)),
}


def land(path: Path, *options: str, stdin: bytes = b"") -> tuple[Run, list[dict[str, str]]]:
    lake = path.parent / f"{path.name}.lake"
    run = run_here("--from-raw", str(path), "--to", str(lake), *options, stdin=stdin)
    return run, rows_in(lake)


# ---- documents


class Pieces:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream, self._size = io.BytesIO(content), size

    def read1(self, size: int) -> bytes:
        return self._stream.read(min(size, self._size))


def documents_in(content: bytes, piece: int = 1 << 20) -> list[Any]:
    return list(Documents(Pieces(content, piece), parse_json))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("read_bytes", [1 << 20, 2000, 41])
def test_layouts_give_the_same_documents(layout: str, read_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "READ_BYTES", read_bytes)
    found = documents_in(LAYOUTS[layout].encode(), read_bytes)
    posts = [post for page in found for post in page.get("data", [page])]
    assert posts == POSTS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), max_size=6)


@given(
    objects=OBJECTS,
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ascii_only=st.booleans(),
    listed=st.booleans(),
    read_bytes=st.integers(1, 200),
)
def test_any_objects_come_out_as_they_went_in(
    objects: list[Any], indent: Any, ascii_only: bool, listed: bool, read_bytes: int
) -> None:
    parts = [json.dumps(item, indent=indent, ensure_ascii=ascii_only) for item in objects]
    text = f"[{', '.join(parts)}]" if listed else "\n".join(parts)
    before, documents.READ_BYTES = documents.READ_BYTES, read_bytes
    try:
        assert documents_in(text.encode(), read_bytes) == objects
    finally:
        documents.READ_BYTES = before


GOOD = [json.dumps({"data": [good_post(n)]}) for n in range(3)]


@pytest.mark.parametrize(
    "broken",
    [
        '{"data": [{"id": "1", "text": "torn',
        '{"data": [{"id": "1"},',
        '{"data": [{"id": "1"',
        '{"data": [',
        "{",
        '{"data": [}',
        '{"data": [{"id": "1"]}',
        "garbage",
        "<html>",
        '{"a": 1} x',
        '{"a": tru}',
        '"torn',
        "}",
    ],
)
def test_a_broken_line_takes_no_neighbour_with_it(broken: str) -> None:
    found = documents_in("\n".join([GOOD[0], broken, *GOOD[1:]]).encode())
    assert [document for document in found if document in map(json.loads, GOOD)] == list(map(json.loads, GOOD))
    assert [type(document) for document in found].count(Unreadable) == 1
    assert next(document.line for document in found if isinstance(document, Unreadable)) == 2


@pytest.mark.parametrize("indent", [None, 2])
def test_a_broken_element_takes_no_neighbour_with_it(indent: int | None) -> None:
    text = json.dumps(POSTS, indent=indent)
    torn = text.replace(f'"{IDS[20]}"', f'"{IDS[20]}', 1)
    found = documents_in(torn.encode())
    assert [document for document in found if not isinstance(document, Unreadable)] == POSTS[:20] + POSTS[21:]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_cut_off_is_one_document_that_cannot_be_read(layout: str) -> None:
    text = LAYOUTS[layout].encode()
    cut = text[: text.rindex(b'"post 39')]
    found = documents_in(cut)
    assert [type(document) for document in found].count(Unreadable) == 1 and isinstance(found[-1], Unreadable)


def test_a_list_that_is_not_closed_is_cut_off() -> None:
    found = documents_in(json.dumps(POSTS).encode()[:-1])
    assert found[:-1] == POSTS and isinstance(found[-1], Unreadable)


def test_a_damaged_stream_is_said_once() -> None:
    class Damaged(Pieces):
        def read1(self, size: int) -> bytes:
            if piece := super().read1(size):
                return piece
            raise DamagedError("broken off")

    lines = LAYOUTS["JSON Lines"].encode()
    for content in (lines + b"\n", lines[:-5]):
        found = list(Documents(Damaged(content, 99), parse_json))
        assert [document for document in found if isinstance(document, Unreadable)] == [found[-1]]
        assert found[-1].reason == "broken off"
        assert len(found) - 1 == (40 if content.endswith(b"\n") else 39)


def test_torn_lines_by_the_thousand_are_read_in_time() -> None:
    """Each could swallow all that follow."""
    content = b'{"data": [{"id": "1"},\n' * 20_000 + GOOD[0].encode()
    found = documents_in(content)
    assert found[-1] == json.loads(GOOD[0])


# ---- files


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_land_the_same_rows(layout: str, tmp_path: Path) -> None:
    (tmp_path / "pages.txt").write_text(LAYOUTS[layout], encoding="utf-8", newline="")
    run, rows = land(tmp_path / "pages.txt")
    assert (run.code, [row["id"] for row in rows]) == (0, IDS), run.log
    assert [row["text"] for row in rows] == [post["text"] for post in POSTS]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str, tmp_path: Path) -> None:
    for layout in ("JSON Lines", "a pretty page"):
        (tmp_path / "pages").write_bytes(LAYOUTS[layout].encode(encoding))
        run, rows = land(tmp_path / "pages")
        assert [row["text"] for row in rows] == [post["text"] for post in POSTS], run.log


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", ["pages", "PAGES.JSON.GZ", "pages.txt"])
def test_packing_is_known_by_its_first_bytes(packing: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(PACKINGS[packing](LAYOUTS["JSON Lines"].encode()))
    run, rows = land(tmp_path / name)
    assert (run.code, [row["id"] for row in rows]) == (0, IDS), run.log


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd"])
def test_what_is_cut_off_keeps_what_came_before(packing: str, tmp_path: Path) -> None:
    random.seed(1)
    posts = [good_post(n, text=random.randbytes(300).hex()) for n in range(4000)]
    whole = PACKINGS[packing]("\n".join(map(json.dumps, posts)).encode())
    (tmp_path / "pages.jsonl").write_bytes(whole[: len(whole) * 2 // 3])
    run, rows = land(tmp_path / "pages.jsonl")
    assert run.code == 0 and 1000 < len(rows) < 3900, run.log
    assert [row["id"] for row in rows] == [post["id"] for post in posts[: len(rows)]]
    assert run.summary["bad_lines"] == 1 and "damaged" in run.log


def test_standard_input(tmp_path: Path) -> None:
    for content in (LAYOUTS["a pretty page"].encode(), gzip.compress(LAYOUTS["a list"].encode())):
        lake = tmp_path / str(len(content))
        run = run_here("--from-raw", "-", "--to", str(lake), stdin=content)
        assert (run.code, [row["id"] for row in rows_in(lake)]) == (0, IDS), run.log


def test_a_pipe_with_a_zip_in_it(tmp_path: Path) -> None:
    """A pipe can't be read twice, as a .zip has to be."""
    command = [sys.executable, str(SCRIPT), "--from-raw", "-", "--to", str(tmp_path / "lake")]
    done = subprocess.run(command, input=zipped(LAYOUTS["a list"].encode()), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert [row["id"] for row in rows_in(tmp_path / "lake")] == IDS


def test_every_file_of_a_folder_is_read_or_named(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    (folder / "deeper").mkdir(parents=True)
    pieces = [line_of(post) for post in POSTS[:5]]
    for name, content in {
        "a.jsonl": pieces[0],
        "B.JSONL": pieces[1],
        "c.gz": gzip.compress(pieces[2]),
        "deeper/no suffix": json.dumps(POSTS[3], indent=1).encode(),
        "e.Json.ZST": zstd(pieces[4]),
        "readme.md": b"# These are recordings\n",
        "table.csv": b"id,text\n1,x\n",
        "photo.jpg": b"\xff\xd8\xff\xe0 JFIF",
        "table.parquet": b"PAR1....PAR1",
        "empty": b"",
        "tweets.js": b"window.YTD.tweets.part0 = [ ]",
        "like.js": b'window.YTD.like.part0 = [ {"like": {"tweetId": "5"}} ]',
        "packed.7z": b"7z\xbc\xaf\x27\x1c....",
        "binary": b"\x00\x01\x02\xfe",
    }.items():
        (folder / name).write_bytes(content)
    run, rows = land(folder)
    assert (run.code, [row["id"] for row in rows]) == (0, IDS[:5]), run.log
    told = {Path(skipped["file"]).name: skipped["reason"] for skipped in run.summary["skipped_files"]}
    assert told == {
        "readme.md": "a table or a text",
        "table.csv": "a table or a text",
        "photo.jpg": "a picture",
        "table.parquet": "Parquet",
        "empty": "empty",
        "tweets.js": "an empty list",
        "like.js": "of an archive: likes",
        "packed.7z": "a 7z archive: unpack it first",
        "binary": "no JSON",
    }
    assert all(name in run.log and reason in run.log for name, reason in told.items())


def test_many_files_of_a_kind_are_told_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    (folder / "media").mkdir(parents=True)
    (folder / "pages.json").write_text(json.dumps(POSTS))
    for number in range(50):
        (folder / f"media/{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    run, _ = land(folder)
    assert run.summary["skipped_files"] == [{"file": f"{folder}/media/ (50 files)", "reason": "a picture"}]


def test_a_prefix_in_s3(s3: S3, tmp_path: Path) -> None:
    """What can't have pages isn't even loaded."""
    objects = {
        "kept/a.JSON": LAYOUTS["a pretty list"].encode(),
        "kept/archive.zip": zipped(gzip.compress(line_of(good_post(50)))),
        "kept/deeper/b": zstd(line_of(good_post(51))),
        "kept/deeper/": b"",
        "kept/table.csv": b"id,text\n",
        "kept/notes.md": b"# notes",
        "other/c.jsonl": line_of(good_post(52)),
    }
    for key, content in objects.items():
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=content)
    run = run_etl("--from-raw", f"s3://{s3.bucket}/kept/", "--to", str(tmp_path / "lake"), env=s3.env)
    assert run.code == 0, run.log
    assert [row["id"] for row in rows_in(tmp_path / "lake")] == [*IDS, good_post(50)["id"], good_post(51)["id"]]
    told = {skipped["file"].rpartition("/")[2] for skipped in run.summary["skipped_files"]}
    assert told == {"table.csv", "notes.md"}
    run = run_etl("--from-raw", f"s3://{s3.bucket}/nothing/", "--to", str(tmp_path / "lake"), env=s3.env)
    assert run.code == 2 and "no file" in run.summary["error"]


NOT_PAGES: dict[str, tuple[bytes, str]] = {
    "HTML": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
    "an XML error of S3": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
    "a table": (b"id,text\n1,hello\n", "unreadable"),
    "Parquet": (b"PAR1...", "Parquet"),
    "nothing": (b"", "empty"),
    "a damaged zip": (zipped(b"[1]")[:40], "damaged"),
    "a tar": (b"pages.json".ljust(257, b"\0") + b"ustar\0".ljust(300, b"\0"), "tar"),
}


@pytest.mark.parametrize("name", NOT_PAGES)
def test_a_file_that_is_no_json_is_called_by_its_name(name: str, tmp_path: Path) -> None:
    content, said = NOT_PAGES[name]
    (tmp_path / "pages.json").write_bytes(content)
    run, rows = land(tmp_path / "pages.json")
    assert (run.code, rows) == (8, []), run.log
    assert said in run.summary["error"] + json.dumps(run.summary.get("skipped_files")), run.summary
    assert not (tmp_path / "pages.json.lake/twitter").exists()


def test_a_lost_page_among_good_ones_counts(tmp_path: Path) -> None:
    """X's sign-in page saved under the name of a page is a page that is missing."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "1.json").write_bytes(line_of(*POSTS[:9]))
    (folder / "2.json").write_bytes(b"<html></html>")
    run, _ = land(folder)
    assert run.code == 8 and "can't be read" in run.summary["error"], run.log
    run, rows = land(folder, "--max-reject-percent", "10")
    assert (run.code, len(rows), run.summary["bad_lines"]) == (0, 9, 1), run.log


def test_more_unreadable_documents_than_rejects_are_allowed_land_nothing(tmp_path: Path) -> None:
    lines = LAYOUTS["JSON Lines"].encode()
    for unreadable, code in ((2, 0), (3, 8)):  # of 40: 4.8 and 7.0 %
        (tmp_path / "pages.jsonl").write_bytes(lines + b"\nnot JSON" * unreadable)
        run, _ = land(tmp_path / "pages.jsonl", "--name", f"n{unreadable}")
        assert run.code == code, run.log
        assert run.summary["bad_lines"] == unreadable
    assert not list(tmp_path.rglob("source=n3"))


def test_an_encrypted_member_of_a_zip_is_named(tmp_path: Path) -> None:
    content = bytearray(zipped(b"[1]", "secret.json") + b"")
    for header in (content.find(b"PK\x03\x04") + 6, content.find(b"PK\x01\x02") + 8):
        content[header] |= 1  # "is encrypted"
    (tmp_path / "pages.zip").write_bytes(bytes(content))
    run, _ = land(tmp_path / "pages.zip")
    assert run.code == 8 and "password" in run.summary["error"], run.summary


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    run, _ = land(tmp_path / "none.json")
    assert run.code == 2 and "No such file" in run.summary["error"]
    (tmp_path / "folder").mkdir()
    run, _ = land(tmp_path / "folder")
    assert run.code == 2


# ---- memory


def big_list(posts: int) -> Iterator[bytes]:
    yield b"["
    for number in range(posts):
        yield json.dumps(good_post(number, text="x" * 900)).encode() + (b", " if number < posts - 1 else b"]")


MEASURE = """
import sys
sys.path.insert(0, sys.argv[1])
from tweetlake.raw import RawCounts
from tweetlake.reading.pages import read_pages
counts = RawCounts()
print(sum(len(page.posts) for page in read_pages(sys.argv[2], counts)), counts.unreadable)
print(next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


MATCH = """
import json, re, sys
pattern, texts = json.load(sys.stdin)
found = re.compile(pattern.encode("latin-1")).match
print(json.dumps([found(text.encode("latin-1")).end() for text in texts]))
"""


def up_to_bracket(text: str) -> int:
    """What UP_TO_BRACKET is to find, read a character at a time: the first bracket outside of texts, or the text that
    isn't closed."""
    at = 0
    while at < len(text) and text[at] not in "{}[]":
        if text[at] == '"':
            end = at + 1
            while end < len(text) and text[end] != '"':
                escaped = text[end] == "\\"
                if text[end] < " " or (escaped and text[end + 1 : end + 2] < " "):
                    return at
                end += 1 + escaped
            if text[end : end + 1] != '"':
                return at
            at = end
        at += 1
    return at


def test_the_brackets_are_found_by_the_systems_python_too() -> None:
    """Hosts run the Python of their distribution, whose `re` may have faults that the one of these tests hasn't."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    version = "import sys; sys.exit(sys.version_info < (3, 11))"
    if python is None or subprocess.run([python, "-c", version]).returncode:
        pytest.skip("this system has no Python of its own that hosts would take: 3.11 or more")
    random_ = random.Random(7)
    texts = ["".join(random_.choices('"\\{}[], a1\n\x00', k=random_.randrange(14))) for _ in range(20_000)]
    texts += ['"a' + "\\n" * 50 + '": "cut', '"a","b', '"a", "b" }', '"' * 1_999 + "{", '"a",' * 999 + "{"]
    given = json.dumps([documents.UP_TO_BRACKET.pattern.decode("latin-1"), texts])
    done = subprocess.run([python, "-I", "-c", MATCH], input=given, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [(text, at) for text, at in zip(texts, found, strict=True) if at != up_to_bracket(text)] == []


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd"])
def test_a_list_on_one_line_is_read_in_flat_memory(packing: str, tmp_path: Path) -> None:
    content = b"".join(big_list(100_000))
    (tmp_path / "posts.json").write_bytes(PACKINGS.get(packing, bytes)(content))
    del content
    command = [sys.executable, "-c", MEASURE, str(SCRIPT.parent), str(tmp_path / "posts.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    counted, peak_mib = done.stdout.splitlines()
    assert counted == "100000 0"
    assert int(peak_mib) < 140, "pyarrow, which unpacks zstd, takes half of it"
