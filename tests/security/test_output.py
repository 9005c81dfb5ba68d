"""What Ansible prints at its most talkative, and what a user with the role Viewer may do."""

import base64

import pytest

from tests.security.conftest import LIST_SECRETS, Count, Host, Talk


def test_ansible_prints_no_secret_and_a_guest_may_only_look(
    host: Host, admin: str, talk: Talk | None, count: Count
) -> None:
    if not talk:
        pytest.skip("once is enough: on the first host of the inventory")
    process, file, word = talk
    status = process.wait(timeout=280)
    output = file.read_text()
    assert status == 0, output[-3000:]
    assert output.count("\n") > 500  # it was talkative
    found = [word, *host.root(LIST_SECRETS).split()]
    assert len(found) >= 5
    for secret in found:
        for form in (secret, base64.b64encode(secret.encode()).decode(), secret.replace("+", "%2B")):
            assert form not in output, f"a secret of {len(secret)} characters is in Ansible's output"
    lines = output.count("\n")
    count("Ansible's output with -vvv", f"{lines:,} lines, with none of {len(found)} secrets searched for")

    host.users["guest"] = word
    token = host.token("guest")
    assert host.ask("GET", "/api/v2/dags", token).status_code == 200
    dag = "/api/v2/dags/twitter_etl_daily"
    refused = {
        "start a run": ("POST", f"{dag}/dagRuns", {"logical_date": None, "conf": {}}),
        "pause the DAG": ("PATCH", dag, {"is_paused": True}),
        "delete the DAG": ("DELETE", dag, None),
        "clear tasks": ("POST", f"{dag}/clearTaskInstances", {"dry_run": False}),
        "read connections": ("GET", "/api/v2/connections", None),
        "make a connection": ("POST", "/api/v2/connections", {"connection_id": "x", "conn_type": "http"}),
        "read variables": ("GET", "/api/v2/variables", None),
        "make a variable": ("POST", "/api/v2/variables", {"key": "x", "value": "y"}),
        "make a pool": ("POST", "/api/v2/pools", {"name": "x", "slots": 1}),
        "read the configuration": ("GET", "/api/v2/config", None),
        "read the users": ("GET", "/auth/fab/v1/users", None),
        "make an admin": ("POST", "/auth/fab/v1/users", {"username": "x", "password": "y", "roles": [{"name": "Admin"}],
                          "email": "x@localhost", "first_name": "x", "last_name": "x"}),
    }  # fmt: skip
    answers = {
        what: host.ask(method, path, token, json=body).status_code for what, (method, path, body) in refused.items()
    }
    assert set(answers.values()) == {403}, answers
    count("tries of a viewer refused", len(answers), attacks=len(answers))
    host.ask("DELETE", "/auth/fab/v1/users/guest", admin)
