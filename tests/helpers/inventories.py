"""Inventories, and what the preflight has to say about each: the beginning of every complaint and a part of its advice.

`judge` computes and judges one in this process, as the playbooks do before they reach a host.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from playbooks.preflight.judge import HOST_ROLES, PROJECT, Host, complaints
from playbooks.preflight.variables import JOINS, Controller

__all__ = ["FINE", "GOOD", "PROJECT", "WRONG", "Said", "controller", "fits", "host", "judge"]
Said = list[tuple[str, str]]
GOOD = {
    "twitter_etl_account": "nasa",
    "twitter_etl_destination": "s3://my-bucket",
    "vault_x_bearer_token": "AAAAtoken",
    "host_admin_ranges": ["198.51.100.7"],
}


@functools.cache
def controller() -> Controller:
    loader = DataLoader()
    return Controller(loader, Templar(loader=loader, variables={}))


def host(variables: dict[str, Any]) -> Host:
    """What is known of a host with these variables in its inventory, at 192.0.2.10."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        yaml.safe_dump({"inventory_hostname": "here", "ansible_host": "192.0.2.10"} | variables, file)
        file.flush()
        given = controller().loader.load_from_file(file.name, cache="none", trusted_as_template=True)
    joins = controller().loader.load_from_file(str(JOINS), trusted_as_template=True)
    return controller().host("here", joins | given)


def judge(variables: dict[str, Any], roles: tuple[str, ...] = HOST_ROLES) -> list[str]:
    """The complaints about it."""
    return list(complaints(host(variables), roles, controller().read))


