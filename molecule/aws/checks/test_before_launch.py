"""What goes wrong before there is a stack: one clear message each, and nothing half done that the next run can't use.

All playbooks run at once, in three accounts: OURS, where one run breaks off on purpose with half of the stack made,
which the scenario's `converge` completes; BARE for those that must not make anything; and a stranger's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from .conftest import BUCKET, STACK, Client, Ran, client_of, keys_of, playbook, run_ansible

pytestmark = pytest.mark.timeout(900)  # whole playbooks, on a busy machine
LAUNCH = "playbooks/launch.yml"
NOBODY = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BARE, STRANGER = "333333333333", "222222222222"

WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "everything": (
        {
            "aws_stack": "Tweet Lake",
            "aws_region": "Frankfurt",
            "aws_bucket": "",
            "aws_prefix": "a//b",
            "aws_kms_key_arn": "alias/lake",
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
            'aws_kms_key_arn: "alias/lake" is no key of KMS in Frankfurt',
            "aws_admin_cidrs: is empty",
            "aws_ssh_public_key_file: there is no file /nowhere/key.pub",
            "aws_nightly_stop, aws_nightly_start",
            "aws_disk_gib: 1 is no number",
            "aws_to_infrequent_access_days: S3 takes no number below 30",
            "must be 1 or more",
            'aws_catalog_first_day: "yesterday" is no date',
        ],
    ),
    "names-and-ranges": (
        {
            "aws_bucket": "My_Bucket",
            "aws_admin_cidrs": ["198.51.100.7", "300.1.1.1/8", "0.0.0.0/0", "::/0", "0.0.0.0/1", "10.0.0.0/8"],
        },
        [
            'aws_bucket: S3 forbids the name "My_Bucket"',
            "198.51.100.7, 300.1.1.1/8 is no range of addresses",
            # Half of the internet is as good as all of it; a whole /8 is let through.
            "0.0.0.0/0, ::/0, 0.0.0.0/1 lets the whole internet try the logins",
            "ask a second time: aws_open_to_the_world: true",
        ],
    ),
}


@pytest.fixture(scope="module")
def bare() -> dict[str, str]:
    """Credentials of an account with nothing in it but a bucket of photos."""
    return keys_of(BARE)


@pytest.fixture(scope="module")
def runs(bare: dict[str, str], at_once: Callable[..., Future[Ran]]) -> dict[str, Future[Ran]]:
    """Every run, under way; those first that take longest."""
    photos = client_of(bare)("s3")
    photos.create_bucket(Bucket="family-photos")
    photos.put_object(Bucket="family-photos", Key="posts/twitter/1.jpg", Body=b"x")
    client_of(keys_of(STRANGER))("s3").create_bucket(Bucket="taken-by-someone-else")
    other = {"aws_bucket": "in-no-account", "aws_image": "ubuntu-24.04", "aws_instance_type": "t4g.small"}
    half = {"aws_image_id": "ami-0123456789abcdef0", "aws_ssh_through": "ssm", "aws_kms_key_arn": KEY_ARN}
    return {
        # Without the stand-in's address, so that boto3 looks for the region's own.
        "region": at_once(playbook, LAUNCH, "-e", "aws_region=us-east-9", env={"AWS_ENDPOINT_URL": None}),
        "half": at_once(playbook, LAUNCH, "-e", json.dumps(half)),
        "check": at_once(playbook, LAUNCH, "--check", "--diff", "-v", "-e", json.dumps(other), env=bare),
        "taken": at_once(playbook, LAUNCH, "-e", "aws_bucket=taken-by-someone-else", env=bare),
        "photos": at_once(playbook, LAUNCH, "-e", "aws_bucket=family-photos", env=bare),
        "nobody": at_once(playbook, LAUNCH, env=NOBODY),
        "nobody-stops": at_once(playbook, "playbooks/stop.yml", env=NOBODY),
        "inventory": at_once(run_ansible, "ansible-inventory", "--graph", env=bare),
    } | {name: at_once(playbook, LAUNCH, "-e", json.dumps(WRONG[name][0]), env=bare) for name in WRONG}


def test_an_image_that_is_gone_leaves_half_a_stack(
    runs: dict[str, Future[Ran]], client: Client, left_over: Callable[..., list[str]]
) -> None:
    """The half that is there was asked for without port 22; `converge` corrects that, too."""
    ran = runs["half"].result()
    assert ran.code == 2
    assert "aws_image_id: us-east-1 has no image ami-0123456789abcdef0 (any more)." in ran.text
    assert "What was made so far stays and is used by the next run." in ran.text
    assert "Traceback" not in ran.text
    assert {BUCKET, f"{STACK}-host"} <= set(left_over())
    (group,) = client("ec2").describe_security_groups(Filters=[{"Name": "tag:stack", "Values": [STACK]}])[
        "SecurityGroups"
    ]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in group["IpPermissions"]} == {(443, 443)}
    (policy,) = client("iam").list_attached_role_policies(RoleName=f"{STACK}-host")["AttachedPolicies"]
    assert policy["PolicyName"] == "AmazonSSMManagedInstanceCore"


def test_a_bucket_with_a_key_of_the_users(runs: dict[str, Future[Ran]], client: Client) -> None:
    """The same half: `converge` goes back to S3's own keys."""
    runs["half"].result()
    (rule,) = client("s3").get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY_ARN}
    assert rule["BucketKeyEnabled"] is True
    policy = client("iam").get_role_policy(RoleName=f"{STACK}-host", PolicyName="bucket")["PolicyDocument"]
    (statement,) = [one for one in policy["Statement"] if one["Sid"] == "Encrypt"]
    assert (statement["Action"], statement["Resource"]) == (["kms:GenerateDataKey", "kms:Decrypt"], [KEY_ARN])
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}


