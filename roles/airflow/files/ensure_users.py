"""Make Airflow's users what the inventory says: created, with this role, this address and this password.

Reads from standard input a JSON list of {username, role, email, password}; the last line it prints is a JSON object
{"changed": [usernames]}. Users the inventory does not name are left alone. Needs Airflow with the FAB auth manager.
"""

import json
import sys
from typing import Any

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from werkzeug.security import check_password_hash


def ensure(manager: Any, wanted: dict[str, str]) -> bool:
    """Return whether anything had to change; raises SystemExit with a sentence when Airflow refuses."""
    role = manager.find_role(wanted["role"])
    user = manager.find_user(username=wanted["username"])
    if user is None:
        added = manager.add_user(
            wanted["username"], wanted["username"], "", wanted["email"], role, password=wanted["password"]
        )
        if not added:
            sys.exit(f"Airflow refused the user {wanted['username']}: is the address {wanted['email']} taken?")
        return True
    changed = False
    if not check_password_hash(user.password, wanted["password"]):
        manager.reset_password(user.id, wanted["password"])
        changed = True
    if [r.name for r in user.roles] != [wanted["role"]] or user.email != wanted["email"] or not user.active:
        user.roles, user.email, user.active = [role], wanted["email"], True
        manager.update_user(user)
        changed = True
    return changed


if __name__ == "__main__":
    with get_application_builder() as builder:
        changed = [user["username"] for user in json.load(sys.stdin) if ensure(builder.sm, user)]
    print(json.dumps({"changed": changed}))
