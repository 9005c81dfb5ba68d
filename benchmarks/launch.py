"""python launch.py RESULT COMMAND...: run a command and write, as JSON, what it cost.

In a small process of its own, because Linux counts the memory of whoever starts a process into its peak.
"""

import json
import os
import subprocess
import sys
import time

began = time.monotonic()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
cost = {
    "cpu_seconds": usage.ru_utime + usage.ru_stime,
    "wall_seconds": time.monotonic() - began,
    "peak_rss_mib": usage.ru_maxrss / 1024,
}
with open(sys.argv[1], "w", encoding="utf-8") as result:
    json.dump(cost, result)
sys.exit(os.waitstatus_to_exitcode(status))
