"""Ansible module `aws_bucket_lifecycle`: a bucket's lifecycle rules, all in one request.

community.aws.s3_lifecycle writes one rule at a time. Each has to wait half a minute until S3 shows it for sure, else
the next one writes over it; and it has no check mode.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

with contextlib.suppress(ImportError):  # without it AnsibleAWSModule says what is missing
    from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
module: aws_bucket_lifecycle
short_description: Lifecycle rules of a bucket
description:
  - Makes and corrects the rules that are given; those with another ID stay. Check mode is supported.
options:
  name: {description: The bucket, required: true, type: str}
  rules:
    description: The rules, as S3's LifecycleRule; each is enabled.
    required: true
    type: list
    elements: dict
author: tweetlake
"""
EXAMPLES = """
- aws_bucket_lifecycle:
    name: jane-doe-tweetlake
    rules: [{ID: old, Filter: {Prefix: ""}, NoncurrentVersionExpiration: {NoncurrentDays: 30}}]
"""
RETURN = """
written: {description: The IDs of the rules that were missing or differed, type: list, returned: always}
"""
COMPARED = (
    "Status",
    "Filter",
    "Transitions",
    "Expiration",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)


def existing(s3: Any, bucket: str) -> list[dict[str, Any]]:
    """The rules of the bucket. None where there is no such bucket yet, which only a check run meets."""
    try:
        return list(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchLifecycleConfiguration", "NoSuchBucket"):
            return []
        raise


def differs(wanted: dict[str, Any], there: dict[str, Any] | None) -> bool:
    """Whether a rule does something else than is wanted."""
    return there is None or any((wanted.get(key) or None) != (there.get(key) or None) for key in COMPARED)


def main() -> None:
    """Compare, write all at once, report."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "rules": {"type": "list", "elements": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    bucket = module.params["name"]
    wanted = {rule["ID"]: {"Status": "Enabled", **rule} for rule in module.params["rules"]}
    try:
        s3 = module.client("s3")
        there = {rule.get("ID"): rule for rule in existing(s3, bucket)}
        written = [name for name, rule in wanted.items() if differs(rule, there.get(name))]
        if written and not module.check_mode:
            rules = [rule for name, rule in there.items() if name not in wanted] + list(wanted.values())
            s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"The lifecycle of {bucket} can't be brought into shape")
    module.exit_json(changed=bool(written), written=written)


if __name__ == "__main__":
    main()
