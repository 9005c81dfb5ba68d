"""Another machine in the host's network: which ports it sees, what TLS it is offered, how long it may guess."""

from urllib.parse import urlsplit

import pytest

from tests.helpers.tls import look
from tests.security.conftest import Count, Host, Stranger


def test_another_machine_sees_ssh_and_the_web_alone(host: Host, stranger: Stranger, count: Count) -> None:
    device, address = host.root("ip -6 -o addr show scope link | awk '$2 != \"lo\" {print $2, $4; exit}'").split()
    seen = {"IPv4": stranger("ports", host.address)}
    seen["IPv6"] = stranger("ports", f"{address.partition('/')[0]}%{device}")  # the containers call it eth0, all
    assert set(seen["IPv4"]) | set(seen["IPv6"]) <= host.ports, seen
    assert 443 in seen["IPv4"] or not host.proxied  # the scan isn't blind
    found = "; ".join(f"{kind}: {', '.join(map(str, ports)) or 'none'}" for kind, ports in seen.items())
    count("TCP ports that answer another container, of 65,535", found)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # of sslyze's own list
def test_tls_is_graded(host: Host, count: Count) -> None:
    if not host.proxied:
        pytest.skip("TLS is the proxy's: the role https")
    url = urlsplit(host.base_url)
    found = look(host.name, url.port or 443, host.ca_file)
    assert found.grade in ("A", "A+"), found.issues
    count("TLS", found)


def test_who_guesses_passwords_is_shut_out(host: Host, stranger: Stranger, count: Count) -> None:
    """fail2ban reads what nginx wrote about real logins; the address is free again afterwards."""
    if not host.proxied:
        pytest.skip("guesses are counted by the proxy: the role https")
    seen = stranger("guess", host.address, urlsplit(host.base_url).netloc)
    address = seen["address"]
    try:
        assert seen["silent_after"], seen
        assert set(seen["answers"]) <= {"302", "401", "429"}, seen
        assert address in host.root("fail2ban-client get airflow-login banip").split()
        lines = host.root(f"journalctl --identifier nginx --since -5min --output cat | grep -c '^{address} .*/auth/'")
        assert int(lines) >= 20
    finally:
        host.root(f"fail2ban-client unban {address}")
    count("wrong logins until an address is shut out", seen["silent_after"], attacks=seen["silent_after"])
