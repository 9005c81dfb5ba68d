"""The proxy on the way to a server, as the environment names it: for messages that name it, too, and no password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .errors import DestinationError


@dataclass(frozen=True)
class Proxy:
    """`variable`: where it was found. `url`: without user and password."""

    variable: str
    url: str

    def __str__(self) -> str:
        return f"the proxy {self.url} ({self.variable})"

    def check(self) -> None:
        """Raise DestinationError for a scheme that no request can use: botocore takes `socks5` for the name of a
        host, and asks for it again and again."""
        scheme, separator, _ = self.url.partition("://")
        if separator and scheme.lower() not in ("http", "https"):
            raise DestinationError(
                f"{self.variable} names {self.url}, and {scheme}:// isn't a scheme of a proxy for S3.",
                hint="Write http://HOST:PORT or https://HOST:PORT, or name S3's host in NO_PROXY.",
            )


def proxy_for(url: str) -> Proxy | None:
    """The proxy that urllib (and so botocore and requests) would use for this address."""
    parts = urlsplit(url)
    found = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    if not found:
        return None
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper())
    variable = next((name for name in names if os.environ.get(name)), "the system's settings")
    before, separator, host = found.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    return Proxy(variable, scheme + slashes + host if separator and slashes else host)
