"""The fault matrix: what breaks (X, S3, a kill, the disk) x where the run is, and what has to hold afterwards.

`matrix.py` is the table, `stage.py` plays one case of it, `python -m tests.faults` writes docs/reliability.md.
"""
