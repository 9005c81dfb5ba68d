"""python -m benchmarks.parse json|orjson|plain PAGES: only parse the JSON, CPU seconds to standard output."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from tweetlake.plain import plain_page

PARSERS: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "orjson": orjson.loads, "plain": plain_page}

parse = PARSERS[sys.argv[1]]
with open(sys.argv[2], "rb") as pages:
    lines = pages.readlines()
began = time.process_time()
for line in lines:
    parse(line)
print(time.process_time() - began)
