"""The contract of the roles: documented variables, tags, and what they make of the host and of secrets."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tweetlake.credentials import read_env_file
from tweetlake.extract.prices import PRICE_USD, PRICES_SEEN_ON

from tests.helpers.play import play

PROJECT = Path(__file__).resolve().parent.parent
ROLES = sorted(path for path in (PROJECT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_defaults_and_argument_specs_tell_the_same(role: Path) -> None:
    defaults = load(role / "defaults/main.yml")
    options = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(defaults) == set(options)
    for name, option in options.items():
        assert option["description"], name
        if "default" in option:
            assert option["default"] == defaults[name], name


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_variables_bear_the_name_of_their_role_and_a_comment(role: Path) -> None:
    lines = (role / "defaults/main.yml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line[:1].isalpha():
            assert line.startswith(f"{role.name}_"), line
            assert lines[number - 1].startswith("# "), f"{line} has no comment"
    internal = role / "vars/main.yml"
    for name in load(internal) if internal.exists() else ():
        assert name.startswith(f"__{role.name}_"), name


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_has_a_readme_and_a_scenario(role: Path) -> None:
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")
    assert (PROJECT / "molecule" / role.name / "molecule.yml").exists()


def test_every_role_of_the_site_is_tagged_with_its_name() -> None:
    roles = [role for play in load(PROJECT / "playbooks/site.yml") for role in play.get("roles", [])]
    assert roles
    assert [role["role"] for role in roles] == [role["tags"] for role in roles]


def test_a_post_costs_the_same_in_the_costs_of_aws_and_in_the_script() -> None:
    prices = load(PROJECT / "roles/aws/vars/prices.yml")
    assert (prices["__aws_usd_per_post"], prices["__aws_x_prices_seen_on"]) == (PRICE_USD["post"], PRICES_SEEN_ON)


def test_ec2_takes_the_description_of_the_security_group() -> None:
    """No apostrophe: EC2 refuses it, moto doesn't (API reference, CreateSecurityGroup, GroupDescription)."""
    tasks = load(PROJECT / "roles/aws/tasks/network.yml")
    (group,) = (task["amazon.aws.ec2_security_group"] for task in tasks if "amazon.aws.ec2_security_group" in task)
    text = group["description"].replace("{{ aws_stack }}", "s" * 32)
    assert re.fullmatch(r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}", text), text


def test_the_dag_is_copied_not_templated() -> None:
    (copied,) = [
        task["ansible.builtin.copy"]
        for task in load(PROJECT / "roles/twitter_etl/tasks/configure.yml")
        if "dags/" in task.get("ansible.builtin.copy", {}).get("src", "")
    ]
    assert (PROJECT / copied["src"].partition("}}/")[2]).exists()


def test_the_memory_of_the_host_picks_profile_and_swap(tmp_path: Path) -> None:
    """MiB as EC2 hosts of 1, 2 and 4 GiB report them; a container's memory is its machine's, and so is its swap."""
    hosts = {
        "t3-micro": {"memory": 916, "kind": "kvm", "answer": ["small", 2, False, 1024]},
        "t3-small": {"memory": 1910, "kind": "kvm", "answer": ["small", 2, False, 1024]},
        "t3-medium": {"memory": 3836, "kind": "kvm", "answer": ["standard", 8, True, 0]},
        "container": {"memory": 916, "kind": "podman", "answer": ["small", 2, False, 0]},
        "chosen": {"memory": 3836, "kind": "kvm", "airflow_profile": "small", "answer": ["small", 2, False, 0]},
    }
    variables: dict[str, Any] = {}
    for role in ("airflow", "host"):
        for part in ("vars", "defaults"):
            variables |= load(PROJECT / "roles" / role / part / "main.yml")
    tasks = [
        {"set_fact": {"cacheable": True, "memtotal_mb": "{{ memory }}", "virtualization_type": "{{ kind }}"}},
        {
            "assert": {
                "that": [
                    "(__airflow_profiles | dict2items | selectattr('value', '==', __airflow_profile) | first).key"
                    " == answer[0]",
                    "airflow_parallelism == answer[1]",
                    "airflow_triggerer_enabled == answer[2]",
                    "host_swap_mib == answer[3]",
                ]
            }
        },
    ]
    report = play(tmp_path, tasks, {name: variables | values for name, values in hosts.items()})
    wrong = {
        name: report["plays"][0]["tasks"][-1]["hosts"][name] for name in hosts if report["stats"][name]["failures"]
    }
    assert not wrong


