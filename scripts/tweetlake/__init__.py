"""The chapters of twitter_etl.py: extract -> transform -> validate -> load, one module each."""

__version__ = "0.1.0"
