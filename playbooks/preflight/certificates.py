"""A certificate and its key, as files that somebody brought: of each other, valid today, made out to the host."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def pair_complaints(chain: bytes, secret_key: bytes, names: list[str], paths: list[str]) -> Iterator[str]:
    """What is wrong with them; `names` are those that people reach the host by, `paths` where the two lie."""
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
        key = serialization.load_pem_private_key(secret_key, password=None)
    except (ValueError, TypeError, IndexError):  # TypeError: it has a passphrase
        yield (
            f"https_certificate_file, https_key_file: {paths[0]} must begin with the host's certificate "
            f"and {paths[1]} hold its key without a passphrase, both as PEM; one of them can't be read as that."
        )
        return
    if _public(certificate) != _public(key):
        yield f"https_key_file: {paths[1]} is not the key of {paths[0]}. Give the pair."
    now = datetime.datetime.now(datetime.UTC)
    if certificate.not_valid_after_utc < now:
        yield f"https_certificate_file: expired on {certificate.not_valid_after_utc:%Y-%m-%d}. Have it renewed."
    if certificate.not_valid_before_utc > now:
        since = certificate.not_valid_before_utc
        yield f"https_certificate_file: isn't valid before {since:%Y-%m-%d}. Check both clocks."
    made_out = _made_out_to(certificate)
    unnamed = [name for name in names if not any(_covers(pattern, name) for pattern in made_out)]
    if unnamed:
        yield (
            f"https_certificate_file: made out to {', '.join(made_out) or 'nobody'}, but people reach the host by "
            f"{', '.join(unnamed)}. Correct https_names, or have it made out anew."
        )


def _public(owner: object) -> bytes:
    """The public key of a certificate or of a private key, in one form."""
    public: bytes = owner.public_key().public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def _made_out_to(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    ]


def _covers(pattern: str, name: str) -> bool:
    """Is the name the pattern, whose * stands for one label (RFC 6125)?"""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:].lower()
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(pattern)  # fd00::1 is fd00:0::1
    except ValueError:
        return name == pattern.lower()
