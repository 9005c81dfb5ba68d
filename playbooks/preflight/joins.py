"""What roles want of each other's variables. No role knows them; the play that lists the roles does."""

from __future__ import annotations

from collections.abc import Iterator

from .words import Values, number_in, truth_in


def complaints(values: Values) -> Iterator[str]:
    port = number_in(values, "airflow_api_port")
    if port is not None and port == number_in(values, "host_ssh_port"):
        yield f"airflow_api_port: {port} is host_ssh_port, where sshd listens. Give another, such as 8080."
    if port == 5432:
        yield "airflow_api_port: 5432 is PostgreSQL's. Give another, such as 8080."
    open_ports = {int(number) for name in ("host_open_ports", "host_web_ports") for number in values.get(name, [])}
    if (
        values.get("https_certificate") == "acme"
        and truth_in(values, "host_firewall_enabled")
        and "host_open_ports" in values
        and 80 not in open_ports
    ):
        yield (
            "host_open_ports: port 80 is not among them, where the ACME service asks before it signs "
            "(https_certificate: acme). Take the line out, or add 80."
        )
