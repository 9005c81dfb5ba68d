"""python -m stand_ins.x_api: the simulator as a program."""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from .auth import Credentials
from .faults import HELP, Fault
from .server import address_of, listen, make_server
from .simulator import Simulator


def main() -> int:
    """Serve until interrupted. Exit code 2: bad argument or address taken."""
    arguments = _parser().parse_args()
    simulator = Simulator(Credentials(bearer_token=arguments.bearer_token))
    simulator.pay_per_use = arguments.pay_per_use
    for fault in arguments.fault:
        simulator.faults.arm(fault)
    if arguments.replay:
        simulator.replay(arguments.replay)
    try:
        listener = listen(arguments.host, arguments.port)
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        print(f"x_api: can't listen on {where}: {error.strerror}. Take another --port, or 0.", file=sys.stderr)
        return 2
    print(f"x_api listening on {address_of(listener)}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        make_server(simulator).run(sockets=[listener])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stand_ins.x_api",
        description="A stand-in for the X API v2: users, timelines, search, counts and usage, with made-up posts that "
        "are the same every time. Point a client at it with X_API_BASE_URL.",
        epilog="faults:\n" + "\n".join(f"  {name:20} {text}" for name, text in HELP.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8800, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--bearer-token", default=Credentials().bearer_token, help="token to accept (default: %(default)s)"
    )
    parser.add_argument(
        "--pay-per-use", action="store_true", help="usage/tweets says that nothing was read, as to such apps in 2026"
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[:COUNT[:SECONDS]]",
        help="spoil the next COUNT requests (default: 1); may be given more than once",
    )
    parser.add_argument(
        "--replay",
        type=read_recording,
        metavar="FILE",
        help="answer requests for posts with these recorded pages, in order: JSON Lines, one page per line, "
        "or one JSON list of pages",
    )
    return parser


def _fault(text: str) -> Fault:
    name, _, rest = text.partition(":")
    count, _, seconds = rest.partition(":")
    try:
        return Fault(name, int(count or 1), seconds=float(seconds) if seconds else None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def read_recording(name: str) -> list[Any]:
    """The pages in this file; raises ArgumentTypeError with the reason if it can't be read."""
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error.strerror}") from error
    try:
        whole = json.loads(text)
        return whole if isinstance(whole, list) else [whole]
    except ValueError:
        pass
    pages = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            pages.append(json.loads(line))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{name}, line {number} is not JSON: {error}") from error
    return pages


if __name__ == "__main__":
    sys.exit(main())
