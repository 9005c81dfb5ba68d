"""What goes wrong before there is a stack: one clear message each, and nothing half done that the next run can't use.

The last one breaks off on purpose with half of the stack made; the scenario's `converge` then completes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from .conftest import BUCKET, REGION, Ran

pytestmark = pytest.mark.timeout(900)  # whole playbooks, on a busy machine
LAUNCH = "playbooks/launch.yml"
Playbook = Callable[..., Ran]


def test_a_check_run_made_nothing(left_over: Callable[[], list[str]]) -> None:
    """The scenario's first `check` ran before this."""
    assert left_over() == []


def test_without_credentials(playbook: Playbook, left_over: Callable[[], list[str]]) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    ran = playbook(LAUNCH, env=nobody)
    assert ran.code == 2
    assert "AWS didn't let this machine in; nothing was changed." in ran.text
    assert "Give this machine credentials: `aws configure`" in ran.text
    assert "Traceback" not in ran.text
    assert left_over() == []


def test_a_region_that_is_not_there(playbook: Playbook, left_over: Callable[[], list[str]]) -> None:
    """Without the stand-in's address, so that boto3 looks for the region's own; moto has no such region either."""
    ran = playbook(LAUNCH, "-e", "aws_region=us-east-9", env={"AWS_ENDPOINT_URL": None})
    assert ran.code == 2
    assert "Is aws_region (us-east-9) right" in ran.text
    assert "Traceback" not in ran.text
    assert left_over() == []


@pytest.mark.parametrize(
    ("variables", "complaints"),
    [
        (
            {
                "aws_stack": "Tweet Lake",
                "aws_region": "Frankfurt",
                "aws_bucket": "",
                "aws_prefix": "a//b",
                "aws_admin_cidrs": [],
                "aws_ssh_public_key_file": "/nowhere/key.pub",
                "aws_nightly_stop": "25:00",
                "aws_disk_gib": 1,
                "aws_to_infrequent_access_days": 7,
                "aws_old_versions_expire_days": 0,
                "aws_catalog_first_day": "yesterday",
            },
            [
                'aws_stack: "Tweet Lake" can',
                'aws_region: "Frankfurt" is no AWS region',
                "aws_bucket: is empty",
                'aws_prefix: "a//b" can',
                "aws_admin_cidrs: is empty",
                "aws_ssh_public_key_file: there is no file /nowhere/key.pub",
                "aws_nightly_stop, aws_nightly_start",
                "aws_disk_gib: 1 is no number",
                "aws_to_infrequent_access_days: S3 takes no number below 30",
                "must be 1 or more",
                'aws_catalog_first_day: "yesterday" is no date',
            ],
        ),
        (
            {"aws_bucket": "My_Bucket", "aws_admin_cidrs": ["198.51.100.7", "300.1.1.1/8", "0.0.0.0/0", "::/0"]},
            [
                'aws_bucket: S3 forbids the name "My_Bucket"',
                "198.51.100.7, 300.1.1.1/8 is no range of addresses",
                "0.0.0.0/0, ::/0 lets the whole internet try the logins",
                "ask a second time: aws_open_to_the_world: true",
            ],
        ),
        (
            {"aws_admin_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]},
            ["0.0.0.0/1, 128.0.0.0/1 lets the whole internet try the logins"],
        ),
    ],
    ids=["everything", "names-and-ranges", "two-halves"],
)
def test_a_wrong_inventory(playbook: Playbook, variables: dict[str, Any], complaints: list[str]) -> None:
    ran = playbook(LAUNCH, "-e", json.dumps(variables))
    assert ran.code == 2
    assert "The inventory needs a correction; nothing was changed." in ran.text
    for complaint in complaints:
        assert complaint in ran.text


def test_a_bucket_name_that_someone_else_has(playbook: Playbook, left_over: Callable[[], list[str]]) -> None:
    """moto keeps accounts apart by the credentials that STS hands out."""
    other = boto3.client("sts", region_name=REGION).assume_role(
        RoleArn="arn:aws:iam::222222222222:role/other", RoleSessionName="other"
    )["Credentials"]
    theirs = boto3.client(
        "s3",
        region_name=REGION,
        aws_access_key_id=other["AccessKeyId"],
        aws_secret_access_key=other["SecretAccessKey"],
        aws_session_token=other["SessionToken"],
    )
    theirs.create_bucket(Bucket="taken-by-someone-else")
    ran = playbook(LAUNCH, "-e", "aws_bucket=taken-by-someone-else")
    assert ran.code == 2
    assert "The bucket name taken-by-someone-else is taken by someone else; nothing was changed." in ran.text
    assert theirs.get_bucket_versioning(Bucket="taken-by-someone-else").get("Status") is None
    assert left_over() == []


def test_a_bucket_of_ours_that_holds_other_things(playbook: Playbook, client: Callable[[str], Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="family-photos")
    s3.put_object(Bucket="family-photos", Key="posts/twitter/1.jpg", Body=b"x")
    ran = playbook(LAUNCH, "-e", "aws_bucket=family-photos")
    assert ran.code == 2
    assert "holds objects, but isn't tagged with stack=tweetlake; nothing was changed." in ran.text
    assert s3.get_bucket_versioning(Bucket="family-photos").get("Status") is None
    s3.delete_object(Bucket="family-photos", Key="posts/twitter/1.jpg")
    s3.delete_bucket(Bucket="family-photos")


def test_an_image_that_is_gone_leaves_half_a_stack(playbook: Playbook, left_over: Callable[[], list[str]]) -> None:
    ran = playbook(LAUNCH, "-e", "aws_image_id=ami-0123456789abcdef0")
    assert ran.code == 2
    assert "aws_image_id: us-east-1 has no image ami-0123456789abcdef0 (any more)." in ran.text
    assert "What was made so far stays and is used by the next run." in ran.text
    assert "Traceback" not in ran.text
    assert {BUCKET, "tweetlake-host"} <= set(left_over())
