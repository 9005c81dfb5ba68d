"""python -m benchmarks.tutorial PAGES CSV: posts to CSV as tutorials do it."""

import json
import sys

import pandas as pd

posts = []
with open(sys.argv[1], encoding="utf-8") as pages:
    for line in pages:
        posts.extend(json.loads(line)["data"])
pd.json_normalize(posts).to_csv(sys.argv[2], index=False)
