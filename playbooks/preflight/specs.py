"""Types and choices: what a role's meta/argument_specs.yml says of a variable, judged by Ansible's own validator.

Stricter than Ansible's in three ways. It never makes a list of a text (one letter an entry), a password of a number
(whose leading zeros YAML has dropped) or a null of nothing. And it says what to write.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .words import is_placeholder, kind_of, shown

Option = Mapping[str, Any]


def complaints(name: str, option: Option, value: object) -> Iterator[str]:
    """What is wrong with the type of a variable or of something in it; at most one complaint about each thing."""
    wrong = _shape(name, option, value)
    if wrong is None and not isinstance(value, list | dict):
        wrong = _validator_says(name, option, value)
    if wrong is not None:
        yield wrong
    elif isinstance(value, list):
        entry = {
            "type": option.get("elements", "raw"),
            **{key: option[key] for key in ("options", "choices", "no_log") if key in option},
        }
        for number, one in enumerate(value, start=1):
            yield from complaints(f"{name}, entry {number}", entry, one)
    elif isinstance(value, dict) and "options" in option:
        yield from _entry(name, option["options"], value)


def _entry(name: str, options: Mapping[str, Option], entry: Mapping[str, Any]) -> Iterator[str]:
    """A mapping with keys of its own, such as a user."""
    for key in entry:
        if key not in options:
            yield f"{name}: {key} is unknown{did_you_mean(key, options)} It takes {', '.join(options)}."
    for key, option in options.items():
        if key in entry:
            yield from complaints(f"{name}, {key}", option, entry[key])
        elif option.get("required"):
            yield f"{name}: {key} is missing. {option['description']}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """', did you mean X?', or a full stop."""
    close = is_like(name, known)
    return f", did you mean {close}?" if close else "."


def is_like(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one most likely is a slip of the fingers from, if there is one."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return close[0] if close else None


def _shape(name: str, option: Option, value: object) -> str | None:
    """What Ansible's validator would take, or would tell in a way that helps nobody."""
    wanted = option.get("type", "str")
    secret = any(one.get("no_log") for one in (option, *option.get("options", {}).values()))
    it = f"{name}:" if secret else f"{name}: {shown(value)}"
    if value is None:
        return f"{name}: is null. Give a value, or take the line out."
    if wanted == "list" and not isinstance(value, list):
        entries = [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]
        example = "" if secret or isinstance(value, dict) else f": {shown(entries)}"
        return f"{it} is {kind_of(value)}, not a list. Write it in brackets{example}."
    if wanted == "dict" and not isinstance(value, dict):
        return f"{it} is {kind_of(value)}, not a mapping. Write each as NAME: value, one a line."
    if wanted in ("str", "path"):
        return _no_text(name, secret, value)
    if wanted in ("int", "float") and isinstance(value, bool | list | dict | datetime.date):
        return f"{it} is {kind_of(value)}, not a number."
    if wanted == "bool" and isinstance(value, list | dict | datetime.date):
        return f"{it} is {kind_of(value)}. Write true or false."
    return None


def _no_text(name: str, secret: bool, value: object) -> str | None:
    """Why this is not one text. Numbers are as good as texts, but for secrets: 0123 would have become 83."""
    if isinstance(value, str):
        if secret and is_placeholder(value):
            return f"{name}: is a placeholder. Put the real value into the vault."
        return None
    if isinstance(value, list | dict):
        return f"{name}: {'' if secret else shown(value) + ' '}is {kind_of(value)}. Give one value."
    if isinstance(value, bool) or (secret and isinstance(value, int | float | datetime.date)):
        return f"{name}: is {kind_of(value)} to YAML. Put it in quotes."
    return None


def _validator_says(name: str, option: Option, value: object) -> str | None:
    """Ansible's own verdict, in words that name what is wanted."""
    if isinstance(value, datetime.date):
        value = value.isoformat()
    like = f" Give one like {option['default']}." if isinstance(option.get("default"), int) else " Give one."
    # As it is: whether it is required was asked before, and a default of the role's own may be a template.
    option = {key: option[key] for key in ("type", "choices", "no_log") if key in option}
    if not ArgumentSpecValidator({"it": option}).validate({"it": value}).error_messages:
        return None
    it = f"{name}:" if option.get("no_log") else f"{name}: {shown(value)}"
    if "choices" in option:
        return f"{it} is none of {', '.join(map(str, option['choices']))}."
    wanted = {"int": f"is no whole number.{like}", "float": f"is no number.{like}", "bool": "must be true or false."}
    return f"{it} {wanted.get(option.get('type', 'str'), 'is not of type ' + str(option.get('type')) + '.')}"
