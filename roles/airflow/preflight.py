"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from playbooks.preflight.words import Read, Values, number_in, out_of_range, shown, weakness_of

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
# It is in the name of a file and on the page of users.
USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")


def complaints(values: Values, read: Read) -> Iterator[str]:
    host = str(values.get("airflow_api_host", "127.0.0.1"))
    if not HOST.fullmatch(host):
        yield f"airflow_api_host: {shown(host)} is no address. Give 127.0.0.1, unless you know better."
    port = number_in(values, "airflow_api_port")
    if port is not None and not 1024 <= port <= 65_535:
        whose = " is nginx's, and" if port in (80, 443) else ":"
        yield f"airflow_api_port: {port}{whose} Airflow runs without root. Give one from 1024 to 65535, such as 8080."
    url = urlsplit(str(values.get("airflow_base_url", "http://localhost")))
    if url.scheme not in ("http", "https") or not url.hostname:
        yield f"airflow_base_url: {shown(values['airflow_base_url'])} is no address. Give one like https://airflow.example.org."
    for name, least, most in (("airflow_parallelism", 1, 1_000), ("airflow_start_timeout_seconds", 1, 86_400)):
        if complaint := out_of_range(values, name, least, most):
            yield complaint
    if values.get("airflow_refresh_at") == "":
        yield 'airflow_refresh_at: is empty. Give a time for systemd, such as "*-*-* 05:10:00 UTC".'
    for section, options in values.get("airflow_config", {}).items():
        if not isinstance(options, dict):
            yield f"airflow_config: {section} must hold options. Write {section}: {{option: value}}."
    admin = str(values.get("airflow_admin_password", ""))
    if admin and (weakness := weakness_of(admin, "admin")):
        yield f"airflow_admin_password: {weakness}."
    if "airflow_users" in values:
        yield from _users(values["airflow_users"], admin)


def _users(users: list[Mapping[str, Any]], admin_password: str) -> Iterator[str]:
    """People, each with a name of their own; a password is judged here unless it is the one of the vault."""
    if not users:
        yield ("airflow_users: is empty, so nobody could sign in. Name one, or take the line out: then it is admin.")
    names = Counter(str(user["username"]) for user in users)
    for name, count in names.items():
        if not USERNAME.fullmatch(name):
            what = f"the username {shown(name)}" if name else "a username that is empty"
            yield f"airflow_users: there is {what}. Give up to 64 letters, digits and _ . @ + -, the first a letter."
        if count > 1:
            yield f"airflow_users: {name} is there {count} times. Keep one of them."
    emails: dict[str, str] = {}
    for user in users:
        name, email = str(user["username"]), str(user["email"])
        if "@" not in email:
            yield f"airflow_users: the email of {name} is {shown(email)}. Give one like {name or 'me'}@localhost."
        elif emails.setdefault(email.lower(), name) != name:
            yield f"airflow_users: {emails[email.lower()]} and {name} have one email. Airflow wants another for each."
        password = str(user.get("password") or "")
        if password and password != admin_password and (weakness := weakness_of(password, name)):
            yield f"airflow_users: the password of {name} {weakness}."
