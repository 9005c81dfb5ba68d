"""What the preflight says of inventories, judged in this process; through Ansible: test_preflight_plays.py."""

from dataclasses import replace
from typing import Any

import pytest

from playbooks.preflight import specs
from playbooks.preflight.judge import ROLES, complaints, entry_points, verdict
from tests.helpers.inventories import FINE, GOOD, WRONG, Said, controller, fits, host, judge


@pytest.mark.parametrize("case", FINE)
def test_what_is_fine_passes(case: str) -> None:
    assert judge(GOOD | FINE[case]) == []


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_fix(case: str) -> None:
    variables, expected = WRONG[case]
    said = judge(GOOD | variables)
    assert fits(said, expected), said


SECRET = "s3cr3t-" + "value"
SECRETS: dict[str, tuple[dict[str, Any], Said]] = {
    "in a list": ({"airflow_admin_password": [SECRET]}, [("airflow_admin_password: is a list", "Give one")]),
    "with a space": ({"vault_x_bearer_token": SECRET + " x"}, [("twitter_etl_bearer_token: has a space", "Copy")]),
    "of an environment": ({"twitter_etl_environment": f"KEY={SECRET}"}, [("twitter_etl_environment: ", "NAME: value")]),
    "of a user": (
        {"airflow_users": [{"username": "a", "role": "Admin", "email": "a@b", "password": [SECRET]}]},
        [("airflow_users, entry 1, password: is a list", "Give one")],
    ),
    "users in one line": ({"airflow_users": f"admin:{SECRET}"}, [("airflow_users: ", "not a list")]),
    "of SSH": ({"ansible_password": SECRET}, [("host_ssh_keys_only: ", "ssh-copy-id")]),
}


@pytest.mark.parametrize("case", SECRETS)
def test_no_secret_is_in_a_complaint(case: str) -> None:
    variables, expected = SECRETS[case]
    said = judge(GOOD | variables)
    assert fits(said, expected), said
    assert SECRET not in "".join(said)


KINDS: list[Any] = [None, True, -1, 2.5, "", "x y", "\n", [], [[]], [None], ["x y"], {}, {"a": None}, {"a": [1]}]


@pytest.mark.parametrize("role", ROLES)
def test_no_kind_of_value_ends_in_a_traceback(role: str) -> None:
    """Each variable as each kind of thing: it passes, or is complained about in whole sentences."""
    good = host(GOOD)
    for name in entry_points(role)["main"]:
        for value in KINDS:
            wrong = replace(good, given=good.given | {name}, values={**good.values, name: value})
            said = list(complaints(wrong, ROLES, controller().read))
            assert all(one.endswith(".") for one in said), said


def test_complaints_of_all_hosts_are_told_once() -> None:
    assert verdict({"a": ["x.", "x.", "y."], "b": ["x."]}) == ["x.", "y. (a)"]


def test_ansibles_validator_judges_what_is_left() -> None:
    """Such as a kind of value that no role uses today."""
    assert list(specs.complaints("a", {"type": "bytes"}, "many")) == ['a: "many" is not of type bytes.']
