"""Ceph's radosgw as a second S3: a container of Debian 13, its objects in SQLite (`rgw backend store = dbstore`).

It is another program than moto, and a strict test of what the script believes: version 18.2.7 with dbstore keeps no
checksum of what is uploaded, and joins the parts of an upload in the wrong order.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "18.2.7"
IMAGE = f"localhost/tweetlake-radosgw:{VERSION}"
CONTAINERS_CONF = Path(__file__).resolve().parent.parent / ".cache" / "containers.conf"  # of stand_ins/demo/machine.yml
AS_ROOT = [] if os.geteuid() == 0 else ["sudo"]
PODMAN = [*AS_ROOT, "env", *([f"CONTAINERS_CONF={CONTAINERS_CONF}"] if CONTAINERS_CONF.exists() else []), "podman"]
CONFIGURATION = """
[global]
mon host = 127.0.0.1
auth client required = none
[client]
rgw backend store = dbstore
rgw config store = dbstore
dbstore db dir = /var/lib/ceph/radosgw
dbstore config uri = file:/var/lib/ceph/radosgw/config.db
rgw frontends = beast endpoint=127.0.0.1:{port}
"""
START_SECONDS = 60


@contextmanager
def running() -> Iterator[str]:
    """The address of a radosgw of its own on a free port of loopback, with the user of s3_server.py. Makes the image
    first if this machine has none: 300 MB, two minutes."""
    if IMAGE not in run("images", "--format={{.Repository}}:{{.Tag}}").split():
        make_image()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="radosgw-") as folder:
        configuration = Path(folder) / "ceph.conf"
        configuration.write_text(CONFIGURATION.format(port=port))
        mount = f"--volume={configuration}:/etc/ceph/ceph.conf:ro"
        server = ["radosgw", "-f", "--name=client.rgw.test", "--no-mon-config"]
        container = run("run", "--detach", "--rm", "--network=host", mount, IMAGE, *server).strip()
        try:
            wait_for(f"http://127.0.0.1:{port}")
            make_user(container)
            yield f"http://127.0.0.1:{port}"
        finally:
            run("stop", "--time=1", container)


def make_image() -> None:
    """As the images of test hosts are made: out of Debian's packages, without a registry."""
    packages = [*AS_ROOT, "mmdebstrap", "--quiet", "--variant=minbase", f"--include=radosgw={VERSION}*", "trixie", "-"]
    with subprocess.Popen(packages, stdout=subprocess.PIPE) as made:
        subprocess.run([*PODMAN, "import", "--quiet", "-", IMAGE], stdin=made.stdout, check=True, capture_output=True)
    if made.returncode:
        raise RuntimeError(f"mmdebstrap ended with {made.returncode}; its words are above.")


def make_user(container: str) -> None:
    user = ["--uid=testing", "--display-name=testing", "--access-key=testing", "--secret=testing-secret"]
    run("exec", container, "radosgw-admin", "--name=client.rgw.test", "--no-mon-config", "user", "create", *user)


def run(*arguments: str) -> str:
    """Standard output of podman. Raises CalledProcessError."""
    return subprocess.run([*PODMAN, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 (our own http address)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
