"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from playbooks.preflight.words import Read, Values, shown


def complaints(values: Values, read: Read) -> Iterator[str]:
    for path in values.get("python_ca_certificates", []):
        try:
            count = read("python", path).count(b"-----BEGIN CERTIFICATE-----")
        except OSError as error:
            yield f"python_ca_certificates: {path} can't be read on this machine: {error.strerror}. Correct the path."
            continue
        if count != 1:
            yield f"python_ca_certificates: {path} holds {count} certificates in PEM. Give a file for each."
    url = str(values.get("python_index_url", ""))
    if url and not (urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname):
        yield (
            f"python_index_url: {shown(url)} is no address. Give one like https://pypi.example.org/simple, "
            "or leave it empty for PyPI."
        )
    if not str(values.get("python_uv", "/")).startswith("/"):
        yield f"python_uv: {shown(values['python_uv'])} is no whole path on the host. Begin it with a /."
