"""Names that nobody reads: a misspelt variable would be passed over without a word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .specs import did_you_mean

VAULT_NAME = re.compile(r"\bvault_\w+")


def complaints(given: Iterable[str], known: set[str], vaulted: set[str], roles: Iterable[str]) -> Iterator[str]:
    """Of the names of an inventory, those that begin like a role's variables or a secret's, or nearly are one."""
    prefixes = tuple(f"{role}_" for role in roles)
    for name in sorted(given):
        if name in known or name in vaulted:
            continue
        if name.startswith("vault_"):
            yield f"{name}: unknown{did_you_mean(name, vaulted)} No variable takes its value from it."
        elif name.startswith(prefixes):
            yield f"{name}: unknown{did_you_mean(name, known)} No role has a variable of that name."
        elif not name.startswith("_") and (close := difflib.get_close_matches(name, known, n=1, cutoff=0.93)):
            yield f"{name}: unknown, did you mean {close[0]}? If it is a name of your own, choose another."


def vault_names_in(value: Any) -> set[str]:
    """The secrets that a variable, as it stands in a file, takes its value from."""
    if isinstance(value, str):
        return set(VAULT_NAME.findall(value)) if "{{" in value or "{%" in value else set()
    if isinstance(value, Mapping):
        return {name for one in value.values() for name in vault_names_in(one)}
    if isinstance(value, list | tuple):
        return {name for one in value for name in vault_names_in(one)}
    return set()
