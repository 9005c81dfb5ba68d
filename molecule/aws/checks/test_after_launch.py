"""The stack as AWS describes it, read back through boto3; what its role may do; then stop, start, destroy."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from stand_ins.aws_account import REQUESTS

from .conftest import BUCKET, INVENTORY, PROJECT, REGION, STACK, Client, Ran, client_of, playbook, run_ansible

TAGS = {"project": "tweetlake", "stack": STACK, "owner": "molecule"}
ADMIN4, ADMIN6 = "198.51.100.7/32", "2001:db8:7::/48"
pytestmark = pytest.mark.timeout(900)  # whole playbooks, on a busy machine
POST = {"id": "1800000000000000000", "created_at": "2024-06-10T04:00:00.000Z", "author_id": "1"}
DAY = "posts/twitter/dt=2024-06-10"


def as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def tagged(tags: list[dict[str, str]]) -> bool:
    return as_dict(tags).items() >= TAGS.items()


@pytest.fixture(scope="module", autouse=True)
def runs(
    client: Client, at_once: Callable[..., Future[Ran]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[Ran]]:
    """What reads the stack, or refuses to touch it, under way beside the tests."""
    client("ssm").put_parameter(Name=f"/{STACK}/x_bearer_token", Value="from-ssm", Type="SecureString")
    secret = json.dumps({"x_bearer_token": "from-secretsmanager"})
    client("secretsmanager").create_secret(Name=STACK, SecretString=secret)
    folder = tmp_path_factory.mktemp("vault")
    inventory = shutil.copytree(PROJECT / "inventory" / "aws", folder / "aws")
    vault, password = inventory / "group_vars" / "airflow" / "vault.yml", folder / "password"
    vault.write_text('vault_x_bearer_token: "from-vault"\n')
    password.write_text("stand-in\n")
    program = Path(sys.executable).parent / "ansible-vault"
    subprocess.run([program, "encrypt", "--vault-password-file", password, vault], capture_output=True, check=True)
    show, destroy = "molecule/aws/show_secret.yml", "playbooks/destroy.yml"
    return {
        "check": at_once(playbook, "playbooks/launch.yml", "--check", "--diff"),
        "ssm": at_once(playbook, show, "-e", "secrets_from=ssm"),
        "secretsmanager": at_once(playbook, show, "-e", "secrets_from=secretsmanager"),
        "vault": at_once(
            playbook, show, "--vault-password-file", str(password), inventory=["-i", str(inventory), *INVENTORY[2:]]
        ),
        "nowhere": at_once(playbook, show, "-e", "secrets_from=somewhere"),
        "inventory": at_once(run_ansible, "ansible-inventory", "--list"),
        "unnamed": at_once(playbook, destroy),
        "misnamed": at_once(playbook, destroy, "-e", "aws_destroy_confirm=another"),
    }


@pytest.fixture(scope="module")
def settled(runs: dict[str, Future[Ran]]) -> None:
    """All of them are over: permissions are enforced for everybody or for nobody."""
    for run in runs.values():
        run.result()


@pytest.fixture(scope="module")
def instance(client: Client) -> dict[str, Any]:
    """The one host of the stack."""
    filters = [{"Name": "tag:stack", "Values": [STACK]}, {"Name": "instance-state-name", "Values": ["running"]}]
    (reservation,) = client("ec2").describe_instances(Filters=filters)["Reservations"]
    (one,) = reservation["Instances"]
    return dict(one)


def test_the_bucket_keeps_to_itself(client: Client) -> None:
    s3 = client("s3")
    block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert len(block) == 4 and all(block.values())
    (owner,) = s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert tagged(s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"])
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_lifecycle_is_by_prefix(client: Client) -> None:
    rules = {rule["ID"]: rule for rule in client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    moves = {
        name: (rule["Filter"]["Prefix"], rule["Transitions"][0]["Days"], rule["Transitions"][0]["StorageClass"])
        for name, rule in rules.items()
        if rule.get("Transitions")
    }
    assert moves == {
        "raw": ("posts/twitter_raw/", 30, "GLACIER_IR"),
        "csv": ("posts/twitter/", 90, "STANDARD_IA"),
        "parquet": ("posts/twitter_parquet/", 90, "STANDARD_IA"),
        "manual": ("posts/manual/", 90, "STANDARD_IA"),
    }
    assert (rules["rejected"]["Filter"]["Prefix"], rules["rejected"]["Expiration"]["Days"]) == (
        "posts/twitter_rejected/",
        365,
    )
    assert rules["leftovers"]["Filter"].get("Prefix", "") == ""
    assert rules["leftovers"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rules["leftovers"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert len(rules) == 6


def test_the_host_is_what_was_asked_for(client: Client, instance: dict[str, Any]) -> None:
    ec2 = client("ec2")
    # The newest of Debian's own: not the older, not another release, not the newer one of a stranger.
    assert instance["ImageId"] == "ami-0deb13000000000bb"
    assert instance["InstanceType"] == "t3.micro"
    metadata = instance["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)
    assert instance["IamInstanceProfile"]["Arn"].endswith(f"instance-profile/{STACK}-host")
    assert tagged(instance["Tags"])
    assert as_dict(instance["Tags"])["Name"] == STACK

    def attribute(name: str) -> Any:
        return ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute=name)

    assert attribute("disableApiTermination")["DisableApiTermination"]["Value"] is True
    # moto calls every host's credits `standard`, so what EC2 was told is read instead.
    asked = [
        urllib.parse.parse_qs(base64.b64decode(request["body"]).decode())
        for request in map(json.loads, REQUESTS.read_text().splitlines())
        if "/ec2/aws4_request" in request["headers"].get("Authorization", "")
    ]
    (launch,) = [request for request in asked if request["Action"] == ["RunInstances"]]
    assert launch["CreditSpecification.CpuCredits"] == ["standard"]
    # ec2_vol_info fails against moto, which leaves out a field; boto3 doesn't mind.
    (device,) = instance["BlockDeviceMappings"]
    (volume,) = ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"]
    assert (volume["Encrypted"], volume["VolumeType"], volume["Size"]) == (True, "gp3", 16)
    assert device["Ebs"]["DeleteOnTermination"] is True
    assert tagged(volume["Tags"])


def test_the_firewall_lets_only_the_admin_in(client: Client, instance: dict[str, Any]) -> None:
    (group_id,) = [group["GroupId"] for group in instance["SecurityGroups"]]
    (group,) = client("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    open_to = {
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], address)
        for rule in group["IpPermissions"]
        for address in [one["CidrIp"] for one in rule["IpRanges"]] + [one["CidrIpv6"] for one in rule["Ipv6Ranges"]]
    }
    assert open_to == {("tcp", port, port, address) for port in (22, 443) for address in (ADMIN4, ADMIN6)}
    assert tagged(group["Tags"])


def test_the_rest_is_tagged(client: Client) -> None:
    """What the other tests don't look at."""
    iam = client("iam")
    for role in (f"{STACK}-host", f"{STACK}-clock"):
        assert tagged(iam.list_role_tags(RoleName=role)["Tags"])
    assert tagged(iam.get_instance_profile(InstanceProfileName=f"{STACK}-host")["InstanceProfile"]["Tags"])
    (key,) = client("ec2").describe_key_pairs()["KeyPairs"]
    assert tagged(key["Tags"])
    database = f"arn:aws:glue:{REGION}:123456789012:database/{STACK}"
    assert client("glue").get_tags(ResourceArn=database)["Tags"].items() >= TAGS.items()


