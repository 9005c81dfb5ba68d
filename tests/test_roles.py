"""The contract of the roles: documented variables, tags, and an inventory that is judged before a host is touched."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from tweetlake.settings import read_env_file

from tests.helpers.play import play

PROJECT = Path(__file__).resolve().parent.parent
ROLES = sorted(path for path in (PROJECT / "roles").iterdir() if path.is_dir())
GOOD = {
    "twitter_etl_account": "nasa",
    "twitter_etl_destination": "s3://my-bucket/some/prefix",
    "twitter_etl_bearer_token": "AAAA%2Fbbb",
}
OAUTH1 = {
    "twitter_etl_consumer_key": "a",
    "twitter_etl_consumer_secret": "b",
    "twitter_etl_access_token": "c",
    "twitter_etl_access_token_secret": "d",
}


OAUTH2 = {"twitter_etl_oauth2_client_id": "id", "twitter_etl_oauth2_refresh_token": "first"}


SOURCE = "twitter_etl_account, twitter_etl_query"
CREDENTIALS = "Credentials of X"
# Inventories, and what the preflight has to say about each: the beginning of a complaint, and a part of its advice.
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "bearer": (GOOD, []),
    "oauth1": (GOOD | OAUTH1 | {"twitter_etl_bearer_token": ""}, []),
    "oauth2": (GOOD | OAUTH2 | {"twitter_etl_bearer_token": "", "twitter_etl_app_owner": "nasa"}, []),
    "amounts": (GOOD | {"twitter_etl_max_cost_usd": 2, "twitter_etl_monthly_budget_usd": "0.50"}, []),
    "query": (GOOD | {"twitter_etl_account": None, "twitter_etl_query": "moon", "twitter_etl_name": "moon"}, []),
    "leap-day": (GOOD | {"twitter_etl_start_date": "2024-02-29"}, []),
    "yaml-date": (GOOD | {"twitter_etl_start_date": date(2024, 3, 1)}, []),
    "words": (GOOD | {"twitter_etl_catchup": "true", "twitter_etl_retries": "3"}, []),
    "region": (GOOD | {"twitter_etl_aws_region": "us-gov-west-1"}, []),
    "empty": (
        {},
        [(SOURCE, "Set one"), ("twitter_etl_destination", "Give s3://"), (CREDENTIALS, "Put vault_x_bearer_token")],
    ),
    "everything-is-wrong": (
        {
            "twitter_etl_account": "@na sa",
            "twitter_etl_query": "moon\nmars",
            "twitter_etl_name": "a/b",
            "twitter_etl_destination": "s3://My_Bucket/a//b",
            "twitter_etl_aws_region": "Frankfurt",
            "twitter_etl_aws_endpoint_url": "minio:9000",
            "twitter_etl_api_base_url": "api.x.com",
            "twitter_etl_bearer_token": "change-me",
            "twitter_etl_consumer_key": "se\ncret",
            "twitter_etl_max_cost_usd": "two",
            "twitter_etl_monthly_budget_usd": -1,
            "twitter_etl_app_owner": "@me",
            "twitter_etl_environment": {"A-B": "x", "GOOD": "a\nb"},
            "twitter_etl_catchup": "perhaps",
            "twitter_etl_start_date": "2026-02-30",
            "twitter_etl_schedule": "@hourly",
            "twitter_etl_retries": "many",
            "twitter_etl_timeout_seconds": 5,
        },
        [
            (SOURCE, "Empty one of them"),
            ("twitter_etl_account", "without the @"),
            ("twitter_etl_query", "on one line"),
            ("twitter_etl_name", "Give up to 64 letters"),
            ("twitter_etl_catchup", "true or false"),
            ("twitter_etl_destination", "Give 3 to 63 of a-z"),
            ("twitter_etl_destination", "with one / between"),
            ("twitter_etl_aws_region", "Give one like"),
            ("twitter_etl_aws_endpoint_url", "Give https://HOST"),
            ("twitter_etl_api_base_url", "https://api.x.com"),
            (CREDENTIALS, "Keep one way to sign in"),
            ("twitter_etl_bearer_token", "Put the real value into the vault"),
            ("twitter_etl_consumer_key", "Copy it again"),
            ("twitter_etl_app_owner", "without the @"),
            ("twitter_etl_max_cost_usd, twitter_etl_monthly_budget_usd", "like 2 or 0.50"),
            ("twitter_etl_environment", "A-B can't be the name"),
            ("twitter_etl_environment", "the value of GOOD"),
            ("twitter_etl_start_date", "as YYYY-MM-DD"),
            ("twitter_etl_schedule", 'such as "30 1 * * *"'),
            ("twitter_etl_retries", "from 0 to 20"),
            ("twitter_etl_timeout_seconds", "from 60 to 86400"),
        ],
    ),
    "future": (GOOD | {"twitter_etl_start_date": "2999-01-01"}, [("twitter_etl_start_date", "Give today (")]),
    "no-leap-day": (GOOD | {"twitter_etl_start_date": "2023-02-29"}, [("twitter_etl_start_date", "is no date")]),
    "long-account": (GOOD | {"twitter_etl_account": "a" * 16}, [("twitter_etl_account", "Give 1 to 15 letters")]),
    "long-query": (
        GOOD | {"twitter_etl_account": "", "twitter_etl_query": "m" * 489},
        [("twitter_etl_query", "Shorten it to 488")],
    ),
    "folder": (GOOD | {"twitter_etl_destination": "/var/lake"}, [("twitter_etl_destination", "Give s3://BUCKET")]),
    "ip": (GOOD | {"twitter_etl_destination": "s3://192.168.0.1"}, [("twitter_etl_destination", "no IP address")]),
    "dots": (GOOD | {"twitter_etl_destination": "s3://a..b"}, [("twitter_etl_destination", "no two dots")]),
    "reserved": (GOOD | {"twitter_etl_destination": "s3://a--x-s3"}, [("twitter_etl_destination", "keeps for itself")]),
    "upwards": (GOOD | {"twitter_etl_destination": "s3://mine/../a"}, [("twitter_etl_destination", "be a prefix")]),
    "one-of-four": (
        GOOD | {"twitter_etl_bearer_token": "", "twitter_etl_consumer_key": "k"},
        [(CREDENTIALS, "OAuth 1.0a needs four values; twitter_etl_consumer_secret, twitter_etl_access_token,")],
    ),
    "two-ways": (
        GOOD | OAUTH1 | OAUTH2 | {"twitter_etl_bearer_token": ""},
        [(CREDENTIALS, "empty the others")],
    ),
    "half-oauth2": (
        GOOD | {"twitter_etl_bearer_token": "", "twitter_etl_oauth2_client_id": "id"},
        [(CREDENTIALS, "OAuth 2.0 needs twitter_etl_oauth2_client_id and twitter_etl_oauth2_refresh_token")],
    ),
    "archive-oauth2": (
        GOOD | OAUTH2 | {"twitter_etl_bearer_token": "", "twitter_etl_archive": True},
        [("twitter_etl_archive", "set it to false")],
    ),
    "archive": (
        GOOD | OAUTH1 | {"twitter_etl_bearer_token": "", "twitter_etl_archive": True},
        [("twitter_etl_archive", "set it to false")],
    ),
    "keys-beside-a-role": (
        GOOD | {"twitter_etl_keyless": True, "twitter_etl_environment": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}},
        [("twitter_etl_environment", "Take them out")],
    ),
    "keys-without-a-role": (GOOD | {"twitter_etl_environment": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}}, []),
    "no-mapping": (GOOD | {"twitter_etl_environment": "A=b"}, [("twitter_etl_environment", "NAME: value")]),
}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def preflight(folder: Path, *options: str) -> dict[str, list[str]]:
    """What the preflight complains about in each inventory of CASES; an empty list when it has nothing to say."""
    task = {"ansible.builtin.import_role": {"name": "twitter_etl", "tasks_from": "preflight"}}
    report = play(folder, [task], {name: variables for name, (variables, _) in CASES.items()}, *options)
    assert {stats["changed"] for stats in report["stats"].values()} == {0}
    last = report["plays"][0]["tasks"][-1]["hosts"]
    answers = {name: last[name]["msg"] if last[name].get("failed") else [] for name in CASES}
    for headline in (answer[0] for answer in answers.values() if answer):
        assert headline == "The inventory needs a correction; nothing was changed."
    return {name: answer[1:] for name, answer in answers.items()}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return preflight(tmp_path_factory.mktemp("run"))


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


def test_the_dag_is_copied_not_templated() -> None:
    (copied,) = [
        task["ansible.builtin.copy"]
        for task in load(PROJECT / "roles/twitter_etl/tasks/configure.yml")
        if "dags/" in task.get("ansible.builtin.copy", {}).get("src", "")
    ]
    assert (PROJECT / copied["src"].partition("}}/")[2]).exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_preflight_names_every_bad_value_and_the_fix(complaints: dict[str, list[str]], case: str) -> None:
    """Each complaint, in order, begins with the names of the values and holds what to do."""
    expected = CASES[case][1]
    assert len(complaints[case]) == len(expected), complaints[case]
    for complaint, (names, fix) in zip(complaints[case], expected, strict=True):
        assert complaint.startswith(f"{names}: ")
        assert fix in complaint


@pytest.mark.slow
def test_preflight_says_the_same_in_check_mode(complaints: dict[str, list[str]], tmp_path: Path) -> None:
    assert preflight(tmp_path, "--check") == complaints


def test_preflight_prints_no_secret(complaints: dict[str, list[str]]) -> None:
    assert "cret" not in "".join(complaints["everything-is-wrong"]).replace("consumer_secret", "")


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
