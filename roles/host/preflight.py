"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml.

Whether the ranges hold the address that Ansible comes from, only the host can tell: tasks/preflight.yml.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from playbooks.preflight.words import Read, Values, out_of_range, shown, truth_in

RANGES = ("host_admin_ranges", "host_web_ranges", "host_bans_never")
PORTS = ("host_web_ports", "host_open_ports")
NUMBERS = {
    "host_ssh_port": (1, 65_535),
    "host_bans_ssh_failures": (1, 1_000),
    "host_bans_login_failures": (1, 1_000),
    "host_bans_seconds": (1, 31_536_000),  # a year
    "host_swap_mib": (0, 65_536),
    "host_swappiness": (0, 200),  # the kernel's, since 5.8
}


def complaints(values: Values, read: Read) -> Iterator[str]:
    yield from _ranges(values)
    yield from _ports(values)
    for name, limits in NUMBERS.items():
        if complaint := out_of_range(values, name, *limits):
            yield complaint
    if not str(values.get("host_swap_file", "/")).startswith("/"):
        yield f"host_swap_file: {shown(values['host_swap_file'])} is no whole path on the host. Begin it with a /."
    yield from _reboot_time(values.get("host_upgrades_reboot_time", ""))
    if truth_in(values, "host_ssh_keys_only") and (values.get("ansible_password") or values.get("ansible_ssh_pass")):
        yield (
            "host_ssh_keys_only: Ansible signs in with a password here, which sshd would refuse from now on. Put a key "
            "on the host (ssh-copy-id) and take the password out of the inventory, or set host_ssh_keys_only to false."
        )


def _ranges(values: Values) -> Iterator[str]:
    said = set()
    for name in RANGES:
        for entry in values.get(name, []):
            try:
                ipaddress.ip_network(str(entry))
            except ValueError as error:
                # host_web_ranges are host_admin_ranges, unless told.
                if (entry, str(error)) not in said:
                    yield f"{name}: {error}. Give an address or a network, such as 192.0.2.0/24 or 2001:db8::/32."
                said.add((entry, str(error)))
    if values.get("host_admin_ranges") == [] and truth_in(values, "host_firewall_enabled"):
        yield "host_admin_ranges: is empty, so nobody could reach SSH. Give your address or network."


def _ports(values: Values) -> Iterator[str]:
    for name in PORTS:
        for port in values.get(name, []):
            if not 1 <= int(port) <= 65_535:
                yield f"{name}: {port} is no port. Give numbers from 1 to 65535."


def _reboot_time(time: object) -> Iterator[str]:
    if isinstance(time, int) and 0 <= time < 24 * 60:
        hour, minute = divmod(time, 60)  # 04:30 is 4 x 60 + 30 to YAML 1.1
        yield f'host_upgrades_reboot_time: {time} is a number to YAML. Put the time in quotes: "{hour:02}:{minute:02}".'
    elif not re.fullmatch(r"(([01][0-9]|2[0-3]):[0-5][0-9])?", str(time)):
        yield f'host_upgrades_reboot_time: {shown(time)} is no time. Give "HH:MM" in quotes, or leave it empty.'
