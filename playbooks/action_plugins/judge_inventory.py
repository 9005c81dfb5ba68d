"""The action `judge_inventory`: hands what the inventory says of each host to playbooks/preflight, tells the verdict.

It runs on the controller, reaches nothing and changes nothing, with --check as without.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.inventory.group import Group
from ansible.inventory.host import Host as InventoryHost
from ansible.plugins.action import ActionBase

PROJECT = Path(__file__).resolve().parents[2]
# Behind everything else: the folders of the project have everyday names.
sys.path += [folder for folder in (str(PROJECT), str(PROJECT / "scripts")) if folder not in sys.path]

from playbooks.preflight.judge import HOST_ROLES, complaints, verdict  # noqa: E402
from playbooks.preflight.specs import is_like  # noqa: E402
from playbooks.preflight.variables import Controller  # noqa: E402

GROUP = "airflow"
# What EC2 will say of a host that is still to be launched; the address is one for documentation (RFC 5737).
OF_A_HOST_TO_COME = {"ec2_instance_id": "i-0123456789abcdef0", "ec2_public_ip_address": "192.0.2.1"}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Fails with all complaints in one message, or is silent. `launch`: the stack's, too; its host may be to come."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(["launch"])

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        said = self._verdict(task_vars or {}, bool(self._task.args.get("launch", False)))
        if said:
            result.update(failed=True, msg="\n".join(["The inventory needs a correction; nothing was changed.", *said]))
        return result | {"changed": False}

    def _verdict(self, task_vars: dict[str, Any], launch: bool) -> list[str]:
        controller = Controller(self._loader, self._templar)
        hosts = self._hosts(task_vars, launch)
        if not hosts:
            preview = task_vars["hostvars"].raw_get("localhost").get("launch_made_no_host", False)
            return [] if preview else [nobody(task_vars["groups"])]
        judged = {name: controller.host(name, raw, without_stack=launch) for name, raw in hosts.items()}
        said = verdict({name: list(complaints(host, HOST_ROLES, controller.read)) for name, host in judged.items()})
        if launch:
            stack = controller.host("localhost", task_vars["hostvars"].raw_get("localhost"))
            said += [one for one in complaints(stack, ("aws",), controller.read) if one not in said]
        return said

    def _hosts(self, task_vars: dict[str, Any], launch: bool) -> dict[str, dict[str, Any]]:
        """The variables, as they stand in the inventory, of each host of the group that this run is for."""
        hostvars, members = task_vars["hostvars"], task_vars["groups"].get(GROUP, [])
        if launch and not members:
            return {"the host to come": self._of_a_host_to_come(hostvars)}
        meant = members if launch else task_vars["ansible_play_hosts_all"]
        return {name: dict(hostvars.raw_get(name)) for name in members if name in meant}

    def _of_a_host_to_come(self, hostvars: Any) -> dict[str, Any]:
        """What the group's variables will be for a member that it doesn't have yet."""
        host = InventoryHost("host-to-come")
        host.add_group(Group(GROUP))
        for name, value in OF_A_HOST_TO_COME.items():
            host.set_variable(name, value)
        raw: dict[str, Any] = hostvars._variable_manager.get_vars(host=host, include_hostvars=False)
        return raw


def nobody(groups: dict[str, list[str]]) -> str:
    """Why this run is for no host: the group is misspelt or empty, or `--limit` leaves it out."""
    if groups.get(GROUP):
        return f"{GROUP}: --limit leaves no host of this group. Name one of {', '.join(groups[GROUP])}."
    nothing = f"{GROUP}: no host of the inventory is in this group, so there is nothing to set up."
    others = sorted(set(groups) - {"all", "ungrouped", GROUP})
    if "aws_ec2" in others:
        return f"{nothing} Make one: playbooks/launch.yml."
    if is_like(GROUP, others):
        return f"{nothing} There is {', '.join(others)}, did you mean {GROUP}?"
    return f"{nothing} Put yours there{', not into ' + ', '.join(others) if others else ''}."