def fits(said: list[str], expected: Said) -> bool:
    """Is it that, no more and no less, in any order?"""
    left = list(said)
    for beginning, advice in expected:
        found = next((one for one in left if one.startswith(beginning) and advice in one), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def user(username: str, email: str = "x@y", **more: Any) -> dict[str, Any]:
    return {"username": username, "role": "Viewer", "email": email, **more}


FINE: dict[str, dict[str, Any]] = {
    "nothing but what must be": {},
    "capitals in a host's name": {"https_names": ["Airflow.Example.org"]},
    "capitals in both": {"https_names": ["Airflow.Example.org"], "https_url": "https://AIRFLOW.example.org:8443"},
    "an unquoted date": {"twitter_etl_start_date": yaml.safe_load("2026-01-01")},
    "a list of users without admin": {"airflow_users": [user("guest")]},
    "no token, and null for it": {
        "vault_x_bearer_token": None,
        "twitter_etl_oauth2_client_id": "id",
        "twitter_etl_oauth2_refresh_token": "first",
    },
    "the internet": {"host_admin_ranges": ["0.0.0.0/0", "::/0"]},
    "IPv6 alone": {"https_names": ["2001:db8::7"]},
    "a secret of one's own": {
        "airflow_users": [user("guest", password="{{ vault_airflow_guest_password }}")],
        "vault_airflow_guest_password": "guest's own word",
    },
    "numbers in quotes": {"airflow_api_port": "8081", "host_swap_mib": "512", "https_requests_per_second": "20"},
    "a number as a name": {"twitter_etl_account": 2024},
    "a name of one's own": {"my_ports": [443], "host_web_ports": "{{ my_ports }}"},
    "made of facts": {"host_swap_mib": "{{ ansible_facts.memtotal_mb // 2 }}"},
    "made of facts, at two removes": {"half": "{{ ansible_facts.memtotal_mb // 2 }}", "host_swap_mib": "{{ half }}"},
    "acme": {"https_certificate": "acme", "https_names": ["airflow.example.org"]},
    "time in quotes": {"host_upgrades_reboot_time": "04:30"},
    "a whole price": {"twitter_etl_max_cost_usd": 2, "twitter_etl_monthly_budget_usd": 0.5},
}

UNKNOWN = "unknown, did you mean "
WRONG: dict[str, tuple[dict[str, Any], Said]] = {
    # Names
    "typo of a source": (
        {"twitter_etl_account": None, "twitter_etl_acount": "nasa"},
        [
            ("twitter_etl_acount: ", UNKNOWN + "twitter_etl_account?"),
            ("twitter_etl_account, twitter_etl_query: ", "Set"),
        ],
    ),
    "typo of the firewall": (
        {"host_admin_range": ["198.51.100.7"]},
        [("host_admin_range: ", UNKNOWN + "host_admin_ranges?")],
    ),
    "typo of a limit": (
        {"twitter_etl_max_cost": "0.50"},
        [("twitter_etl_max_cost: ", UNKNOWN + "twitter_etl_max_cost_usd?")],
    ),
    "typo of a secret": (
        {"vault_x_bearer_tokn": "AAAA"},
        [("vault_x_bearer_tokn: ", UNKNOWN + "vault_x_bearer_token?")],
    ),
    "typo of a role": ({"htps_certificate": "acme"}, [("htps_certificate: ", UNKNOWN + "https_certificate?")]),
    "a name like no other": ({"aws_zebra": 1}, [("aws_zebra: unknown. ", "No role has")]),
    "a secret that nobody reads": (
        {"vault_backup_passphrase": "x"},
        [("vault_backup_passphrase: unknown", "No variable")],
    ),
    "a secret that is not there": (
        {"airflow_users": [user("guest", password="{{ vault_guest }}")]},
        [("airflow_users: can't be computed: ", "vault_guest")],
    ),
    # Types
    "account list": ({"twitter_etl_account": ["nasa", "esa"]}, [("twitter_etl_account: ", "is a list. Give one")]),
    "account that YAML takes for a no": ({"twitter_etl_account": False}, [("twitter_etl_account: ", "in quotes")]),
    "destination list": (
        {"twitter_etl_destination": ["s3://a", "s3://b"]},
        [("twitter_etl_destination: ", "is a list. Give one")],
    ),
    "region null": ({"twitter_etl_aws_region": None}, [("twitter_etl_aws_region: is null", "take the line out")]),
    "price null": ({"twitter_etl_max_cost_usd": None}, [("twitter_etl_max_cost_usd: is null", "take the line out")]),
    "budget list": ({"twitter_etl_monthly_budget_usd": [5]}, [("twitter_etl_monthly_budget_usd: [5]", "Give one")]),
    "certificate null": ({"https_certificate": None}, [("https_certificate: is null", "take the line out")]),
    "names string": ({"https_names": "a.example.org"}, [("https_names: ", '["a.example.org"]')]),
    "names with commas": ({"https_names": "a.org, b.org"}, [("https_names: ", '["a.org", "b.org"]')]),
    "names null": ({"https_names": None}, [("https_names: is null", "take the line out")]),
    "names of numbers": ({"https_names": [True]}, [("https_names, entry 1: ", "in quotes")]),
    "ranges string": ({"host_admin_ranges": "198.51.100.7"}, [("host_admin_ranges: ", '["198.51.100.7"]')]),
    "ranges null": ({"host_admin_ranges": None}, [("host_admin_ranges: is null", "take the line out")]),
    "web ranges string": ({"host_web_ranges": "198.51.100.7"}, [("host_web_ranges: ", "not a list")]),
    "ports of words": ({"host_web_ports": ["https"]}, [("host_web_ports, entry 1: ", "is no whole number")]),
    "port in words": (
        {"airflow_api_port": "eighty"},
        [("airflow_api_port: ", "is no whole number. Give one like 8080.")],
    ),
    "swap with a unit": ({"host_swap_mib": "1G"}, [("host_swap_mib: ", "is no whole number")]),
    "a yes for a number": ({"airflow_parallelism": True}, [("airflow_parallelism: ", "not a number")]),
    "switch in quotes": ({"host_firewall_enabled": "false"}, [("host_firewall_enabled: ", "without quotes")]),
    "archive maybe": ({"twitter_etl_archive": "maybe"}, [("twitter_etl_archive: ", "true or false")]),
    "retries in words": ({"twitter_etl_retries": "many"}, [("twitter_etl_retries: ", "is no whole number")]),
    "environment string": ({"twitter_etl_environment": "A=1"}, [("twitter_etl_environment: ", "NAME: value")]),
    "certificates string": ({"python_ca_certificates": "/a.pem"}, [("python_ca_certificates: ", '["/a.pem"]')]),
    "configuration list": ({"airflow_config": ["core"]}, [("airflow_config: ", "not a mapping")]),
    "configuration without sections": ({"airflow_config": {"core": 1}}, [("airflow_config: core ", "{option: value}")]),
    # Choices and ranges
    "profile": ({"airflow_profile": "tiny"}, [("airflow_profile: ", "none of auto, small, standard")]),
    "certificate": (
        {"https_certificate": "letsencrypt"},
        [("https_certificate: ", "none of internal, acme, provided")],
    ),
    "a port of nginx": ({"airflow_api_port": 443}, [("airflow_api_port: 443 is nginx's", "from 1024 to 65535")]),
    "a port of root": ({"airflow_api_port": 81}, [("airflow_api_port: 81: Airflow runs without root", "from 1024")]),
    "a port of PostgreSQL": ({"airflow_api_port": 5432}, [("airflow_api_port: 5432 is PostgreSQL's", "such as 8080")]),
    "a port of sshd": (
        {"airflow_api_port": 2222, "host_ssh_port": 2222},
        [("airflow_api_port: 2222 is host_ssh_port", "such as 8080")],
    ),
    "no parallelism": ({"airflow_parallelism": 0}, [("airflow_parallelism: 0", "from 1 to")]),
    "swappiness": ({"host_swappiness": 300}, [("host_swappiness: 300", "from 0 to 200")]),
    "no connections": ({"postgresql_max_connections": 3}, [("postgresql_max_connections: 3", "from 15")]),
    "no requests": ({"https_requests_per_second": 0}, [("https_requests_per_second: 0", "from 1")]),
    "ports out of range": ({"host_open_ports": [0]}, [("host_open_ports: 0 is no port", "from 1 to 65535")]),
    # Addresses and times
    "ranges that are none": (
        {"host_admin_ranges": ["198.51.100.777"]},
        [("host_admin_ranges: ", "such as 192.0.2.0/24")],
    ),
    "ranges with a host": ({"host_bans_never": ["192.0.2.7/24"]}, [("host_bans_never: ", "host bits set")]),
    "no ranges": ({"host_admin_ranges": []}, [("host_admin_ranges: is empty", "Give your address")]),
    "names that are addresses": (
        {"https_names": ["https://a.org"]},
        [("https_names: ", "the name in it alone: a.org")],
    ),
    "names with a space": ({"https_names": ["a b"]}, [("https_names: ", "is no name of a host")]),
    "no names": ({"https_names": []}, [("https_names: is empty", "airflow.example.org")]),
    "index": ({"python_index_url": "pypi.example.org"}, [("python_index_url: ", "https://pypi.example.org/simple")]),
    "time that YAML takes for a number": (
        {"host_upgrades_reboot_time": 270},
        [("host_upgrades_reboot_time: ", '"04:30"')],
    ),
    "time that is none": ({"host_upgrades_reboot_time": "25:00"}, [("host_upgrades_reboot_time: ", '"HH:MM"')]),
    "port 80 shut for acme": (
        {"https_certificate": "acme", "host_open_ports": []},
        [("host_open_ports: port 80", "add 80")],
    ),
    "keys only, by password": ({"ansible_password": "x"}, [("host_ssh_keys_only: ", "ssh-copy-id")]),
    # Files
    "certificates missing": (
        {"python_ca_certificates": ["/none.pem"]},
        [("python_ca_certificates: /none.pem", "Correct")],
    ),
    "certificates of another kind": (
        {"python_ca_certificates": [str(Path(__file__))]},
        [("python_ca_certificates: ", "holds 0 certificates")],
    ),
    # Secrets: never the value, always the reason
    "password of digits": (
        {"airflow_admin_password": 91827364},
        [("airflow_admin_password: is a number", "in quotes")],
    ),
    "password list": ({"airflow_admin_password": ["a"]}, [("airflow_admin_password: is a list", "Give one")]),
    "password short": (
        {"airflow_admin_password": "a"},
        [("airflow_admin_password: is too short: 1 of 8", "generated")],
    ),
    "password guessed": ({"airflow_admin_password": "Password"}, [("airflow_admin_password: ", "anyone would try")]),
    "password placeholder": (
        {"airflow_admin_password": "change-me"},
        [("airflow_admin_password: is a placeholder", "real")],
    ),
    "token placeholder": (
        {"vault_x_bearer_token": "your-token"},
        [("twitter_etl_bearer_token: is a placeholder", "real")],
    ),
    "token with a space": (
        {"vault_x_bearer_token": "AAAA bbb"},
        [("twitter_etl_bearer_token: has a space", "Copy it")],
    ),
    "token of digits": ({"vault_x_bearer_token": 123456}, [("twitter_etl_bearer_token: is a number", "in quotes")]),
    "token missing": ({"vault_x_bearer_token": None}, [("Credentials of X: ", "Put vault_x_bearer_token")]),
    # Users
    "no users": ({"airflow_users": []}, [("airflow_users: is empty", "Name one")]),
    "a user twice": ({"airflow_users": [user("a"), user("a")]}, [("airflow_users: a is there 2 times", "Keep one")]),
    "an email twice": (
        {"airflow_users": [user("a"), user("b")]},
        [("airflow_users: a and b have one email", "another")],
    ),
    "a user without a name": (
        {"airflow_users": [user("")]},
        [("airflow_users: there is a username that is empty", "Give")],
    ),
    "a user that is a path": (
        {"airflow_users": [user("../x")]},
        [('airflow_users: there is the username "../x"', "Give")],
    ),
    "a user without an email": (
        {"airflow_users": [{"username": "a", "role": "Admin"}]},
        [("airflow_users, entry 1: email is missing", "unique")],
    ),
    "a user of no role": (
        {"airflow_users": [user("a") | {"role": "Root"}]},
        [("airflow_users, entry 1, role: ", "Admin, Op, User, Viewer, Public")],
    ),
    "a user with a typo": (
        {"airflow_users": [user("a") | {"pasword": "x"}]},
        [("airflow_users, entry 1: pasword is unknown", "did you mean password?")],
    ),
    "a user of digits": (
        {"airflow_users": [user("a", password=12345678)]},
        [("airflow_users, entry 1, password: is a number", "in quotes")],
    ),
    "a user in one line": ({"airflow_users": "admin"}, [("airflow_users: ", "not a list")]),
    # All of it at once
    "of two roles": (
        {"https_certificate": "letsencrypt", "twitter_etl_account": ""},
        [("https_certificate: ", "none of"), ("twitter_etl_account, twitter_etl_query: ", "Set one")],
    ),
    "of three roles": (
        {"airflow_profile": "tiny", "host_admin_ranges": "x", "airflow_users": []},
        [
            ("airflow_profile: ", "none of"),
            ("host_admin_ranges: ", "not a list"),
            ("airflow_users: is empty", "Name one"),
        ],
    ),
    "nothing filled in": (
        {"twitter_etl_account": "", "twitter_etl_destination": "", "twitter_etl_aws_region": ""},
        [
            ("twitter_etl_account, twitter_etl_query: ", "Set one"),
            ("twitter_etl_destination: is empty", "Give s3://"),
            ("twitter_etl_aws_region: is empty", "eu-central-1"),
        ],
    ),
    "one thing that many are made of": (
        {"vault_x_bearer_token": "{{ nobody.token }}", "vault_x_consumer_key": "{{ nobody.token }}"},
        [("vault_x_bearer_token, vault_x_consumer_key: can't be computed: ", "nobody")],
    ),
}