def test_any_secret_survives_the_env_file(tmp_path: Path) -> None:
    hostile = {
        "X_BEARER_TOKEN": "a#b$c'd\"e\\f`g=h",
        "QUOTED": '"quoted"',
        "SINGLE": "'",
        "SPACES": "  two words ",
        "NOT_A_COMMENT": "# no",
        "UNICODE": "ünï🚀",
        "NUMBER": 7,
    }
    role = PROJECT / "roles/twitter_etl"
    template = {"src": str(role / "templates/twitter.env.j2"), "dest": str(tmp_path / "env"), "mode": "0600"}
    variables = load(role / "defaults/main.yml") | {"twitter_etl_environment": hostile}
    report = play(tmp_path, [{"ansible.builtin.template": template}], {"here": variables})
    assert report["stats"]["here"]["failures"] == 0, report
    read = read_env_file(tmp_path / "env")
    assert {name: read[name] for name in hostile} == {name: str(value) for name, value in hostile.items()}
    assert read["TWITTER_ETL_STATE_DIR"] == "/var/lib/airflow/twitter-etl"
    assert not [name for name, value in read.items() if not value]


@pytest.mark.slow
def test_airflow_warns_where_it_faces_the_network(tmp_path: Path) -> None:
    """The one switch that opens port 8080: airflow_api_host."""
    warning = load(PROJECT / "roles/airflow/tasks/service.yml")[-1]
    addresses = {"loopback": "127.0.0.1", "loopback-6": "::1", "network": "0.0.0.0"}  # noqa: S104 - to be warned of
    hosts = {name: {"airflow_api_host": address, "airflow_api_port": 8080} for name, address in addresses.items()}
    said = play(tmp_path, [warning], hosts)["plays"][0]["tasks"][-1]["hosts"]
    assert {name for name, answer in said.items() if "msg" in answer} == {"network"}
    assert said["network"]["msg"].startswith("WARNING: airflow_api_host is 0.0.0.0")


def test_users_need_no_password_and_no_admin(tmp_path: Path) -> None:
    """Whoever may start a run signs in for the playbooks; where nobody may, the first."""
    guest = {"username": "guest", "role": "Viewer", "email": "guest@localhost"}
    op = {"username": "op", "role": "Op", "email": "op@localhost", "password": "chosen by somebody"}
    hosts = {
        "guest": {"airflow_users": [guest], "answer": ["guest", [""]]},
        "op": {"airflow_users": [guest, op], "answer": ["op", ["", "chosen by somebody"]]},
        "admin": {"answer": ["admin", [""]]},
    }
    role = PROJECT / "roles/airflow"
    variables = load(role / "vars/main.yml") | load(role / "defaults/main.yml")
    that = ["__airflow_operator.username == answer[0]", "__airflow_users | map(attribute='password') == answer[1]"]
    report = play(tmp_path, [{"assert": {"that": that}}], {name: variables | values for name, values in hosts.items()})
    assert not {name: stats for name, stats in report["stats"].items() if stats["failures"]}, report


def test_capitals_in_a_hosts_name_are_none_to_nginx(tmp_path: Path) -> None:
    role = PROJECT / "roles/https"
    variables = load(role / "vars/main.yml") | load(role / "defaults/main.yml")
    names = {"https_names": ["Airflow.Example.org", "2001:DB8::7"]}
    that = [
        "__https_server_names == ['airflow.example.org', '[2001:db8::7]']",
        "__https_alternative_names == ['DNS:airflow.example.org', 'IP:2001:db8::7']",
        "__https_canonical == 'airflow.example.org'",
        "https_url == 'https://airflow.example.org'",
    ]
    report = play(tmp_path, [{"assert": {"that": that}}], {"here": variables | names})
    assert not report["stats"]["here"]["failures"], report
