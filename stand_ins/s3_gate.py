"""A gate before the S3 server (moto): it hands requests on and, as a fault says, refuses, breaks or holds them.

It also does what moto doesn't and S3 does: it compares each upload with the checksum that came with it.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HELP = {
    "slow_down": "503 SlowDown, which boto3 takes as throttling",
    "unavailable": "503 without a body, as from a proxy",
    "internal_error": "500 InternalError",
    "access_denied": "403 AccessDenied",
    "denied_by_policy": "403 AccessDenied, as a bucket's policy says it",
    "expired_token": "400 ExpiredToken, of AWS's session token",
    "unknown_key": "403 InvalidAccessKeyId",
    "moved": "301 PermanentRedirect: the bucket is in eu-central-1, and not at this endpoint",
    "wrong_region": "400 AuthorizationHeaderMalformed, unless it is signed for eu-central-1",
    "kms_demanded": "403 AccessDenied for an upload that doesn't ask for aws:kms",
    "no_such_bucket": "404 NoSuchBucket",
    "reset": "the connection is reset without an answer",
    "reset_stored": "the request is carried out, then the connection is reset: the answer is lost",
    "hang": "no answer",
    "hang_stored": "the request is carried out, but not answered",
    "garble": "one byte changes on the way",
    "lose": "answered 200, but nothing is stored",
}
STATUS = {
    "slow_down": (503, "SlowDown", "Please reduce your request rate."),
    "internal_error": (500, "InternalError", "We encountered an internal error. Please try again."),
    "access_denied": (403, "AccessDenied", "Access Denied"),
    "expired_token": (400, "ExpiredToken", "The provided token has expired."),
    "denied_by_policy": (403, "AccessDenied", "not authorized, with an explicit deny in a resource-based policy"),
    "unknown_key": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    "moved": (301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint."),
    "wrong_region": (400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'"),
    "no_such_bucket": (404, "NoSuchBucket", "The specified bucket does not exist"),
    "bad_digest": (400, "BadDigest", "The checksum you specified did not match the calculated checksum."),
}


@dataclass
class S3Fault:
    """Spoils `count` requests of this method (empty: of any) whose path ends so."""

    name: str
    method: str = "PUT"
    path: str = ""
    count: int = 1000

    def __post_init__(self) -> None:
        if self.name not in HELP:
            raise ValueError(f"unknown fault {self.name!r}; known: {', '.join(HELP)}")


class Gate(ThreadingHTTPServer):
    """`armed` faults wait for their request; `fired` has the names of those that came; `seen` all requests, and
    `headers` those of the last of each kind. With `checksums` off it answers as a server that keeps none."""

    daemon_threads = True

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.upstream = urlsplit(endpoint_url).netloc
        self.endpoint_url = f"http://127.0.0.1:{self.server_port}"
        self.reset()

    def reset(self) -> None:
        self.armed: list[S3Fault] = []
        self.fired: list[str] = []
        self.seen: list[str] = []
        self.headers: dict[str, dict[str, str]] = {}  # METHOD PATH?QUERY -> header -> value
        self.checksums = True
        self.on_stored: dict[str, Callable[[], Any]] = {}  # end of a path -> called once that object is stored

    def take(self, method: str, path: str) -> S3Fault | None:
        """The fault for this request, if one is armed for it; uses it up by one."""
        self.seen.append(f"{method} {path}")
        for fault in self.armed:
            if fault.method in ("", method) and path.endswith(fault.path) and fault.count:
                fault.count -= 1
                return fault
        return None

    def __enter__(self) -> Gate:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: clients that are killed break connections."""


class Passage(BaseHTTPRequestHandler):
    """One connection."""

    server: Gate
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        fault = self.server.take(self.command, path)
        self.server.headers[f"{self.command} {self.path}"] = {
            name.lower(): value for name, value in self.headers.items()
        }
        name = self.unless_met(fault.name) if fault else ""
        if name and not name.endswith("_stored"):
            self.server.fired.append(name)
        if name == "garble":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if not self.checksum_fits(body):
            name = "bad_digest"
        if name in STATUS:
            status, code, message = STATUS[name]
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            headers = {"x-amz-bucket-region": "eu-central-1"} if name in ("moved", "wrong_region") else {}
            self.answer(status, {"Content-Type": "application/xml", **headers}, text.encode())
        elif name == "unavailable":
            self.answer(503, {}, b"")
        elif name == "lose":
            self.answer(200, {"ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'}, b"")
        elif name in ("reset", "hang"):
            self.leave(name)
        else:
            answer = self.forward(body)
            if fault and fault.name == "wrong_region":
                answer[1]["x-amz-bucket-region"] = "eu-central-1"
            if name.endswith("_stored"):
                self.server.fired.append(name)
                self.leave(name)
            else:
                self.answer(*answer)

    def unless_met(self, name: str) -> str:
        """The fault that takes its place, or none when the request does what the fault demands."""
        if name == "wrong_region":
            return name * ("/eu-central-1/s3/" not in self.headers.get("Authorization", ""))
        if name == "kms_demanded":
            upload = self.command in ("PUT", "POST") and "uploadId=" not in self.path
            met = self.headers.get("x-amz-server-side-encryption") == "aws:kms"
            return "denied_by_policy" * (upload and not met)
        return name

    def checksum_fits(self, body: bytes) -> bool:
        if "x-amz-checksum-type" in self.headers:  # of the object that the parts become, not of this body
            return True
        sums = {"sha256": hashlib.sha256(body).digest(), "crc32": zlib.crc32(body).to_bytes(4, "big")}
        claims = {name: self.headers.get(f"x-amz-checksum-{name}") for name in sums}
        return all(claims[name] in (None, base64.b64encode(sums[name]).decode()) for name in sums)

    def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=20)
        upstream.request(self.command, self.path, body, dict(self.headers))
        response = upstream.getresponse()
        content, headers = response.read(), dict(response.getheaders())
        if not self.server.checksums:
            headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")}
        upstream.close()
        path, _, query = self.path.partition("?")
        parts = "uploadId=" in query
        stored = self.command == ("POST" if parts else "PUT")  # parts are stored by what joins them
        for end, call in list(self.server.on_stored.items()):
            if stored and path.endswith(end):
                del self.server.on_stored[end]
                call()
        return response.status, headers, content

    def leave(self, name: str) -> None:
        """End without an answer: at once with a reset, or when the client has given up."""
        self.close_connection = True
        if name.startswith("hang"):
            self.connection.settimeout(0.05)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    if not self.connection.recv(1):
                        return
                except TimeoutError:
                    continue
                except OSError:
                    return
        linger = b"\1\0\0\0\0\0\0\0"  # struct linger {on, 0 s}: close() sends RST
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", str(len(content))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
