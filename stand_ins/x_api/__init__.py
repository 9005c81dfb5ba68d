"""A small real HTTP server that stands for the X API v2 in tests and in the demo; see README.md."""
