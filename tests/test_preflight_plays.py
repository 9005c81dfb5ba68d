"""The preflight as people meet it: ansible-playbook, inventories in files, one message, and no host reached."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.inventories import FINE, GOOD, PROJECT, WRONG, fits

pytestmark = pytest.mark.slow
NOBODY = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=1"}
HEADLINE = "The inventory needs a correction; nothing was changed."
# What inventory/aws asks for, filled in wrongly and rightly.
STACK: dict[str, Any] = {
    "aws_bucket": "my-stack-of-posts",
    "aws_region": "eu-central-1",
    "aws_admin_cidrs": ["198.51.100.7/32"],
    "twitter_etl_destination": "s3://{{ aws_bucket }}",
    "twitter_etl_aws_region": "{{ aws_region }}",
    "host_admin_ranges": "{{ aws_admin_cidrs }}",
}


class Played:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        assert "Traceback" not in self.text, self.text

    @property
    def complaints(self) -> list[str]:
        """The lines of the message, which is told whole by the one task that failed."""
        found = re.search(rf"^    msg: \|-\n +{HEADLINE}\n((?:        .*\n)+)", self.text, re.MULTILINE)
        assert found, self.text
        return [line.strip() for line in found[1].splitlines()]

    @property
    def reached(self) -> bool:
        return "UNREACHABLE!" in self.text


def play(folder: Path, inventory: dict[str, Any], *arguments: str) -> Played:
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    environment = os.environ | {
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", str(folder / "hosts.yml"), *arguments]
    return Played(subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True))


def group(cases: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """An inventory in which each case is a host."""
    hosts = {name.replace(" ", "-").replace(",", ""): NOBODY | GOOD | case for name, case in cases.items()}
    return {"airflow": {"hosts": hosts}}


def test_every_wrong_inventory_is_stopped_in_one_message(tmp_path: Path) -> None:
    """Each case as a host of one inventory; a complaint that isn't about all of them names those it is about."""
    played = play(tmp_path, group({name: variables for name, (variables, _) in WRONG.items()}), "site.yml")
    assert (played.code, played.reached) == (2, False), played.text
    said: dict[str, list[str]] = {}
    for line in played.complaints:
        complaint, _, hosts = line.removesuffix(")").rpartition(" (")
        for host in hosts.split(", "):
            said.setdefault(host, []).append(complaint)
    for name, (_, expected) in WRONG.items():
        complaints = said.pop(name.replace(" ", "-").replace(",", ""))
        assert fits(complaints, expected), (name, complaints)
    assert not said


def test_what_is_fine_passes_and_tries_to_reach_the_host(tmp_path: Path) -> None:
    played = play(tmp_path, group(FINE), "site.yml")
    assert "FAILED!" not in played.text
    assert played.text.count("UNREACHABLE!") == len(FINE)


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/deploy.yml", "playbooks/run.yml", "playbooks/verify.yml"])
def test_every_playbook_of_the_host_begins_with_it(tmp_path: Path, playbook: str) -> None:
    played = play(tmp_path, group({"one": {"airflow_profile": "tiny"}}), playbook, "--check", "--tags", "twitter_etl")
    assert (played.code, played.reached) == (2, False)
    assert played.complaints == ['airflow_profile: "tiny" is none of auto, small, standard.']


@pytest.mark.parametrize("inventory", ["inventory/local", "molecule/inventory", "benchmarks/inventory"])
def test_the_inventories_of_the_project_pass(tmp_path: Path, inventory: str) -> None:
    played = play(tmp_path, {}, "-i", inventory, "playbooks/preflight.yml")
    assert played.code == 0, played.text


def test_the_inventory_of_production_says_what_is_to_be_filled_in(tmp_path: Path) -> None:
    played = play(tmp_path, {}, "-i", "inventory/production", "site.yml")
    expected = [
        ("twitter_etl_account, twitter_etl_query: ", "Set one"),
        ("twitter_etl_destination: is empty", "Give s3://"),
        ("Credentials of X: there are none", "Put vault_x_bearer_token"),
    ]
    assert fits(played.complaints, expected), played.text


GROUPS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "misspelt": ({"airfow": {"hosts": {"one": NOBODY | GOOD}}}, [], "There is airfow, did you mean airflow?"),
    "empty": ({"airflow": {}}, [], "no host of the inventory is in this group"),
    "nobody at all": ({"all": {}}, [], "no host of the inventory is in this group"),
    "left out": (
        {"airflow": {"hosts": {"one": NOBODY | GOOD}}, "other": {"hosts": {"two": {}}}},
        ["--limit", "two"],
        "--limit leaves no host of this group. Name one of one.",
    ),
}


@pytest.mark.parametrize("case", GROUPS)
def test_a_group_without_a_host_is_no_success(tmp_path: Path, case: str) -> None:
    inventory, arguments, advice = GROUPS[case]
    played = play(tmp_path, inventory, "site.yml", *arguments)
    (complaint,) = played.complaints
    assert (played.code, played.reached) == (2, False)
    assert complaint.startswith("airflow: ") and advice in complaint


def test_a_limit_judges_the_hosts_it_leaves(tmp_path: Path) -> None:
    inventory = group({"good": {}, "bad": {"airflow_profile": "tiny"}})
    assert play(tmp_path, inventory, "playbooks/preflight.yml", "--limit", "good").code == 0
    assert play(tmp_path, inventory, "playbooks/preflight.yml", "--limit", "bad").code == 2


def test_launch_judges_the_stack_and_the_host_to_come(tmp_path: Path) -> None:
    """Before AWS is asked: nothing listens where it is. What is made of a wrong value is not complained about."""
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAA me\n")
    wrong = {"aws_bucket": "", "aws_regoin": "x", "aws_ssh_public_key_file": str(key), "aws_admin_cidrs": ["0.0.0.0/0"]}
    inventory = {"all": {"vars": GOOD | STACK | wrong | {"twitter_etl_account": "na sa", "airflow_profile": "tiny"}}}
    played = play(tmp_path, inventory, "playbooks/launch.yml")
    assert played.code == 2
    beginnings = [
        "airflow_profile: ",
        "aws_admin_cidrs: ",
        "aws_bucket: ",
        "aws_regoin: unknown",
        "twitter_etl_account: ",
    ]
    assert [line.startswith(begin) for line, begin in zip(sorted(played.complaints), beginnings, strict=True)] == [
        True
    ] * 5
    assert "did you mean aws_region?" in played.text


def test_the_inventory_wins_over_what_joins_the_roles(tmp_path: Path) -> None:
    """Also where it says so for all hosts: playbooks/group_vars/all would come after that, by Ansible's own order."""
    folder = tmp_path / "inventory" / "group_vars"
    folder.mkdir(parents=True)
    (folder / "all.yml").write_text("https_upstream: 127.0.0.1:9\n")
    (folder.parent / "hosts.yml").write_text(
        yaml.safe_dump({"airflow": {"hosts": {"one": {"airflow_api_port": 8081}}}})
    )
    show = {"debug": {"msg": "{{ https_upstream }} {{ host_open_ports }}"}}
    (tmp_path / "show.yml").write_text(yaml.safe_dump([{"hosts": "airflow", "gather_facts": False, "tasks": [show]}]))
    (tmp_path / "group_vars").symlink_to(PROJECT / "playbooks" / "group_vars")
    played = play(tmp_path, {}, "-i", str(folder.parent), str(tmp_path / "show.yml"))
    assert played.code == 0, played.text
    assert "127.0.0.1:9 []" in played.text
