"""What this role wants of its variables beyond their types; told by playbooks/preflight.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator

from playbooks.preflight.words import Read, Values, out_of_range, shown

# Airflow's three services were seen with 10; PostgreSQL keeps 3 for its superuser.
CONNECTIONS = (15, 10_000)
# PostgreSQL's own least is 128 KiB.
SHARED_BUFFERS_MIB = (1, 1_000_000)


def complaints(values: Values, read: Read) -> Iterator[str]:
    database = str(values.get("postgresql_database", "airflow"))
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", database):
        yield (
            f"postgresql_database: {shown(database)} can't be the name of a system user. Give up to 31 small letters, "
            "digits, _ and -, beginning with a letter."
        )
    for name, limits in {
        "postgresql_shared_buffers_mib": SHARED_BUFFERS_MIB,
        "postgresql_max_connections": CONNECTIONS,
    }.items():
        if complaint := out_of_range(values, name, *limits):
            yield complaint
