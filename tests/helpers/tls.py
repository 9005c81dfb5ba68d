"""What a server's TLS is worth: sslyze looks, Mozilla's profile judges, SSL Labs' rating guide gives the letter.

    python -m tests.helpers.tls --ca-file ca.crt HOST[:PORT]

Used by the Molecule scenario `https` and by `make test-security`. The other kept tool, testssl.sh, gives the letter
itself, but not as Debian 12 has it, and takes minutes.
"""

import argparse
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

from cryptography.utils import CryptographyDeprecationWarning
from sslyze import (  # type: ignore[attr-defined]  # exported, but not as mypy wants it said
    CertificateInfoExtraArgument,
    ScanCommand,
    ScanCommandsExtraArguments,
    Scanner,
    ServerNetworkLocation,
    ServerScanRequest,
)
from sslyze.__version__ import __version__ as SSLYZE_VERSION
from sslyze.mozilla_tls_profile.tls_config_checker import (
    SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

# Of an authority in sslyze's own list, not of the server.
warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning)

VERSIONS = {
    "SSL 2.0": "ssl_2_0_cipher_suites",
    "SSL 3.0": "ssl_3_0_cipher_suites",
    "TLS 1.0": "tls_1_0_cipher_suites",
    "TLS 1.1": "tls_1_1_cipher_suites",
    "TLS 1.2": "tls_1_2_cipher_suites",
    "TLS 1.3": "tls_1_3_cipher_suites",
}
HSTS_SECONDS = 180 * 86400  # what the guide calls long


@dataclass(frozen=True)
class Tls:
    """What was found.

    Attributes:
        grade: A+, A or A-; empty where Mozilla's intermediate profile isn't met.
        versions: the versions of TLS that are spoken, and how many cipher suites each has.
        issues: what the profile objects to.
    """

    grade: str
    versions: dict[str, int]
    issues: dict[str, str]

    def __str__(self) -> str:
        spoken = " and ".join(f"{version} with {suites}" for version, suites in self.versions.items())
        told = f"grade {self.grade}" if self.grade else f"no grade: {self.issues}"
        return f"{told} (Mozilla's intermediate profile; {spoken} cipher suites; sslyze {SSLYZE_VERSION})"


def look(host: str, port: int, ca_file: str | None) -> Tls:
    """Grade a server; 5 seconds. Raises sslyze's errors where there is none.

    What meets the profile has 93 of 100 points in the guide (version 2009q): 100 for TLS 1.2 and 1.3, 90 for keys worth
    2048 bits and more, 90 for ciphers of 128 and 256 bits. That is an A (from 80), and none of the guide's caps for old
    versions, weak keys, known attacks, missing forward secrecy or trust applies; A- without TLS 1.3, A+ with HSTS.
    """
    trusted = CertificateInfoExtraArgument(Path(ca_file)) if ca_file else None
    request = ServerScanRequest(
        ServerNetworkLocation(host, port),
        scan_commands=SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER | {ScanCommand.HTTP_HEADERS},
        scan_commands_extra_arguments=ScanCommandsExtraArguments(certificate_info=trusted),
    )
    scanner = Scanner()
    scanner.queue_scans([request])
    (found,) = scanner.get_results()
    if found.scan_result is None:
        sys.exit(f"{host}:{port} doesn't speak TLS: {found.connectivity_error_trace}")
    suites = {
        version: len(getattr(found.scan_result, name).result.accepted_cipher_suites)
        for version, name in VERSIONS.items()
    }
    versions = {version: number for version, number in suites.items() if number}
    try:
        check_server_against_tls_configuration(
            found, MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)
        )
    except ServerNotCompliantWithTlsConfiguration as error:
        return Tls("", versions, error.issues)
    headers = found.scan_result.http_headers.result
    hsts = headers.strict_transport_security_header if headers else None
    if "TLS 1.3" not in versions:
        return Tls("A-", versions, {})
    return Tls("A+" if hsts and (hsts.max_age or 0) >= HSTS_SECONDS else "A", versions, {})


def main() -> None:
    parser = argparse.ArgumentParser(description="Grade a server's TLS; exit code 1 below --at-least.")
    parser.add_argument("server", metavar="HOST[:PORT]")
    parser.add_argument("--ca-file", help="the authority to trust besides the well-known ones")
    parser.add_argument("--at-least", choices=["A+", "A"], default="A")
    arguments = parser.parse_args()
    host, _, port = arguments.server.partition(":")
    found = look(host, int(port or 443), arguments.ca_file)
    print(found)
    sys.exit(found.grade not in ("A+", arguments.at_least))


if __name__ == "__main__":
    main()
