"""What the role https says of an inventory before any host is touched; `provided` files above all."""

import datetime
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.helpers.play import play

pytestmark = pytest.mark.slow
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
        [("https_names", "Airflow.example.org. Give names like"), ("https_url", "Give https://NAME")],
    ),
    "half-an-address": ({"https_names": ["192.0.2"]}, [("https_names", "192.0.2. Give names")]),
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


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ansible's report of one run of the preflight over all inventories."""
    folder: Path = tmp_path_factory.mktemp("https")
    hosts = {name: {"https_names": NAMES, **variables} for name, (variables, _) in OTHERS.items()}
    for name, (chain, key, names, _) in PROVIDED.items():
        (folder / f"{name}.crt").write_bytes(chain)
        (folder / f"{name}.key").write_bytes(key)
        hosts[name] = {
            "https_certificate": "provided",
            "https_names": names,
            "https_certificate_file": str(folder / f"{name}.crt"),
            "https_key_file": str(folder / f"{name}.key"),
        }
    return play(folder, [{"ansible.builtin.import_role": {"name": "https", "tasks_from": "preflight"}}], hosts)


@pytest.mark.parametrize("case", EXPECTED)
def test_preflight_names_every_bad_value_and_the_fix(report: dict[str, Any], case: str) -> None:
    """One message, each of its complaints in order, and nothing changed."""
    stats = report["stats"][case]
    assert stats["changed"] == 0
    assert stats["failures"] == (1 if EXPECTED[case] else 0)
    results = [task["hosts"][case] for task in report["plays"][0]["tasks"] if case in task["hosts"]]
    if not EXPECTED[case]:
        return
    headline, *complaints = results[-1]["msg"]
    assert headline == "The inventory needs a correction; nothing was changed."
    assert len(complaints) == len(EXPECTED[case]), complaints
    for complaint, (names, fix) in zip(complaints, EXPECTED[case], strict=True):
        assert complaint.startswith(f"{names}: ")
        assert fix in complaint


def test_preflight_prints_no_key(report: dict[str, Any]) -> None:
    text = json.dumps(report)
    for key in (KEY, OTHER_KEY):
        for line in pem(key).decode().splitlines()[1:-1]:
            assert line not in text
