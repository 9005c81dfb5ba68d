"""Any bytes in, and then: rows, rejects or one clear error. `landing.py` says what that means; hypothesis
(tests/test_etl_hostile.py) and `python -m tests.fuzz` (atheris) look for bytes that break it."""
