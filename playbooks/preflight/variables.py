"""What is known of a host before it is reached: its inventory's variables and the roles' defaults, computed."""

from __future__ import annotations

import datetime
import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from .judge import PROJECT, ROLES, Host, known_names
from .names import vault_names_in

JOINS = PROJECT / "playbooks" / "group_vars" / "all.yml"
PASSWORDS = {"ansible_password", "ansible_ssh_pass"}


@dataclass(frozen=True)
class Controller:
    """This machine, through Ansible: what reads its files and what computes templates."""

    loader: DataLoader
    templar: Templar

    def read(self, role: str, path: str) -> bytes:
        """A file, found where the role's own tasks would find it; decrypted, if it is of the vault. Raises OSError."""
        places = [str(PROJECT / "roles" / role), str(PROJECT / "playbooks")]
        try:
            found = self.loader.path_dwim_relative_stack(places, "files", path)
            return Path(self.loader.get_real_file(found)).read_bytes()
        except AnsibleFileNotFound:
            raise FileNotFoundError(errno.ENOENT, "there is no such file", path) from None
        except AnsibleError as error:
            raise OSError(errno.EACCES, f"the vault doesn't open it ({error})", path) from None

    def host(self, name: str, raw: Mapping[str, Any], without_stack: bool = False) -> Host:
        """Compute what can be computed of the variables `raw`, as they stand in the inventory.

        What needs facts is left out: the host is not reached yet. `without_stack` leaves out what is made of the
        stack's own variables (`aws_`), which are judged as such.
        """
        joins = self._load(JOINS)
        given = {one for one in raw if not (one in joins and raw[one] == joins[one])}
        pool = self._of_the_roles()
        vaulted = vault_names_in(pool) | vault_names_in({one: raw[one] for one in given})
        mapped = {one for one in pool if vault_names_in(pool[one])} - raw.keys()
        pool |= raw
        wanted = (known_names() | PASSWORDS | vaulted) & pool.keys() - (joins.keys() - given)
        if without_stack:
            wanted -= {one for one in wanted if not one.startswith("aws_") and re.search(r"\baws_\w", str(pool[one]))}
        values, unreadable = {}, {}
        templar = self.templar.copy_with_new_env(available_variables=pool)
        for one in sorted(wanted):
            try:
                values[one] = plain(templar.template(pool[one]))
            except AnsibleError as error:
                if one in given and not needs_facts(pool[one], pool):
                    unreadable[one] = " ".join(str(error).split())
        for one in [one for one in values if vault_names_in(pool[one]) & unreadable.keys()]:
            del values[one]  # a default made of it would say that it is empty
        return Host(name, frozenset(given | mapped), values, unreadable, frozenset(vaulted))

    def _of_the_roles(self) -> dict[str, Any]:
        """Defaults of all roles and what they compute from them."""
        found: dict[str, Any] = {}
        for part in ("defaults", "vars"):
            for role in ROLES:
                path = PROJECT / "roles" / role / part / "main.yml"
                found |= self._load(path) if path.exists() else {}
        return found

    def _load(self, path: Path) -> dict[str, Any]:
        # "unsafe" is a copy that isn't made: nothing here changes what it has read.
        loaded: dict[str, Any] = self.loader.load_from_file(str(path), unsafe=True, trusted_as_template=True)
        return loaded


def plain(value: Any) -> Any:
    """A value without what Ansible notes about where it comes from."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | datetime.date) else str(value)


def needs_facts(value: Any, pool: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> bool:
    """Is it made of what only the host can tell, at however many removes?"""
    text = str(value)
    if "ansible_facts" in text:
        return True
    used = set(re.findall(r"\b[a-z_]\w+", text)) & pool.keys() - seen if "{{" in text else set()
    return any(needs_facts(pool[name], pool, seen | used) for name in used)
