"""What somebody in the same network tries. Needs nothing but Python, and is read from standard input:

    python3 - ports HOST < stranger.py             the TCP ports that answer, of all 65,535
    python3 - guess HOST NAME < stranger.py        wrong passwords until nobody answers, 100 at most

NAME is the host's in the browser, with the port where that isn't 443; HOST itself is asked at 443.
Prints JSON.
"""

import errno
import http.client
import json
import re
import resource
import select
import socket
import ssl
import sys
import time
import urllib.parse
from typing import Any

AT_ONCE = 8192  # connections that wait for an answer
WAIT_SECONDS = 0.8  # for the last answer of each lot; the first SYN is sent again after 1 s
TRIES = 100


def ports(host: str) -> list[int]:
    """The TCP ports that take a connection; about 10 s where the others are silent."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    at_once = min(AT_ONCE, hard - 64)
    family, _, _, _, address = socket.getaddrinfo(host, 1, type=socket.SOCK_STREAM)[0]

    def start(port: int) -> tuple[socket.socket, int]:
        line = socket.socket(family, socket.SOCK_STREAM)
        line.setblocking(False)
        return line, line.connect_ex((address[0], port, *address[2:]))

    for _ in range(50):  # a machine that has just started must wait until its IPv6 address is its own
        line, status = start(1)
        line.close()
        if status not in (errno.EADDRNOTAVAIL, errno.ENETUNREACH):
            break
        time.sleep(0.1)
    found = []
    for first in range(1, 65536, at_once):
        poll, waiting = select.poll(), {}
        for port in range(first, min(first + at_once, 65536)):
            line, status = start(port)
            if status == errno.ECONNREFUSED:
                line.close()
                continue
            if status not in (0, errno.EINPROGRESS):
                raise OSError(status, f"port {port} of {host}: {errno.errorcode[status]}")
            waiting[line.fileno()] = port, line
            poll.register(line, select.POLLOUT)
        deadline = time.monotonic() + WAIT_SECONDS
        while waiting and (left := deadline - time.monotonic()) > 0:
            for number, _ in poll.poll(left * 1000):
                port, line = waiting.pop(number)
                poll.unregister(number)
                if line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(port)
                line.close()
        for _, line in waiting.values():
            line.close()
    return sorted(found)


def guess(host: str, name: str) -> dict[str, Any]:
    """Wrong passwords at both doors, the API's and the form's, and how each try ended, until the host is silent."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # whose certificate it is doesn't matter to a thief
    address = ""
    answers: dict[int, int] = {}

    def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[http.client.HTTPResponse, str]:
        nonlocal address
        line = http.client.HTTPSConnection(host, 443, timeout=3, context=trust)
        try:
            line.connect()
            address = line.sock.getsockname()[0]
            headers |= {"Host": name, "Referer": f"https://{name}/auth/login/"}
            line.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
            answer = line.getresponse()
            return answer, answer.read().decode()
        finally:
            line.close()

    page, text = ask("GET", "/auth/login/")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', text)
    if not token:
        raise ValueError(f"the login form has no csrf_token: {text[:200]}")
    form = {"csrf_token": token[1]}
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    for number in range(TRIES):
        words = {"username": "admin", "password": f"guess {number}"}
        try:
            if number % 2:
                body = urllib.parse.urlencode(form | words)
                kind = "application/x-www-form-urlencoded"
                answer, _ = ask("POST", "/auth/login/", body, Content_Type=kind, Cookie=cookie)
            else:
                answer, _ = ask("POST", "/auth/token", json.dumps(words), Content_Type="application/json")
        except OSError:
            return {"address": address, "answers": answers, "silent_after": number}
        answers[answer.status] = answers.get(answer.status, 0) + 1
        time.sleep(0.1)
    return {"address": address, "answers": answers, "silent_after": None}


if __name__ == "__main__":
    what, host, *more = sys.argv[1:]
    print(json.dumps(ports(host) if what == "ports" else guess(host, *more)))
