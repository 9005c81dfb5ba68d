"""Stands for Airflow behind the proxy: says in JSON what reached it. Listens on 127.0.0.1:8080."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers every GET and POST with its method, path and headers (names in small letters)."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: the second would wait 40 ms for the first one's receipt

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"method": self.command, "path": self.path, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8080), Echo).serve_forever()
