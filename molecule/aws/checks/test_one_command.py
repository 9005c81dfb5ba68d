"""From an account with nothing in it to a day in the bucket by one command, as the README has it:

    ansible-playbook playbooks/launch.yml site.yml -i inventory/aws

The account is moto's, with TLS. What stands for the machine behind EC2's answer is a disposable host (machine/)
of which the playbooks are told nothing but its address. Its credentials come from moto's instance metadata, which boto3
asks without TLS, so from that of the stand-ins. Run by `make test-launch`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stand_ins.aws_account import FOLDER, PORT

from .conftest import BUCKET, PROJECT, STACK, Client, playbook

pytestmark = pytest.mark.timeout(1800)
GATEWAY, ADDRESS = "10.89.71.1", "10.89.71.40"
MACHINE = ["-i", "molecule/aws/machine"]
ACCOUNT = [sys.executable, "-m", "stand_ins.aws_account"]
KEY = PROJECT / ".cache" / "id_ed25519"
VARIABLES = {
    "ansible_host": ADDRESS,
    "ansible_ssh_extra_args": f"-o UserKnownHostsFile={FOLDER}/known_hosts",
    "aws_ssh_public_key_file": f"{KEY}.pub",
    "aws_admin_cidrs": [f"{GATEWAY}/32"],
    "aws_wait_seconds": 60,
    "secrets_from": "ssm",
    "https_names": [ADDRESS],  # EC2's public address is moto's invention
    "python_ca_certificates": [
        str(FOLDER / "ca.crt"),
        *map(str, Path("/usr/local/share/ca-certificates").glob("*.crt")),
    ],
    "twitter_etl_api_base_url": f"http://{GATEWAY}:8804",
    "twitter_etl_aws_endpoint_url": f"https://{GATEWAY}:{PORT}",
    "twitter_etl_environment": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{GATEWAY}:5004"},
}
ON_THE_HOST = ["-e", json.dumps(VARIABLES)]


@pytest.fixture(scope="module", autouse=True)
def machine() -> Iterator[None]:
    """A bare host, and an empty account; both are removed in the end."""
    playbook("stand_ins/demo/destroy.yml", inventory=MACHINE)
    booted = playbook("stand_ins/demo/create.yml", inventory=MACHINE)
    assert booted.code == 0, booted.text
    subprocess.run([*ACCOUNT, "stop"], cwd=PROJECT, check=True)
    subprocess.run([*ACCOUNT, "start", "--host", GATEWAY], cwd=PROJECT, check=True)
    os.environ.update(
        {
            "AWS_ENDPOINT_URL": f"https://{GATEWAY}:{PORT}",
            "AWS_CA_BUNDLE": str(FOLDER / "ca.crt"),
            "AWS_ACCESS_KEY_ID": "stand-in",
            "AWS_SECRET_ACCESS_KEY": "account-owner-secret",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": GATEWAY,
        }
    )
    yield
    subprocess.run([*ACCOUNT, "stop"], cwd=PROJECT, check=True)
    playbook("stand_ins/demo/destroy.yml", inventory=MACHINE)


def changed(text: str) -> dict[str, int]:
    """What each host's line of the last recap says of changes."""
    return {host: int(number) for host, number in re.findall(r"(\S+) : ok=\d+ changed=(\d+)", text)}


def test_one_command_makes_the_stack_and_sets_the_host_up(client: Client) -> None:
    name, value = f"/{STACK}/x_bearer_token", "simulated-bearer-token"
    client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    ran = playbook("playbooks/launch.yml", "site.yml", *ON_THE_HOST)
    assert ran.code == 0, ran.output[-5000:]
    assert changed(ran.text)[STACK] > 50


def test_again_it_changes_nothing() -> None:
    ran = playbook("playbooks/launch.yml", "site.yml", *ON_THE_HOST)
    assert ran.code == 0, ran.output[-5000:]
    assert set(changed(ran.text).values()) == {0}, ran.output[-5000:]


def test_the_host_lands_yesterday_in_the_bucket_of_the_stack(client: Client) -> None:
    """Without the bucket's policy: moto takes every Deny as said, whatever its condition, so it would refuse TLS, too.
    The run that was due as soon as Airflow ran has failed of it; playbooks/run.yml starts another."""
    client("s3").delete_bucket_policy(Bucket=BUCKET)
    ran = playbook("playbooks/verify.yml", "playbooks/run.yml", *ON_THE_HOST)
    assert ran.code == 0, ran.output[-5000:]
    day = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).date().isoformat()
    manifest = client("s3").get_object(Bucket=BUCKET, Key=f"posts/twitter/dt={day}/_manifest.json")
    assert json.loads(manifest["Body"].read())["date"] == day


def test_no_key_is_on_the_host() -> None:
    """Neither the account's nor another; and the role's, which the metadata hands out, are in no file."""
    places = "/etc /home /root /var/lib/airflow /var/log"
    # The brackets: sudo notes the command in the journal, which is searched, too.
    pattern = "[A]WS_SECRET_ACCESS_KEY|[a]ws_secret_access_key|A(KIA|SIA)[0-9A-Z]{16}"
    pattern += "|[a]ccount-owner-secret|[t]est-secret-key"
    ssh = ["ssh", "-i", str(KEY), "-o", f"UserKnownHostsFile={FOLDER}/known_hosts_search"]
    ssh += ["-o", "StrictHostKeyChecking=accept-new", f"admin@{ADDRESS}"]
    found = subprocess.run([*ssh, f"sudo grep -rlE '{pattern}' {places}"], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, ""), found.stderr  # 1: nothing found


def test_destroy_leaves_the_bucket_and_nothing_else(client: Client) -> None:
    ran = playbook("playbooks/destroy.yml", "-e", f"aws_destroy_confirm={STACK}")
    assert ran.code == 0, ran.output[-5000:]
    assert client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] > 0