def test_a_check_run_shows_what_would_be_made(runs: dict[str, Future[Ran]]) -> None:
    """In an empty account, for the other distribution and the other architecture."""
    ran = runs["check"].result()
    assert ran.code == 0, ran.text
    assert "No host was made: this is a check run." in ran.text
    assert "ami-00b024000000000a4" in ran.text
    assert "CpuCredits: standard" in ran.text


def test_without_credentials(runs: dict[str, Future[Ran]]) -> None:
    ran = runs["nobody"].result()
    assert ran.code == 2
    assert "AWS didn't let this machine in; nothing was changed." in ran.text
    assert "Give this machine credentials: `aws configure`" in ran.text
    assert "Traceback" not in ran.text
    ran = runs["nobody-stops"].result()
    assert ran.code == 2
    assert "AWS didn't answer; nothing was changed. Check this machine's credentials" in ran.text


def test_a_region_that_is_not_there(runs: dict[str, Future[Ran]]) -> None:
    ran = runs["region"].result()
    assert ran.code == 2
    assert "Is aws_region (us-east-9) right" in ran.text
    assert "Traceback" not in ran.text


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_inventory(runs: dict[str, Future[Ran]], what: str) -> None:
    ran = runs[what].result()
    assert ran.code == 2
    assert "The inventory needs a correction; nothing was changed." in ran.text
    for complaint in WRONG[what][1]:
        assert complaint in ran.text


def test_a_bucket_name_that_someone_else_has(runs: dict[str, Future[Ran]]) -> None:
    ran = runs["taken"].result()
    assert ran.code == 2
    assert "The bucket name taken-by-someone-else is taken by someone else; nothing was changed." in ran.text
    theirs = client_of(keys_of(STRANGER))("s3")
    assert theirs.get_bucket_versioning(Bucket="taken-by-someone-else").get("Status") is None


def test_a_bucket_of_ours_that_holds_other_things(runs: dict[str, Future[Ran]], bare: dict[str, str]) -> None:
    ran = runs["photos"].result()
    assert ran.code == 2
    assert "holds objects, but isn't tagged with stack=tweetlake; nothing was changed." in ran.text
    assert client_of(bare)("s3").get_bucket_versioning(Bucket="family-photos").get("Status") is None


def test_the_inventory_of_an_empty_account_is_empty(runs: dict[str, Future[Ran]]) -> None:
    """So that the same command line does for the first run."""
    ran = runs["inventory"].result()
    assert ran.code == 0, ran.text
    assert STACK not in ran.text
    assert "Failed to parse" not in ran.text


def test_nothing_was_made_by_any_of_them(
    runs: dict[str, Future[Ran]], bare: dict[str, str], left_over: Callable[..., list[str]]
) -> None:
    for run in runs.values():
        run.result()
    assert left_over(client_of(bare)) == ["family-photos"]
