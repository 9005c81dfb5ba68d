"""Ansible module `aws_glue_catalog`: one Glue database and its tables. Neither collection has a module for them."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

with contextlib.suppress(ImportError):  # without it AnsibleAWSModule says what is missing
    from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
module: aws_glue_catalog
short_description: One Glue database and its tables
description:
  - Makes the database and exactly the given tables in it; a table whose definition differs is replaced in the catalog.
    No data is touched, Glue's tables are descriptions of what lies in S3.
  - Check mode and diff are supported. Tables of the database that aren't given are left alone.
options:
  name: {description: Name of the database, required: true, type: str}
  account_id: {description: The account, for the database's ARN, required: true, type: str}
  partition: {description: "Of the ARN: aws, aws-cn or aws-us-gov", default: aws, type: str}
  tables:
    description: The tables, as Glue's TableInput.
    default: []
    type: list
    elements: dict
  tags: {description: Tags of the database, default: {}, type: dict}
  state: {description: absent removes the database with all its tables, choices: [present, absent], default: present}
author: tweetlake
"""
EXAMPLES = """
- aws_glue_catalog:
    name: tweetlake
    account_id: "123456789012"
    tables: [{Name: twitter, TableType: EXTERNAL_TABLE, Parameters: {}, StorageDescriptor: {}}]
"""
RETURN = """
changes: {description: "What differed: `database`, `tags` or names of tables", type: list, returned: always}
"""


def existing(call: Any, key: str, **arguments: str) -> dict[str, Any] | None:
    """The answer's part, or None when Glue knows no such thing."""
    try:
        return dict(call(**arguments)[key])
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise


def differs(wanted: Any, there: Any) -> bool:
    """Whether what is there lacks something of what is wanted. Glue adds fields of its own; those don't count."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        return any(differs(value, there.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        return any(differs(one, other) for one, other in zip(wanted, there, strict=True))
    return bool(wanted != there)


def make(module: AnsibleAWSModule, glue: Any) -> list[str]:
    """Make what is missing or differs; the names of what was (or, in check mode, would be) changed."""
    name, tags = module.params["name"], module.params["tags"]
    changes = []
    arn = f"arn:{module.params['partition']}:glue:{glue.meta.region_name}:{module.params['account_id']}:database/{name}"
    database = existing(glue.get_database, "Database", Name=name)
    if database is None:
        changes.append("database")
        if not module.check_mode:
            glue.create_database(DatabaseInput={"Name": name}, Tags=tags)
    elif differs(tags, glue.get_tags(ResourceArn=arn)["Tags"]):
        changes.append("tags")
        if not module.check_mode:
            glue.tag_resource(ResourceArn=arn, TagsToAdd=tags)
    for table in module.params["tables"]:
        there = existing(glue.get_table, "Table", DatabaseName=name, Name=table["Name"]) if database else None
        if there is not None and not differs(table, there):
            continue
        changes.append(table["Name"])
        if not module.check_mode:
            (glue.update_table if there else glue.create_table)(DatabaseName=name, TableInput=table)
    return changes


def remove(module: AnsibleAWSModule, glue: Any) -> list[str]:
    """Remove the database; Glue removes its tables with it."""
    if existing(glue.get_database, "Database", Name=module.params["name"]) is None:
        return []
    if not module.check_mode:
        glue.delete_database(Name=module.params["name"])
    return ["database"]


def main() -> None:
    """Read the parameters, do it, report."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "account_id": {"type": "str", "required": True},
            "partition": {"type": "str", "default": "aws"},
            "tables": {"type": "list", "elements": "dict", "default": []},
            "tags": {"type": "dict", "default": {}},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        glue = module.client("glue")
        changes = (make if module.params["state"] == "present" else remove)(module, glue)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"The Glue catalog {module.params['name']} can't be brought into shape")
    module.exit_json(changed=bool(changes), changes=changes)


if __name__ == "__main__":
    main()
