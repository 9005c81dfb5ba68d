"""The stand-ins for X and AWS as one background process: the X API simulator and moto (S3, IAM, instance metadata).

The demo and the Molecule scenarios start it on the address their hosts reach this machine at:

    python -m stand_ins.cloud start --host 10.89.71.1
    python -m stand_ins.cloud stop --host 10.89.71.1
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS = 30


def main() -> int:
    parser = argparse.ArgumentParser(prog="stand_ins.cloud", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("verb", choices=["start", "stop", "serve"], help="serve stays in the foreground")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--x-api-port", type=int, default=8800)
    parser.add_argument("--aws-port", type=int, default=5000)
    parser.add_argument("--bucket", default="tweetlake-test", help="bucket that is there from the start")
    args = parser.parse_args()
    return {"start": start, "stop": stop, "serve": serve}[args.verb](args)


def start(args: argparse.Namespace) -> int:
    """Start the process unless it runs; print `started` or `running`. Fails with its log when it does not come up."""
    if _running_pid(args):
        print("running")
        return 0
    taken = [port for port in (args.x_api_port, args.aws_port) if _answers(args.host, port)]
    if taken:  # by stand-ins of another clone, say: hosts would talk to those
        print(f"Another program listens on {args.host}, port {taken[0]}. Stop it, then try again.", file=sys.stderr)
        return 1
    log = _state_file(args, "log")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "stand_ins.cloud", "serve", "--host", args.host, "--bucket", args.bucket]
    command += ["--x-api-port", str(args.x_api_port), "--aws-port", str(args.aws_port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    _state_file(args, "pid").write_text(str(process.pid))
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if all(_answers(args.host, port) for port in (args.x_api_port, args.aws_port)):
            print("started")
            return 0
        time.sleep(0.1)
    print(f"The stand-ins did not come up on {args.host}; their log:\n{log.read_text()[-2000:]}", file=sys.stderr)
    return 1


def stop(args: argparse.Namespace) -> int:
    """End the process if it runs; print `stopped` or `absent`."""
    pid = _running_pid(args)
    if pid:
        os.kill(pid, signal.SIGTERM)
    _state_file(args, "pid").unlink(missing_ok=True)
    print("stopped" if pid else "absent")
    return 0


def serve(args: argparse.Namespace) -> int:
    """Run both servers until a signal comes."""
    import boto3
    from moto.server import ThreadedMotoServer

    from stand_ins.x_api.server import listen, make_server
    from stand_ins.x_api.simulator import Simulator

    moto = ThreadedMotoServer(ip_address=args.host, port=args.aws_port, verbose=False)
    moto.start()
    boto3.client(
        "s3",
        endpoint_url=f"http://{args.host}:{args.aws_port}",
        region_name="us-east-1",
        aws_access_key_id="stand-in",
        aws_secret_access_key="stand-in",
    ).create_bucket(Bucket=args.bucket)
    make_server(Simulator()).run(sockets=[listen(args.host, args.x_api_port)])
    moto.stop()
    return 0


def _state_file(args: argparse.Namespace, suffix: str) -> Path:
    return PROJECT / ".cache" / f"cloud-{args.host}-{args.x_api_port}.{suffix}"


def _running_pid(args: argparse.Namespace) -> int | None:
    """The process of an earlier start, if that number is still ours (numbers are used again)."""
    try:
        pid = int(_state_file(args, "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"stand_ins.cloud" in command else None


def _answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


if __name__ == "__main__":
    sys.exit(main())
