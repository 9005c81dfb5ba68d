"""Running the simulator on uvicorn, in a thread of a test session or as a program."""

import asyncio
import socket
import threading
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .app import create_app
from .simulator import Simulator


def _with_transport(transports: dict[Any, asyncio.Transport], app: Any) -> Any:
    """Hands each request the transport of its connection, so that a fault can break it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("extensions", {})["tweetlake.transport"] = transports[tuple(scope["client"])]
        await app(scope, receive, send)

    return wrapped


def make_server(simulator: Simulator) -> uvicorn.Server:
    """A server that is not running yet."""
    transports: dict[Any, asyncio.Transport] = {}

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._peer = transport.get_extra_info("peername")[:2]
            transports[self._peer] = transport
            # asyncio sets this only where the listener names its protocol; without it each answer waits 40 ms.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            transports.pop(self._peer, None)

    config = uvicorn.Config(
        _with_transport(transports, create_app(simulator)),
        http=Protocol,
        lifespan="off",
        log_level="critical",
        access_log=False,
        date_header=False,  # of the simulated clock: see app.py
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class ServerThread:
    """A server in a thread of this process: the simulator's state can be read and set directly."""

    def __init__(self, simulator: Simulator) -> None:
        self._listener = listen("127.0.0.1", 0)
        self.base_url = address_of(self._listener)
        self._server = make_server(simulator)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="x_api", daemon=True
        )

    def __enter__(self) -> "ServerThread":
        self._thread.start()  # the socket listens already: a request waits until the server is up
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=5)
        self._listener.close()
