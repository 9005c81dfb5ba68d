"""The values that sign the requests to X: from the environment and the env file, and never to be printed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import CredentialsError, UsageError

OAUTH1_NAMES = ("X_CONSUMER_KEY", "X_CONSUMER_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET")
OAUTH2_NAMES = ("X_OAUTH2_CLIENT_ID", "X_OAUTH2_CLIENT_SECRET", "X_OAUTH2_REFRESH_TOKEN")
SECRET_NAMES = ("X_BEARER_TOKEN", *OAUTH1_NAMES, *OAUTH2_NAMES[1:], "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, repr=False)
class Credentials:
    """A bearer token, the four OAuth 1.0a values, or an OAuth 2.0 client with its refresh token. The first of them
    that is whole is used. No repr, so that none is printed by accident."""

    bearer_token: str | None = None
    consumer_key: str | None = None
    consumer_secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None
    oauth2_client_id: str | None = None
    oauth2_client_secret: str | None = None  # of a confidential client
    oauth2_refresh_token: str | None = None  # the first one; X gives a new one with each refresh

    @property
    def signs(self) -> bool:
        """Sign with OAuth 1.0a? Only when there is no bearer token: it has the higher limits and every endpoint."""
        return not self.bearer_token and bool(self.access_token)

    @property
    def user_context(self) -> bool:
        """Asked as a user (OAuth 1.0a or 2.0), not as an app?"""
        return not self.bearer_token and bool(self.access_token or self.oauth2_refresh_token)


def read_env_file(path: Path) -> dict[str, str]:
    """KEY=VALUE lines, as systemd's EnvironmentFile= and docker's --env-file read them; one pair of quotes is taken
    off. A wrong line is named by its number only: its text may be a secret."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"--env-file {path} can't be read: {reason}.") from None
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            raise UsageError(f"--env-file {path}, line {number} isn't KEY=VALUE.")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if "\0" in value:
            raise UsageError(f"--env-file {path}, line {number} has a NUL character.")
        values[name.strip()] = value
    return values


def read_credentials(environ: Mapping[str, str], args: argparse.Namespace) -> Credentials:
    """A bearer token, OAuth 1.0a, or OAuth 2.0. Raises CredentialsError naming what is missing or malformed."""
    given = {
        name: value
        for name in ("X_BEARER_TOKEN", *OAUTH1_NAMES, *OAUTH2_NAMES)
        if (value := environ.get(name, "").strip())
    }
    for name, value in given.items():
        check_credential(name, value)
    if "X_BEARER_TOKEN" not in given and not args.plan:
        missing1 = [name for name in OAUTH1_NAMES if name not in given]
        missing2 = [name for name in OAUTH2_NAMES[::2] if name not in given]
        if not given:
            raise CredentialsError(
                "No X credentials: X_BEARER_TOKEN isn't set.",
                hint="Set it in the environment or in --env-file, or the four of OAuth 1.0a, or those of OAuth 2.0: "
                + ", ".join((*OAUTH1_NAMES, *OAUTH2_NAMES)),
            )
        if missing1 and len(missing1) < len(OAUTH1_NAMES):
            raise CredentialsError("OAuth 1.0a needs four values; missing: " + ", ".join(missing1) + ".")
        if missing1 and missing2:
            raise CredentialsError(f"OAuth 2.0 needs a client id and a refresh token; missing: {', '.join(missing2)}.")
        if args.archive:
            raise CredentialsError(
                "--archive (full-archive search) takes a bearer token only.", hint="Set X_BEARER_TOKEN as well."
            )
    return Credentials(*(given.get(name) for name in ("X_BEARER_TOKEN", *OAUTH1_NAMES, *OAUTH2_NAMES)))


def check_credential(name: str, value: str) -> None:
    """Printable ASCII without a space, as all that X hands out. Raises CredentialsError, without the value."""
    if re.fullmatch(r"[\x21-\x7e]+", value):
        return
    what = "a space" if " " in value else "a line break" if "\n" in value or "\r" in value else "a character"
    raise CredentialsError(
        f"{name} has {what}, which no X credential has.",
        hint="Copy it again from https://console.x.com, 'Keys and tokens'.",
    )


def secrets_in(environ: Mapping[str, str]) -> list[str]:
    """Every secret value the run can see, for the log filter. Too short ones would blank out ordinary words."""
    return sorted({v for name in SECRET_NAMES if len(v := environ.get(name, "")) >= 6}, key=len, reverse=True)
