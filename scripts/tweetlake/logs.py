"""Log lines on standard error, and no secret in them, at any level."""

from __future__ import annotations

import logging
import re
import sys
import time

# tweepy prints the Authorization header, oauthlib the signing key, botocore signed headers when they debug.
TALKATIVE = ("tweepy", "oauthlib", "requests_oauthlib", "requests", "urllib3", "botocore", "boto3", "s3transfer")
SECRET_SHAPES = re.compile(
    r"((?:Bearer|Basic)\s+)[A-Za-z0-9%._~+/=-]{16,}|(oauth_(?:token|signature|consumer_key)=[\"']?)[^\"',\s&]+",
    re.IGNORECASE,
)


class RedactingFormatter(logging.Formatter):
    """Formats first and then blanks secrets out, so that tracebacks are covered too."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        self.secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return self.redact(super().format(record))

    def redact(self, text: str) -> str:
        """The text with every known secret, and all that looks like one, as ***."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return SECRET_SHAPES.sub(lambda match: (match[1] or match[2]) + "***", text)


def hide(secret: str) -> None:
    """Blank this out from now on, too: a token that came while running."""
    for handler in logging.getLogger().handlers:
        formatter = handler.formatter
        if isinstance(formatter, RedactingFormatter) and secret and secret not in formatter.secrets:
            formatter.secrets.append(secret)


def set_up(secrets: list[str]) -> RedactingFormatter:
    """Send the log to standard error and cap the talkative libraries."""
    formatter = RedactingFormatter(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return formatter
