"""python -m tests.fuzz SECONDS [FOLDER]: a coverage-guided search (atheris, libFuzzer) for pages that break the script.

It starts from tests/fuzz/corpus; a FOLDER keeps what it finds interesting, for the next search. Pages that break
something are written to tests/fuzz/corpus/broke-*.jsonl, where the tests play them again from then on.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CORPUS = HERE / "corpus"
sys.path[:0] = [str(PROJECT), str(PROJECT / "scripts")]

import pandera.pandas  # noqa: E402, F401 (before the instrumentation: only our own code is watched)
import pyarrow.csv  # noqa: E402, F401

with atheris.instrument_imports(include=["tweetlake", "twitter_etl"]):
    import twitter_etl  # noqa: F401

    for file in (PROJECT / "scripts/tweetlake").rglob("*.py"):
        importlib.import_module(".".join(file.relative_to(PROJECT / "scripts").with_suffix("").parts))

from tests.fuzz.landing import check  # noqa: E402
from tests.fuzz.pages import KEYS, NEIGHBOURS, ODD_VALUES, SEEDS  # noqa: E402


def test_one_input(data: bytes) -> None:
    """Even first byte: the rest is a file. Odd: the rest decides which JSON page is built."""
    if data[:1] and data[0] % 2:
        pages = json.dumps(page_from(atheris.FuzzedDataProvider(data[1:]))).encode()
    else:
        pages = data[1:]
    pages = NEIGHBOURS[0] + pages.rstrip(b"\n") + b"\n" + NEIGHBOURS[1]
    try:
        assert check(pages).code == 0, "the neighbours are lost"
    except BaseException:
        (CORPUS / f"broke-{hashlib.sha256(pages).hexdigest()[:12]}.jsonl").write_bytes(pages)
        raise


def page_from(provider: Any, depth: int = 0) -> Any:
    """Any JSON value, with the keys of X where there are objects."""
    kind = provider.ConsumeIntInRange(0, 9)
    if kind < 4 and depth < 7:
        size = provider.ConsumeIntInRange(0, 5)
        return {KEYS[provider.ConsumeIntInRange(0, len(KEYS) - 1)]: page_from(provider, depth + 1) for _ in range(size)}
    if kind < 6 and depth < 7:
        return [page_from(provider, depth + 1) for _ in range(provider.ConsumeIntInRange(0, 3))]
    if kind < 8:
        return ODD_VALUES[provider.ConsumeIntInRange(0, len(ODD_VALUES) - 1)]
    return provider.ConsumeUnicode(20) if kind == 8 else provider.ConsumeInt(9)


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as kept:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else kept)
        folder.mkdir(parents=True, exist_ok=True)
        for file in CORPUS.iterdir():
            (folder / file.name).write_bytes(b"\0" + file.read_bytes())
        for number, seed in enumerate(SEEDS):
            (folder / f"seed-{number}").write_bytes(b"\0" + seed)
        words = folder.with_suffix(".dict")
        words.write_text("".join(f'"\\"{key}\\":"\n' for key in KEYS))
        options = [f"-max_total_time={seconds}", f"-dict={words}", f"-artifact_prefix={kept}/", "-seed=1"]
        options += ["-max_len=4096", "-timeout=60", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(folder)], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
