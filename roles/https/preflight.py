"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from playbooks.preflight.words import Read, Values, out_of_range, shown

LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"({LABEL}[.])*{LABEL}")
PAIR = "https_certificate_file, https_key_file"
NUMBERS = {
    "https_internal_days": (1, 825),  # what Apple's devices take of a private authority
    "https_hsts_seconds": (0, 315_360_000),
    "https_requests_per_second": (1, 100_000),
    "https_logins_per_minute": (1, 100_000),
    "https_body_max_kib": (1, 1_048_576),
}


def complaints(values: Values, read: Read) -> Iterator[str]:
    names = [str(name).lower() for name in values.get("https_names", [])]
    if "https_names" in values:
        yield from _names(names)
    if "https_url" in values and "https_names" in values:
        yield from _url(str(values["https_url"]), names)
    for name, limits in NUMBERS.items():
        if complaint := out_of_range(values, name, *limits):
            yield complaint
    upstream = str(values.get("https_upstream", "127.0.0.1:8080"))
    if not re.fullmatch(r"[^\s;{}]+:[0-9]{1,5}", upstream):
        yield f"https_upstream: {shown(upstream)} is not ADDRESS:PORT. Give 127.0.0.1 and airflow_api_port."
    kind = values.get("https_certificate")
    if kind == "acme":
        yield from _acme(values, read)
    elif kind == "provided":
        yield from _provided(values, names, read)


def _names(names: list[str]) -> Iterator[str]:
    advice = "Give names like airflow.example.org, or IP addresses."
    if not names:
        yield f"https_names: is empty. {advice}"
    for name in names:
        if "://" in name:
            host = urlsplit(name).hostname or "airflow.example.org"
            yield f"https_names: {shown(name)} is an address of the web. Give the name in it alone: {host}."
        elif not _is_address(name) and (not NAME.fullmatch(name) or re.fullmatch("[0-9.]+", name)):
            yield f"https_names: {shown(name)} is no name of a host. {advice}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _url(text: str, names: list[str]) -> Iterator[str]:
    url: SplitResult | None
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - it raises where that is none
    except ValueError:
        url = None
    well_formed = url is not None and re.match("https://[^/?#@]+$", text) is not None
    # What is wrong with a name was said of the name.
    if not well_formed and (not names or any("://" in name or not name for name in names)):
        return
    if url is None or not well_formed or url.hostname not in names:
        yield (
            f"https_url: {shown(text)} is no https address with one of https_names. Give https://NAME, or "
            "https://NAME:PORT behind a port forward."
        )


def _acme(values: Values, read: Read) -> Iterator[str]:
    directory = str(values.get("https_acme_directory_url", ""))
    if not re.match("https://.", directory):
        yield f"https_acme_directory_url: {shown(directory)} doesn't begin with https://. Give the whole address."
    path = str(values.get("https_acme_ca_file", ""))
    if path:
        try:
            read("https", path)
        except OSError:
            yield f"https_acme_ca_file: there is no file {path} on this machine. Correct it, or empty it."


def _provided(values: Values, names: list[str], read: Read) -> Iterator[str]:
    """A pair of files: there, readable, of each other, valid today, and made out to the names."""
    paths = [str(values.get(name, "")) for name in ("https_certificate_file", "https_key_file")]
    found: list[bytes] = []
    missing = []
    for path in paths:
        try:
            found.append(read("https", path) if path else b"")
        except OSError:
            missing.append(path)
        else:
            missing += [] if path else ["(empty)"]
    if missing:
        yield f"{PAIR}: provided needs both, and there is no file {', '.join(missing)} on this machine. Correct them."
        return
    # Only here: an Ansible from elsewhere than `make setup` may lack what it needs.
    from playbooks.preflight.certificates import pair_complaints

    yield from pair_complaints(found[0], found[1], names, paths)
