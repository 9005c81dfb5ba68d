"""What the units may do, and which secrets each holds."""

import re

from tests.security.conftest import LIST_SECRETS, Count, Host

MOST_EXPOSED = 2.0
UNITS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
# Airflow's own matrix (docs, security/security_model): the DAG processor runs DAG files and must not sign tokens.
SECRETS = {
    "airflow-api-server": {"fernet_key", "api_secret_key", "jwt_secret"},
    "airflow-scheduler": {"fernet_key", "api_secret_key", "jwt_secret"},
    "airflow-dag-processor": {"fernet_key"},
    "airflow-triggerer": {"fernet_key", "api_secret_key"},
}


def test_every_unit_of_ours_is_confined(host: Host, count: Count) -> None:
    """`systemd-analyze security`, 0 to 10, of each service that is a file in /etc/systemd/system, and of nginx, which
    a drop-in of ours confines."""
    scores = {}
    for line in host.root(
        "{ find /etc/systemd/system -maxdepth 1 -type f -name '*.service' -printf '%f\\n' | sort"
        "; find /etc/systemd/system -path '*/nginx.service.d/tweetlake.conf' -printf 'nginx.service\\n'; }"
        " | while read -r unit; do"
        ' echo "$unit $(systemd-analyze security --no-pager "$unit" | tail -n 1)"; done'
    ).splitlines():
        unit, found = line.split()[0], re.search(r": ([0-9.]+) ", line)
        assert found, line
        scores[unit.removesuffix(".service")] = float(found[1])
    assert set(UNITS) | ({"nginx", "https-renew"} if host.proxied else set()) <= set(scores)
    assert not {unit: score for unit, score in scores.items() if score > MOST_EXPOSED}
    count(
        f"units of ours and their scores, {MOST_EXPOSED} at most",
        f"{len(scores)}: {', '.join(f'{unit} {score}' for unit, score in scores.items())}",
    )


def test_the_confinement_is_real(host: Host) -> None:
    """systemd skips what the kernel refuses: the running processes are looked at, not the files. nginx keeps one
    right, to open ports below 1024 (CAP_NET_BIND_SERVICE), and with it the host's user namespace."""
    units = (*UNITS[:3], "nginx") if host.proxied else UNITS[:3]
    for unit in units:
        rights, users = ("0000000000000400", "=") if unit == "nginx" else ("0000000000000000", "!=")
        host.root(f"""
            pid=$(systemctl show --property MainPID --value {unit})
            grep -q 'NoNewPrivs:.1' /proc/$pid/status
            grep -q 'Seccomp:.2' /proc/$pid/status
            grep -q 'CapBnd:.{rights}' /proc/$pid/status
            ! nsenter --target $pid --mount -- touch /etc/airflow/written 2>/dev/null
            test -z "$(nsenter --target $pid --mount -- ls -A /root)"
            test "$(readlink /proc/$pid/ns/user)" {users} "$(readlink /proc/1/ns/user)"
        """)


def test_each_unit_holds_its_secrets_and_no_other(host: Host, count: Count) -> None:
    """The folders that systemd made for the running units, and the files they come from."""
    for unit in UNITS[:3]:
        held = host.root(f"ls /run/credentials/{unit}.service").split()
        assert set(held) == SECRETS[unit], unit
    given = host.root("grep -H LoadCredential= /etc/systemd/system/airflow-triggerer.service")
    assert set(re.findall(r"LoadCredential=(\w+):", given)) == SECRETS["airflow-triggerer"]
    files = host.root("find /etc/airflow/credentials -mindepth 1 -printf '%u:%g %m %f\\n'").splitlines()
    assert files
    assert not [line for line in files if not line.startswith("root:root 600 ")]
    assert host.root("stat -c '%U %a' /etc/airflow/credentials").split() == ["root", "700"]
    count("secrets in files of root alone (0600)", len(files))


def test_no_secret_is_in_an_environment_a_command_line_or_the_journal(host: Host, count: Count) -> None:
    """Searched on the host, so that no secret travels: see LIST_SECRETS."""
    found = host.root(f"""
        secrets=$(mktemp); trap 'rm -f "$secrets"' EXIT
        {{ {LIST_SECRETS} }} | sed '/^$/d' > "$secrets"
        cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -cFf "$secrets" || true
        journalctl --no-pager --quiet | grep -cFf "$secrets" || true
        cat /etc/airflow/airflow.* /etc/systemd/system/*.service | grep -cFf "$secrets" || true
        grep -rlFf "$secrets" /var/log 2>/dev/null | grep -vc /var/log/journal || true
        wc -l < "$secrets"
    """).split()
    assert found[:4] == ["0", "0", "0", "0"], found
    assert int(found[4]) >= 5
    count("secrets searched for in environments, command lines, units, the journal and logs", f"{found[4]}, none found")
