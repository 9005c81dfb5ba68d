"""Attacks on a live host, and what it promises about itself: `make test-security`, and Molecule's `default` scenario.

docs/security.md lists the promises. These tests change a host (100 wrong logins, runs that fail): not for production.
"""
