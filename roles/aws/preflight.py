"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml.

What only the account can tell is asked of it in tasks/preflight.yml.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tweetlake.errors import EtlError
from tweetlake.settings import check_bucket

from playbooks.preflight.amazon import prefix_complaints, region_complaints
from playbooks.preflight.words import Read, Values, number_in, out_of_range, shown, truth_in

# "true" in quotes, as `-e name=true` gives it, is as good as true: the role makes one of it.
TAKES_WORDS = True
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
DAYS = (
    "aws_raw_to_glacier_days",
    "aws_rejected_expire_days",
    "aws_old_versions_expire_days",
    "aws_broken_uploads_expire_days",
)


def complaints(values: Values, read: Read) -> Iterator[str]:
    stack, prefix = str(values.get("aws_stack", "tweetlake")), str(values.get("aws_prefix", ""))
    if not re.fullmatch("[a-z][a-z0-9-]{1,30}[a-z0-9]", stack):
        yield (
            f"aws_stack: {shown(stack)} can't be in the names of AWS's things. Give 3 to 32 of a-z, 0-9 and -, "
            "beginning with a letter."
        )
    if "aws_region" in values:
        yield from region_complaints("aws_region", str(values["aws_region"]))
    if "aws_bucket" in values:
        yield from _bucket(str(values["aws_bucket"]))
    yield from prefix_complaints("aws_prefix", prefix)
    yield from _kms_key(str(values.get("aws_kms_key_arn") or ""), str(values.get("aws_region", "us-east-1")))
    if "aws_admin_cidrs" in values:
        yield from _cidrs([str(cidr) for cidr in values["aws_admin_cidrs"]], truth_in(values, "aws_open_to_the_world"))
    yield from _key_file(values, read)
    yield from _nightly(values)
    if complaint := out_of_range(values, "aws_disk_gib", 8, 16_384):
        yield complaint
    infrequent = number_in(values, "aws_to_infrequent_access_days")
    if infrequent is not None and infrequent < 30:
        yield "aws_to_infrequent_access_days: S3 takes no number below 30 for that class."
    early = [name for name in DAYS if (days := number_in(values, name)) is not None and days < 1]
    if early:
        yield f"{', '.join(early)}: must be 1 or more."
    day = str(values.get("aws_catalog_first_day", "2026-01-01"))
    if not re.fullmatch("[0-9]{4}-[01][0-9]-[0-3][0-9]", day):
        yield f"aws_catalog_first_day: {shown(day)} is no date. Give it as YYYY-MM-DD."


def _bucket(bucket: str) -> Iterator[str]:
    """S3's rules, and no dot: TLS knows no bucket's name that has one."""
    reason = "is empty" if not bucket else None
    try:
        check_bucket(bucket)
    except EtlError:
        reason = reason or f"S3 forbids the name {shown(bucket)}"
    if reason is None and "." in bucket:
        reason = f"{shown(bucket)} has a dot, which Amazon's certificates don't cover"
    if reason:
        yield (
            f"aws_bucket: {reason}. Give 3 to 63 of a-z, 0-9 and -, with something of yours in it: bucket names are "
            "unique in all of AWS."
        )


def _kms_key(arn: str, region: str) -> Iterator[str]:
    """The key itself, no alias: IAM's policies know keys by their ids. S3 uses none of another region."""
    if arn and not re.fullmatch(rf"arn:aws[a-z-]*:kms:{re.escape(region)}:[0-9]{{12}}:key/[A-Za-z0-9-]+", arn):
        yield (
            f"aws_kms_key_arn: {shown(arn)} is no key of KMS in {region}. Give its ARN, which `aws kms describe-key` "
            f"says, such as arn:aws:kms:{region}:111122223333:key/..., or leave it empty for S3's own keys."
        )


def _cidrs(cidrs: list[str], open_to_the_world: bool) -> Iterator[str]:
    """Addresses of people. Half of the internet is as good as all of it: 0.0.0.0/1."""
    if not cidrs:
        yield (
            "aws_admin_cidrs: is empty, so nobody could reach the host. Give your address with /32; "
            "https://checkip.amazonaws.com says which it is."
        )
    wrong, wide = [], []
    for cidr in cidrs:
        try:
            network = ipaddress.ip_network(cidr, strict=False)  # AWS cuts what lies behind the length
        except ValueError:
            wrong.append(cidr)
            continue
        if "/" not in cidr:
            wrong.append(cidr)
        elif network.prefixlen < (8 if network.version == 4 else 32):
            wide.append(cidr)
    if wrong:
        yield (
            f"aws_admin_cidrs: {', '.join(wrong)} is no range of addresses. Give ADDRESS/LENGTH, such as "
            "198.51.100.7/32."
        )
    if wide and not open_to_the_world:
        yield (
            f"aws_admin_cidrs: {', '.join(wide)} lets the whole internet try the logins. Give your own address with "
            "/32. If you do mean it, ask a second time: aws_open_to_the_world: true."
        )


def _key_file(values: Values, read: Read) -> Iterator[str]:
    if "aws_ssh_public_key_file" not in values:
        return
    path = str(values["aws_ssh_public_key_file"])
    try:
        key = read("aws", path)
    except OSError:
        yield (
            f"aws_ssh_public_key_file: there is no file {path or '(empty)'}. Make a key with `ssh-keygen -t ed25519`, "
            "or name the one that you have."
        )
        return
    if not re.match(rb"(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/=]+", key):
        yield (
            f"aws_ssh_public_key_file: {path} holds no public key that EC2 takes (ed25519 or rsa). Name the file that "
            "ends in .pub."
        )


def _nightly(values: Values) -> Iterator[str]:
    stop, start = values.get("aws_nightly_stop", ""), values.get("aws_nightly_start", "")
    if (stop, start) == ("", ""):
        return
    if not all(isinstance(time, str) and TIME.fullmatch(time) for time in (stop, start)) or stop == start:
        yield (
            f"aws_nightly_stop, aws_nightly_start: {shown(stop)}, {shown(start)} are no two times of a day. Give both "
            'as "HH:MM" in UTC and in quotes, or none.'
        )
