"""What the tests of the scenario `aws` share: clients of the stand-in account, and playbooks run as a user runs them.

The address, the authority and the credentials are in the environment that molecule.yml sets. Playbooks that don't get
in each other's way run at once, as many as there are processors: what takes long is the start of each of Ansible's
modules for AWS, a second of one processor.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

PROJECT = Path(__file__).resolve().parents[3]
STACK = "tweetlake"
REGION = "us-east-1"
BUCKET = "tweetlake-molecule"
INVENTORY = ["-i", "inventory/aws", "-i", "molecule/aws/inventory"]


class Ran:
    """How a playbook ended: exit code, standard output, and all it printed in one line, however it was wrapped."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.output = done.stdout
        self.text = " ".join((done.stdout + done.stderr).split())


Client = Callable[[str], Any]
Env = dict[str, str | None]


@pytest.fixture(scope="session")
def client() -> Client:
    """boto3 clients of the account's owner."""
    return functools.cache(lambda service: boto3.client(service, region_name=REGION))


def keys_of(account: str) -> dict[str, str]:
    """Credentials of another account, as environment. moto keeps accounts apart by what its STS hands out."""
    keys = boto3.client("sts", region_name=REGION).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/owner", RoleSessionName="owner"
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def client_of(keys: dict[str, str]) -> Client:
    """boto3 clients with these credentials."""
    session = boto3.Session(
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=keys["AWS_SESSION_TOKEN"],
        region_name=REGION,
    )
    return functools.cache(session.client)


def run_ansible(program: str, *arguments: str, env: Env | None = None, inventory: list[str] | None = None) -> Ran:
    """Run a program of Ansible's with another environment; a value of None takes a variable out."""
    inherited: Env = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACKS_ENABLED": None}
    environment = inherited | (env or {})
    return Ran(
        subprocess.run(
            [Path(sys.executable).parent / program, *(inventory or INVENTORY), *arguments],
            cwd=PROJECT,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    )


def playbook(*arguments: str, env: Env | None = None, inventory: list[str] | None = None) -> Ran:
    """Run playbooks, as a user does."""
    return run_ansible("ansible-playbook", *arguments, env=env, inventory=inventory)


@pytest.fixture(scope="session")
def at_once() -> Iterator[Callable[..., Future[Ran]]]:
    """Start `playbook` or `run_ansible` beside the tests; its result says how it ended."""
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1) as pool:  # one mostly waits for an answer
        yield pool.submit


@pytest.fixture(scope="session")
def left_over(client: Client) -> Callable[..., list[str]]:
    """All that bears the stack's tag or name, asked from each service; a terminated host counts as gone."""

    def look(client: Client = client) -> list[str]:
        ec2, iam, glue, s3 = client("ec2"), client("iam"), client("glue"), client("s3")
        ours = [{"Name": "tag:stack", "Values": [STACK]}]
        live = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
        found = [
            instance["InstanceId"]
            for reservation in ec2.describe_instances(Filters=ours + live)["Reservations"]
            for instance in reservation["Instances"]
        ]
        found += [one["VolumeId"] for one in ec2.describe_volumes(Filters=ours)["Volumes"]]
        found += [one["GroupId"] for one in ec2.describe_security_groups(Filters=ours)["SecurityGroups"]]
        found += [one["AllocationId"] for one in ec2.describe_addresses(Filters=ours)["Addresses"]]
        found += [one["KeyName"] for one in ec2.describe_key_pairs(Filters=ours)["KeyPairs"]]
        found += [
            one["VpcEndpointId"]
            for one in ec2.describe_vpc_endpoints(Filters=ours)["VpcEndpoints"]
            if one["State"] != "deleted"
        ]
        found += [one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].startswith(STACK)]
        found += [
            one["InstanceProfileName"]
            for one in iam.list_instance_profiles()["InstanceProfiles"]
            if one["InstanceProfileName"].startswith(STACK)
        ]
        found += [
            one["AlarmName"]
            for one in client("cloudwatch").describe_alarms()["MetricAlarms"]
            if one["AlarmName"].startswith(STACK)
        ]
        found += [one["Name"] for one in client("events").list_rules(NamePrefix=STACK)["Rules"]]
        found += [one["Name"] for one in glue.get_databases()["DatabaseList"]]
        found += [one["Name"] for one in s3.list_buckets()["Buckets"]]
        # Amazon's own index of tags, for whatever the list above forgets. It keeps terminated hosts for a while, and
        # moto's keeps what was deleted of Glue and of the endpoints.
        tagged = client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "stack", "Values": [STACK]}])
        arns = [one["ResourceARN"] for one in tagged["ResourceTagMappingList"]]
        return found + [arn for arn in arns if not re.search(":(instance|vpc-endpoint|database)/", arn)]

    return look