def test_it_recovers_and_keeps_its_address(client: Client, instance: dict[str, Any]) -> None:
    (alarm,) = client("cloudwatch").describe_alarms(AlarmNames=[f"{STACK}-recover"])["MetricAlarms"]
    assert alarm["MetricName"] == "StatusCheckFailed_System"
    assert alarm["AlarmActions"] == [f"arn:aws:automate:{REGION}:ec2:recover"]
    assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": instance["InstanceId"]}]
    assert tagged(client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"])
    (address,) = client("ec2").describe_addresses()["Addresses"]
    assert address["InstanceId"] == instance["InstanceId"]
    assert tagged(address["Tags"])
    (endpoint,) = client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert (endpoint["ServiceName"], endpoint["VpcEndpointType"]) == (f"com.amazonaws.{REGION}.s3", "Gateway")
    assert endpoint["RouteTableIds"]
    assert tagged(endpoint["Tags"])


def test_it_pauses_at_night(client: Client, instance: dict[str, Any]) -> None:
    events, iam = client("events"), client("iam")
    clock = iam.get_role(RoleName=f"{STACK}-clock")["Role"]["Arn"]
    for name, schedule in {"stop": "cron(30 22 * * ? *)", "start": "cron(0 4 * * ? *)"}.items():
        rule = events.describe_rule(Name=f"{STACK}-{name}")
        assert (rule["ScheduleExpression"], rule["State"]) == (schedule, "ENABLED")
        assert tagged(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"])
        (target,) = events.list_targets_by_rule(Rule=f"{STACK}-{name}")["Targets"]
        assert target["Arn"].endswith(f":automation-definition/AWS-{name.title()}EC2Instance:$DEFAULT")
        assert target["RoleArn"] == clock
        assert json.loads(target["Input"]) == {
            "InstanceId": [instance["InstanceId"]],
            "AutomationAssumeRole": [clock],
        }


# ---- what ran beside


def test_nothing_would_change(runs: dict[str, Future[Ran]]) -> None:
    """A check run over the whole stack."""
    ran = runs["check"].result()
    assert ran.code == 0, ran.text
    assert set(re.findall(r"changed=(\d+)", ran.text)) == {"0"}, ran.text


def test_the_inventory_finds_the_host_by_tag(runs: dict[str, Future[Ran]], instance: dict[str, Any]) -> None:
    listed = json.loads(runs["inventory"].result().output)
    assert listed["airflow"]["hosts"] == [STACK]
    facts = listed["_meta"]["hostvars"][STACK]
    # Ansible marks what comes from outside as not to be templated.
    assert facts["ec2_instance_id"] == {"__ansible_unsafe": instance["InstanceId"]}
    assert facts["ec2_public_ip_address"] == {"__ansible_unsafe": instance["PublicIpAddress"]}


@pytest.mark.parametrize("store", ["vault", "ssm", "secretsmanager"])
def test_secrets_come_from_the_store_that_is_named(runs: dict[str, Future[Ran]], store: str) -> None:
    """Through the preflight, which wants to see a token, and a task that shows what it got."""
    ran = runs[store].result()
    assert ran.code == 0, ran.text
    assert f"the token is from-{store}, its password is empty" in ran.text


def test_a_store_that_there_is_not(runs: dict[str, Future[Ran]]) -> None:
    ran = runs["nowhere"].result()
    assert ran.code == 2
    assert "secrets_from: somewhere is none of vault, ssm, secretsmanager" in ran.text


@pytest.mark.parametrize("answer", ["unnamed", "misnamed"])
def test_destroy_wants_to_hear_the_name(
    runs: dict[str, Future[Ran]], client: Client, instance: dict[str, Any], answer: str
) -> None:
    ran = runs[answer].result()
    assert ran.code == 2
    assert "Nothing was destroyed" in ran.text
    assert f"-e aws_destroy_confirm={STACK}" in ran.text
    assert state_of(client, instance) == "running"


# ---- what the host's role may do


def switch_enforcement(actions_until: str) -> None:
    """Tell moto after how many requests it starts to check permissions; "inf" is never."""
    import ssl

    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth",
        data=actions_until.encode(),
        headers={"Content-Type": "application/octet-stream"},
    )
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    opener.open(request).read()


@pytest.fixture(scope="module")
def role_env(client: Client) -> dict[str, str]:
    """Credentials of the host's role, as the environment of a process. The trust policy names EC2 alone, which moto
    doesn't hold against us as long as it enforces nothing."""
    assumed = client("iam").get_role(RoleName=f"{STACK}-host")["Role"]
    assert assumed["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    keys = client("sts").assume_role(RoleArn=assumed["Arn"], RoleSessionName="host")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_DEFAULT_REGION": REGION,
    }


@pytest.fixture
def enforced(client: Client) -> Iterator[None]:
    """Permissions are checked during a test."""
    switch_enforcement("0")
    yield
    switch_enforcement("inf")


def run_script(role_env: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """scripts/twitter_etl.py with nothing of AWS in its environment but the role's credentials and where AWS is."""
    kept = {name: os.environ[name] for name in ("PATH", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "NO_PROXY")}
    return subprocess.run(
        [sys.executable, PROJECT / "scripts" / "twitter_etl.py", *arguments],
        env={**kept, **role_env, "TWITTER_ETL_STATE_DIR": str(folder / "state")},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def as_role(role_env: dict[str, str]) -> Client:
    """boto3 clients of the host's role."""
    return client_of(role_env)


@pytest.fixture(scope="module")
def landed(
    client: Client,
    as_role: Client,
    role_env: dict[str, str],
    settled: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A day, landed by the script with the role's permissions; then landed again with another text, which deletes the
    first manifest; then rebuilt from the bucket, which lists it.

    Without the bucket's policy: moto takes every Deny as said, whatever its condition, so it would refuse TLS, too."""
    client("s3").delete_bucket_policy(Bucket=BUCKET)
    folder = tmp_path_factory.mktemp("etl")
    pages = folder / "pages.jsonl"
    switch_enforcement("0")
    try:
        for text in ("Sun", "Fog"):
            pages.write_text(json.dumps({"data": [{**POST, "text": text}], "meta": {"result_count": 1}}) + "\n")
            run = run_script(role_env, folder, "--from-raw", str(pages), "--to", f"s3://{BUCKET}/posts")
            assert run.returncode == 0, run.stderr
            assert "can't be removed" not in run.stderr
        raw = "posts/twitter_raw/dt=2024-06-10/pages.jsonl"
        as_role("s3").put_object(Bucket=BUCKET, Key=raw, Body=pages.read_bytes())
        source = f"s3://{BUCKET}/posts/twitter_raw/"
        run = run_script(role_env, folder, "--from-raw", source, "--to", f"s3://{BUCKET}/posts/manual", "--name", "x")
        assert run.returncode == 0, run.stderr
        run = run_script(role_env, folder, "--from-raw", str(pages), "--to", f"s3://{BUCKET}/elsewhere")
        assert run.returncode == 7
        assert "AccessDenied" in run.stdout
    finally:
        switch_enforcement("inf")


ALLOWED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "put": ("s3", "put_object", {"Bucket": BUCKET, "Key": f"{DAY}/_verify", "Body": b"x"}),
    "get": ("s3", "get_object", {"Bucket": BUCKET, "Key": f"{DAY}/refined_tweets.csv"}),
    "list": ("s3", "list_objects_v2", {"Bucket": BUCKET, "Prefix": "posts/twitter/"}),
    "replace": ("s3", "delete_object", {"Bucket": BUCKET, "Key": f"{DAY}/_manifest.json"}),
    "rejects": (
        "s3",
        "delete_object",
        {"Bucket": BUCKET, "Key": "posts/twitter_rejected/dt=2024-06-10/rejected.jsonl"},
    ),
}
REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "put-elsewhere": ("s3", "put_object", {"Bucket": BUCKET, "Key": "other/x", "Body": b"x"}),
    "put-above": ("s3", "put_object", {"Bucket": BUCKET, "Key": "twitter/x", "Body": b"x"}),
    "put-beside": ("s3", "put_object", {"Bucket": BUCKET, "Key": "posts/twitter_other/x", "Body": b"x"}),
    "get-elsewhere": ("s3", "get_object", {"Bucket": BUCKET, "Key": "other/secret"}),
    "put-other-bucket": ("s3", "put_object", {"Bucket": "another-bucket", "Key": "posts/twitter/x", "Body": b"x"}),
    "list-other-bucket": ("s3", "list_objects_v2", {"Bucket": "another-bucket"}),
    "all-buckets": ("s3", "list_buckets", {}),
    "delete-csv": ("s3", "delete_object", {"Bucket": BUCKET, "Key": f"{DAY}/refined_tweets.csv"}),
    "delete-raw": ("s3", "delete_object", {"Bucket": BUCKET, "Key": "posts/twitter_raw/dt=2024-06-10/pages.jsonl.gz"}),
    "delete-parquet": ("s3", "delete_object", {"Bucket": BUCKET, "Key": "posts/twitter_parquet/dt=2024-06-10/x"}),
    "delete-bucket": ("s3", "delete_bucket", {"Bucket": BUCKET}),
    "bucket-policy": ("s3", "delete_bucket_policy", {"Bucket": BUCKET}),
    "versioning": (
        "s3",
        "put_bucket_versioning",
        {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Suspended"}},
    ),
    "ec2": ("ec2", "describe_instances", {}),
    "ec2-terminate": ("ec2", "terminate_instances", {"InstanceIds": ["i-00000000000000000"]}),
    "iam": ("iam", "list_roles", {}),
    "secrets": ("secretsmanager", "get_secret_value", {"SecretId": STACK}),
    "parameters": ("ssm", "get_parameter", {"Name": f"/{STACK}/x_bearer_token"}),
}


def test_athena_finds_what_the_script_writes(client: Client, landed: None) -> None:
    """Columns and types of the tables are those of the files, and their templates lead to the day."""
    import pyarrow as pa
    import pyarrow.parquet

    glue, s3 = client("glue"), client("s3")
    tables = {table["Name"]: table for table in glue.get_tables(DatabaseName=STACK)["TableList"]}
    assert set(tables) == {"twitter", "twitter_parquet"}
    for name, file in {"twitter": "refined_tweets.csv", "twitter_parquet": "refined_tweets.parquet"}.items():
        parameters = tables[name]["Parameters"]
        assert parameters["projection.enabled"] == "true"
        assert parameters["projection.dt.range"] == "2026-01-01,NOW"
        assert [key["Name"] for key in tables[name]["PartitionKeys"]] == ["dt"]
        place = parameters["storage.location.template"].replace("${dt}", "2024-06-10")
        assert place.startswith(tables[name]["StorageDescriptor"]["Location"])
        key = place.removeprefix(f"s3://{BUCKET}/") + f"/{file}"
        assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 0

    body = s3.get_object(Bucket=BUCKET, Key="posts/twitter_parquet/dt=2024-06-10/refined_tweets.parquet")["Body"].read()
    athena = {"int64": "bigint", "bool": "boolean", "string": "string"}

    def type_of(field: pa.Field) -> str:
        if pa.types.is_list(field.type):
            return "array<string>"
        return "timestamp" if pa.types.is_timestamp(field.type) else athena[str(field.type)]

    written = [(field.name, type_of(field)) for field in pyarrow.parquet.read_schema(pa.BufferReader(body))]
    parquet = tables["twitter_parquet"]["StorageDescriptor"]["Columns"]
    assert [(column["Name"], column["Type"]) for column in parquet] == written
    csv = tables["twitter"]["StorageDescriptor"]["Columns"]
    assert [(column["Name"], column["Type"]) for column in csv] == [(name, "string") for name, _ in written]
    header = s3.get_object(Bucket=BUCKET, Key=f"{DAY}/refined_tweets.csv")["Body"].read().split(b"\n")[0]
    assert header.decode().replace('"', "").split(",") == [name for name, _ in written]


def test_the_role_may_do_what_the_script_does(landed: None, as_role: Client, enforced: None) -> None:
    for service, call, arguments in ALLOWED.values():
        getattr(as_role(service), call)(**arguments)


@pytest.mark.parametrize("what", REFUSED)
def test_the_role_may_do_nothing_else(landed: None, client: Client, as_role: Client, what: str) -> None:
    service, call, arguments = REFUSED[what]
    client("s3").create_bucket(Bucket="another-bucket")
    client("s3").put_object(Bucket=BUCKET, Key="other/secret", Body=b"x")
    switch_enforcement("0")
    try:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            getattr(as_role(service), call)(**arguments)
    finally:
        switch_enforcement("inf")
        client("s3").delete_object(Bucket=BUCKET, Key="other/secret")
        client("s3").delete_bucket(Bucket="another-bucket")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_the_role_lists_only_its_folders(client: Client) -> None:
    """moto doesn't look at s3:prefix, so the policy itself is read: the only listing is bound to the folders."""
    (name,) = client("iam").list_role_policies(RoleName=f"{STACK}-host")["PolicyNames"]
    policy = client("iam").get_role_policy(RoleName=f"{STACK}-host", PolicyName=name)["PolicyDocument"]
    (listing,) = [one for one in policy["Statement"] if "s3:ListBucket" in one["Action"]]
    folders = ["twitter", "twitter_parquet", "twitter_raw", "twitter_rejected", "manual"]
    assert listing["Condition"]["StringLike"]["s3:prefix"] == [f"posts/{one}/*" for one in folders] + [
        f"posts/{one}" for one in folders
    ]
    assert client("iam").list_attached_role_policies(RoleName=f"{STACK}-host")["AttachedPolicies"] == []


# ---- stop, start, destroy; the order counts


def state_of(client: Client, instance: dict[str, Any]) -> str:
    reply = client("ec2").describe_instances(InstanceIds=[instance["InstanceId"]])
    return str(reply["Reservations"][0]["Instances"][0]["State"]["Name"])


def test_stop_and_start(client: Client, settled: None, instance: dict[str, Any]) -> None:
    """Each twice in one run: the second time there is nothing to do."""
    for verb, state in {"stop": "stopped", "start": "running"}.items():
        ran = playbook(f"playbooks/{verb}.yml", f"playbooks/{verb}.yml")
        assert ran.code == 0, ran.text
        assert state_of(client, instance) == state
        assert re.findall(r"changed=(\d+)", ran.text)[-1] == "1", ran.text


def test_destroy_leaves_the_bucket_alone(client: Client, left_over: Callable[..., list[str]]) -> None:
    ran = playbook("playbooks/destroy.yml", "-e", f"aws_destroy_confirm={STACK}")
    assert ran.code == 0, ran.text
    assert set(left_over()) - {f"arn:aws:s3:::{BUCKET}"} == {BUCKET}
    assert client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] > 0


def test_destroy_takes_the_bucket_when_told_to(left_over: Callable[..., list[str]]) -> None:
    """The second run finds all the rest gone, and the bucket with all versions of its objects goes, too."""
    ran = playbook("playbooks/destroy.yml", "-e", f"aws_destroy_confirm={STACK}", "-e", "aws_destroy_bucket=true")
    assert ran.code == 0, ran.text
    assert "changed=1 " in ran.text
    assert left_over() == []
