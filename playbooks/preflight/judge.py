"""The verdict on an inventory: every complaint about every host, in one list."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from . import joins, names, specs
from .words import Read, shown

PROJECT = Path(__file__).resolve().parents[2]
# Those of a host, in the order of the site.
HOST_ROLES = ("python", "host", "postgresql", "airflow", "https", "twitter_etl")
ROLES = (*HOST_ROLES, "aws")


@dataclass(frozen=True)
class Host:
    """What is known of a host before it is reached.

    `given` are the names that the inventory, or the command line, sets, be it by a secret of the vault. `values` holds
    them and the roles' defaults, computed; `unreadable` says why one of them can't be.
    """

    name: str
    given: frozenset[str]
    values: Mapping[str, Any]
    unreadable: Mapping[str, str]
    vaulted: frozenset[str] = frozenset()  # secrets that some variable takes its value from


@functools.cache
def entry_points(role: str) -> dict[str, dict[str, Any]]:
    """The options of a role's entry points, by name: main, and what else `tasks_from` may ask for."""
    loaded = yaml.safe_load((PROJECT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return {name: entry.get("options", {}) for name, entry in loaded["argument_specs"].items()}


def known_names() -> set[str]:
    """Every variable of every role, also those that only a task or the command line sets."""
    return {name for role in ROLES for options in entry_points(role).values() for name in options}


def complaints(host: Host, roles: tuple[str, ...], read: Read) -> Iterator[str]:
    """What is wrong with the variables of one host, as far as these roles care; types with all roles."""
    yield from names.complaints(host.given, known_names(), set(host.vaulted), ROLES)
    yield from _unreadable(host.unreadable)
    values = dict(host.values)
    for role in ROLES:
        yield from _types(role, host.given, values)
    for role in roles:
        yield from _rules_of(role).complaints(values, read)
    yield from joins.complaints(values)


def _rules_of(role: str) -> ModuleType:
    return importlib.import_module(f"roles.{role}.preflight")


def _types(role: str, given: Collection[str], values: dict[str, Any]) -> Iterator[str]:
    """What is not of its type; it is taken out of the values. A default that isn't was made of something else that was
    complained about."""
    rules = _rules_of(role)
    null_is_empty, takes_words = getattr(rules, "NULL_IS_EMPTY", ()), getattr(rules, "TAKES_WORDS", False)
    for name, option in entry_points(role)["main"].items():
        value = values.get(name)
        if name not in values or (value is None and (option.get("no_log") or name in null_is_empty)):
            continue
        wrong = list(specs.complaints(name, option, value))
        if not wrong and option["type"] == "bool" and isinstance(value, str) and not takes_words:
            advice = f"Write true or false without quotes; on the command line -e '{{\"{name}\": true}}'."
            wrong = [f"{name}: {shown(value)} is a text. {advice}"]
        if wrong:
            del values[name]
        if name in given:
            yield from wrong


def _unreadable(unreadable: Mapping[str, str]) -> Iterator[str]:
    """One complaint for all that the same thing keeps from being computed."""
    reasons: dict[str, list[str]] = {}
    for name, reason in unreadable.items():
        reasons.setdefault(reason, []).append(name)
    for reason, affected in reasons.items():
        yield f"{', '.join(affected)}: can't be computed: {reason}. Correct what it is made of."


def verdict(said: Mapping[str, list[str]]) -> list[str]:
    """The complaints of all hosts, each once; with the hosts, where it isn't all of them."""
    hosts: dict[str, list[str]] = {}
    for host, complaints_of_it in said.items():
        for complaint in dict.fromkeys(complaints_of_it):
            hosts.setdefault(complaint, []).append(host)
    return [
        complaint if len(where) == len(said) else f"{complaint} ({', '.join(where)})"
        for complaint, where in hosts.items()
    ]
