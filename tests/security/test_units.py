"""What the units may do, and which secrets each holds."""

import re

MOST_EXPOSED = 2.0
UNITS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
# Airflow's own matrix (docs, security/security_model): the DAG processor runs DAG files and must not sign tokens.
SECRETS = {
    "airflow-api-server": {"fernet_key", "api_secret_key", "jwt_secret"},
    "airflow-scheduler": {"fernet_key", "api_secret_key", "jwt_secret"},
    "airflow-dag-processor": {"fernet_key"},
    "airflow-triggerer": {"fernet_key", "api_secret_key"},
}


def test_every_unit_of_ours_is_confined(host, count):
    """`systemd-analyze security`, 0 to 10, of each service in /etc/systemd/system that is a file: those are ours."""
    scores = {}
    for line in host.root(
        "find /etc/systemd/system -maxdepth 1 -type f -name '*.service' -printf '%f\\n' | sort | while read -r unit; do"
        ' echo "$unit $(systemd-analyze security --no-pager "$unit" | tail -n 1)"; done'
    ).splitlines():
        unit, found = line.split()[0], re.search(r": ([0-9.]+) ", line)
        assert found, line
        scores[unit.removesuffix(".service")] = float(found[1])
    assert set(UNITS) <= set(scores)
    assert not {unit: score for unit, score in scores.items() if score > MOST_EXPOSED}
    count(
        f"units confined, worst {max(scores.values())} of at most {MOST_EXPOSED}",
        f"{len(scores)} ({', '.join(f'{unit} {score}' for unit, score in scores.items())})",
    )


def test_the_confinement_is_real(host):
    """systemd skips what the kernel refuses: the running processes are looked at, not the files."""
    for unit in UNITS[:3]:
        host.root(f"""
            pid=$(systemctl show --property MainPID --value {unit})
            grep -q 'NoNewPrivs:.1' /proc/$pid/status
            grep -q 'Seccomp:.2' /proc/$pid/status
            grep -q 'CapBnd:.0000000000000000' /proc/$pid/status
            ! nsenter --target $pid --mount -- touch /etc/airflow/written 2>/dev/null
            test -z "$(nsenter --target $pid --mount -- ls -A /root)"
            test "$(readlink /proc/$pid/ns/user)" != "$(readlink /proc/1/ns/user)"
        """)


def test_each_unit_holds_its_secrets_and_no_other(host, count):
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


def test_no_secret_is_in_an_environment_a_command_line_or_the_journal(host, count):
    """Searched on the host, so that no secret travels: Airflow's own, passwords, and the credentials of X."""
    found = host.root("""
        secrets=$(mktemp); trap 'rm -f "$secrets"' EXIT
        for file in /etc/airflow/credentials/*; do cat "$file"; echo; done > "$secrets"
        sed -nE 's/^(X_[A-Z_]*(TOKEN|SECRET|KEY)|AWS_SECRET_ACCESS_KEY)=//p' /etc/twitter-etl/twitter.env >> "$secrets"
        sed -i '/^$/d' "$secrets"
        cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -cFf "$secrets" || true
        journalctl --no-pager --quiet | grep -cFf "$secrets" || true
        cat /etc/airflow/airflow.* /etc/systemd/system/*.service | grep -cFf "$secrets" || true
        grep -rlFf "$secrets" /var/log 2>/dev/null | grep -vc /var/log/journal || true
        wc -l < "$secrets"
    """).split()
    assert found[:4] == ["0", "0", "0", "0"], found
    assert int(found[4]) >= 5
    count("secrets searched for in environments, command lines, the journal and logs, none found", found[4])
