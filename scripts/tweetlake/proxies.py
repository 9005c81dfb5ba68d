"""The proxy on the way to a server, as the environment names it: for messages that name it, too, and no password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .errors import EtlError


@dataclass(frozen=True)
class Proxy:
    """`variable`: where it was found. `url`: without user and password."""

    variable: str
    url: str

    def __str__(self) -> str:
        return f"the proxy {self.url} ({self.variable})"

    def check(self, server: str, kind: type[EtlError]) -> None:
        """Raise an error of that kind for a scheme that no request can use: botocore takes `socks5` for the name of a
        host, and asks for it again and again. `server`: S3 or X."""
        scheme, separator, _ = self.url.partition("://")
        if separator and scheme.lower() not in ("http", "https"):
            raise kind(
                f"{self.variable} names {self.url}, and {scheme}:// isn't a scheme of a proxy for {server}.",
                hint=f"Write http://HOST:PORT or https://HOST:PORT, or name {server}'s host in NO_PROXY.",
            )

    def dead_hint(self, server: str) -> str:
        """What to do when it is the proxy that doesn't answer."""
        return f"Start or correct the proxy, or name {server}'s host in NO_PROXY; then run it again."


def proxy_for(url: str, *, or_all: bool = False) -> Proxy | None:
    """The proxy that urllib (and so botocore and requests) would use for this address. `or_all`: ALL_PROXY as well,
    which requests obeys and botocore doesn't."""
    parts = urlsplit(url)
    schemes = (parts.scheme, "all") if or_all else (parts.scheme,)
    proxies = {} if proxy_bypass(parts.netloc) else getproxies()
    found = next((proxies[scheme] for scheme in schemes if proxies.get(scheme)), None)
    if not found:
        return None
    names = [name for scheme in schemes for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())]
    variable = next((name for name in names if os.environ.get(name)), "the system's settings")
    before, separator, host = found.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    return Proxy(variable, scheme + slashes + host if separator and slashes else host)
