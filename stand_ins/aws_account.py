"""A stand-in for an AWS account, as one background process: moto's server with TLS, for the Molecule scenario `aws`.

    python -m stand_ins.aws_account start
    python -m stand_ins.aws_account stop

TLS is on because the bucket's policy refuses everything else. The certificate is of an authority made on the spot:
AWS_CA_BUNDLE has to name .cache/aws-account/ca.crt. The images are those of images.json beside the scenario. All
requests are kept in .cache/aws-account/requests.jsonl, for what moto is told and forgets.
"""

import argparse
import datetime as dt
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".cache" / "aws-account"
REQUESTS = FOLDER / "requests.jsonl"
IMAGES = PROJECT / "molecule" / "aws" / "images.json"
PORT = 5443
START_TIMEOUT_SECONDS = 30
VALID_DAYS = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="stand_ins.aws_account", description="A stand-in for a whole AWS account.")
    parser.add_argument("verb", choices=["start", "stop"])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, and of the certificate")
    args = parser.parse_args()
    return start(args.host) if args.verb == "start" else stop()


def start(host: str) -> int:
    """Start the process, empty; print `started` or `running`. Fails with its log when it does not come up."""
    if running_pid():
        print("running")
        return 0
    if answers(host):  # the stand-in of another clone, say: playbooks would talk to that
        print(f"Another program listens on {host}, port {PORT}. Stop it, then try again.", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_certificates(host)
    log = FOLDER / "server.log"
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(PORT)]
    command += ["-s", "-c", str(FOLDER / "server.crt"), "-k", str(FOLDER / "server.key")]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env={
                **os.environ,
                "MOTO_AMIS_PATH": str(IMAGES),
                "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
                "MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false",
                "MOTO_ENABLE_RECORDING": "true",
                "MOTO_RECORDER_FILEPATH": str(REQUESTS),
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    (FOLDER / "pid").write_text(str(process.pid))
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers(host):
            print("started")
            return 0
        time.sleep(0.1)
    print(f"The AWS stand-in did not come up; its log:\n{log.read_text()[-2000:]}", file=sys.stderr)
    return 1


def stop() -> int:
    """End the process if it runs, and forget the account; print `stopped` or `absent`."""
    pid = running_pid()
    if pid:
        os.kill(pid, signal.SIGTERM)
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("stopped" if pid else "absent")
    return 0


def running_pid() -> int | None:
    """The process of an earlier start, if that number is still ours (numbers are used again)."""
    try:
        pid = int((FOLDER / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"moto.server" in command else None


def answers(host: str) -> bool:
    """Whether anything listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, PORT)) == 0


def write_certificates(host: str) -> None:
    """An authority, and a certificate of it for the address."""
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = sign("AWS stand-in CA", ca_key, "AWS stand-in CA", ca_key, x509.BasicConstraints(ca=True, path_length=0))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host)), x509.DNSName("localhost")])
    server = sign("AWS stand-in", server_key, "AWS stand-in CA", ca_key, names)
    (FOLDER / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (FOLDER / "server.crt").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    key_file = FOLDER / "server.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def sign(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    """A certificate, valid from yesterday."""
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(yesterday)
        .not_valid_after(yesterday + dt.timedelta(days=1 + VALID_DAYS))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(issuer_key, hashes.SHA256())
    )


if __name__ == "__main__":
    sys.exit(main())
