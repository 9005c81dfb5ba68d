"""What the role https says of an inventory before any host is touched; `provided` files above all."""

import datetime
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.helpers.inventories import GOOD as GOOD_INVENTORY
from tests.helpers.inventories import fits, judge

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
NAMES = ["airflow.example.org", "192.0.2.7"]
PAIR = "https_certificate_file, https_key_file"


def pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def certificate(
    key: ec.EllipticCurvePrivateKey, names: list[str], since: datetime.datetime, until: datetime.datetime
) -> bytes:
    """A certificate of its own authority, made out to names and addresses, in PEM."""
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    alternatives: list[x509.GeneralName] = []
    for name in names:
        if name[0].isdigit():
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        else:
            alternatives.append(x509.DNSName(name))
    builder = x509.CertificateBuilder().subject_name(whose).issuer_name(whose).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(since).not_valid_after(until)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
GOOD = certificate(KEY, NAMES, NOW - DAY, NOW + DAY)
# Two files, the names of the host, and the complaints: the beginning of each, and a part of its advice.
PROVIDED: dict[str, tuple[bytes, bytes, list[str], list[tuple[str, str]]]] = {
    "good": (GOOD, pem(KEY), NAMES, []),
    "followed-by-an-intermediate": (
        GOOD + certificate(OTHER_KEY, [], NOW - 9 * DAY, NOW - DAY),
        pem(KEY),
        NAMES,
        [],
    ),
    "wildcard": (certificate(KEY, ["*.example.org"], NOW - DAY, NOW + DAY), pem(KEY), ["a.example.org"], []),
    "another-key": (GOOD, pem(OTHER_KEY), NAMES, [("https_key_file", "Give the pair")]),
    "expired": (
        certificate(KEY, NAMES, NOW - 9 * DAY, NOW - DAY),
        pem(KEY),
        NAMES,
        [("https_certificate_file", "expired on ")],
    ),
    "not-yet": (
        certificate(KEY, NAMES, NOW + DAY, NOW + 9 * DAY),
        pem(KEY),
        NAMES,
        [("https_certificate_file", "isn't valid before ")],
    ),
    "another-host": (
        certificate(KEY, ["www.example.org"], NOW - DAY, NOW + DAY),
        pem(KEY),
        NAMES,
        [("https_certificate_file", "people reach the host by airflow.example.org, 192.0.2.7.")],
    ),
    "wildcard-of-one-label": (
        certificate(KEY, ["*.example.org"], NOW - DAY, NOW + DAY),
        pem(KEY),
        ["a.b.example.org"],
        [("https_certificate_file", "people reach the host by a.b.example.org.")],
    ),
    "nobody": (
        certificate(KEY, [], NOW - DAY, NOW + DAY),
        pem(KEY),
        NAMES,
        [("https_certificate_file", "made out to nobody")],
    ),
    "all-of-it": (
        certificate(KEY, [], NOW - 9 * DAY, NOW - DAY),
        pem(OTHER_KEY),
        NAMES,
        [
            ("https_key_file", "Give the pair"),
            ("https_certificate_file", "expired on "),
            ("https_certificate_file", "made out to nobody"),
        ],
    ),
    "swapped": (pem(KEY), GOOD, NAMES, [(PAIR, "one of them can't be read as that")]),
    "locked-key": (GOOD, pem(KEY, b"secret"), NAMES, [(PAIR, "without a passphrase")]),
    "empty": (b"", b"", NAMES, [(PAIR, "can't be read as that")]),
}
# Other inventories, likewise.
OTHERS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "internal": ({}, []),
    "acme": ({"https_certificate": "acme"}, []),
    "no-files": ({"https_certificate": "provided"}, [(PAIR, "there is no file (empty), (empty) on this machine")]),
    "no-such-kind": ({"https_certificate": "self-signed"}, [("https_certificate", "is none of internal, acme, ")]),
    "no-names": (
        {"https_names": [], "https_url": "https://a"},
        [("https_names", "is empty"), ("https_url", "no https address with one of https_names")],
    ),
    "capitals": (
        {"https_names": ["Airflow.example.org"], "https_url": "https://airflow.example.org"},
        [],
    ),
    "half-an-address": ({"https_names": ["192.0.2"]}, [("https_names", '"192.0.2" is no name of a host. Give names')]),
    "plain": ({"https_url": "http://airflow.example.org"}, [("https_url", "is no https address")]),
    "acme-without-tls": (
        {"https_certificate": "acme", "https_acme_directory_url": "http://ca.example.org"},
        [("https_acme_directory_url", "doesn't begin with https://")],
    ),
    "acme-without-its-file": (
        {"https_certificate": "acme", "https_acme_ca_file": "/no/such/file"},
        [("https_acme_ca_file", "there is no file /no/such/file")],
    ),
}
EXPECTED = {name: case[3] for name, case in PROVIDED.items()} | {name: case[1] for name, case in OTHERS.items()}


def inventory(case: str, folder: Path) -> dict[str, Any]:
    """The variables of a case; its files are put into the folder."""
    if case in OTHERS:
        return {"https_names": NAMES} | OTHERS[case][0]
    chain, key, names, _ = PROVIDED[case]
    (folder / "host.crt").write_bytes(chain)
    (folder / "host.key").write_bytes(key)
    return {
        "https_certificate": "provided",
        "https_names": names,
        "https_certificate_file": str(folder / "host.crt"),
        "https_key_file": str(folder / "host.key"),
    }


@pytest.mark.parametrize("case", EXPECTED)
def test_preflight_names_every_bad_value_and_the_fix(case: str, tmp_path: Path) -> None:
    said = judge(GOOD_INVENTORY | inventory(case, tmp_path))
    assert fits(said, [(f"{names}: ", fix) for names, fix in EXPECTED[case]]), said
    for line in pem(KEY).decode().splitlines()[1:-1]:
        assert line not in "".join(said)


def test_a_key_of_the_vault_needs_its_password(tmp_path: Path) -> None:
    variables = inventory("good", tmp_path)
    (tmp_path / "host.key").write_text("$ANSIBLE_VAULT;1.1;AES256\n3132\n")
    (said,) = judge(GOOD_INVENTORY | variables)
    assert said.startswith(f"{PAIR}: ")
    assert "vault" in said
