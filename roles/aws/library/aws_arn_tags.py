"""Ansible module `aws_arn_tags`: tags on what the collections' modules make without any (alarms, event rules)."""

from __future__ import annotations

import contextlib

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

with contextlib.suppress(ImportError):  # without it AnsibleAWSModule says what is missing
    from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
module: aws_arn_tags
short_description: Tags on alarms of CloudWatch or rules of EventBridge
description: Adds and corrects tags; others that are there stay. Check mode is supported.
options:
  service: {description: Whose resources they are, choices: [cloudwatch, events], required: true, type: str}
  arns: {description: The resources, required: true, type: list, elements: str}
  tags: {description: The tags, required: true, type: dict}
author: tweetlake
"""
EXAMPLES = """
- aws_arn_tags:
    service: cloudwatch
    arns: [arn:aws:cloudwatch:us-east-1:123456789012:alarm:tweetlake]
    tags: {stack: tweetlake}
"""
RETURN = """
added: {description: "By resource, the tags that were added or corrected", type: dict, returned: always}
"""


def main() -> None:
    """Compare, tag what lacks, report."""
    module = AnsibleAWSModule(
        argument_spec={
            "service": {"choices": ["cloudwatch", "events"], "required": True},
            "arns": {"type": "list", "elements": "str", "required": True},
            "tags": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    added = {}
    for arn in module.params["arns"]:
        try:
            client = module.client(module.params["service"])
            there = {tag["Key"]: tag["Value"] for tag in client.list_tags_for_resource(ResourceARN=arn)["Tags"]}
            lacks = {name: value for name, value in module.params["tags"].items() if there.get(name) != value}
            if lacks:
                added[arn] = lacks
            if lacks and not module.check_mode:
                tags = [{"Key": name, "Value": value} for name, value in lacks.items()]
                client.tag_resource(ResourceARN=arn, Tags=tags)
        except (BotoCoreError, ClientError) as error:
            module.fail_json_aws(error, msg=f"{arn} can't be tagged")
    module.exit_json(changed=bool(added), added=added)


if __name__ == "__main__":
    main()
