"""Show what landed: the objects in the bucket, the first rows of yesterday, and how to look at Airflow.

`--check` also compares every file of the day with its manifest (size and sha256) and fails where one differs.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from stand_ins.tables import console, rows_of, table_of_files, table_of_posts

GATEWAY = "10.89.71.1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="stand_ins.demo.show", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare the files with the manifest")
    args = parser.parse_args()
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    bucket = os.environ.get("DEMO_BUCKET", "tweetlake-demo")
    s3 = _s3()
    objects = {item["Key"]: item["Size"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    terminal = console()
    terminal.print(table_of_files(f"s3://{bucket}", objects))

    def read(key: str) -> bytes:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    manifest = json.loads(read(f"twitter/dt={day}/_manifest.json"))
    rows = rows_of(read(f"twitter/dt={day}/refined_tweets.csv").decode())
    terminal.print(table_of_posts(day, rows))

    if args.check:
        return _check(manifest, len(rows), read)
    terminal.print(
        f"The Airflow UI: https://localhost:8443   user: admin   password: {_admin_password()}\n"
        "                (browsers trust it once inventory/local/demo-ca.crt is imported as an authority)\n"
        "On the host:    podman exec -it tweetlake-demo bash   (then: systemctl status airflow-scheduler)\n"
        "Stop it all:    make demo-stop",
        markup=False,
        highlight=False,
    )
    return 0


def _check(manifest: dict[str, Any], rows: int, read: Any) -> int:
    """Compare the day with its manifest; the exit code."""
    wrong = [] if manifest["rows"] == rows > 0 else [f"manifest says {manifest['rows']} rows, the CSV has {rows}"]
    for name, file in manifest["files"].items():
        body = read(file["key"])
        if (len(body), hashlib.sha256(body).hexdigest()) != (file["bytes"], file["sha256"]):
            wrong.append(f"{name} is not what the manifest says")
    print("\n".join(wrong) or f"{len(manifest['files'])} files are what the manifest says")
    return 1 if wrong else 0


def _s3() -> Any:
    """The bucket the demo wrote to: the stand-in's, or the real one when AWS keys are in the environment."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return boto3.client("s3")
    endpoint = os.environ.get("AWS_ENDPOINT_URL", f"http://{GATEWAY}:5001")
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="stand-in",
        aws_secret_access_key="stand-in",
    )


def _admin_password() -> str:
    """The generated password, which only root of the demo host reads."""
    command = ["podman", "exec", "tweetlake-demo", "cat", "/etc/airflow/credentials/password-admin"]
    if os.getuid() != 0:
        command.insert(0, "sudo")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
