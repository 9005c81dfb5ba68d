"""What complaints are made of. A complaint begins with the name of the variable and ends with what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

# Of one host: the variables that could be computed and are of the type they should be.
Values = Mapping[str, Any]
# The bytes of a file of this machine, found as the role with that name would find it; raises OSError.
Read = Callable[[str, str], bytes]

# Not the words "token" or "secret" alone: someone's own value may hold them.
PLACEHOLDER = re.compile(
    r"change[-_ ]?(me|it).*|<.*>|\$?\{.*\}|your[-_ ].*|to-?do|x{3,}|\.{3}|placeholder", re.IGNORECASE
)
GUESSED_FIRST = {"password", "passw0rd", "12345678", "123456789", "1234567890", "qwertyui", "qwertyuiop", "letmein1"}
PASSWORD_CHARACTERS = 8


def shown(value: object) -> str:
    """A value as it would stand in the inventory, at most a line of it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def kind_of(value: object) -> str:
    """What YAML took a value for."""
    if value is None:
        return "null"
    # bool before int, which it is a kind of.
    kinds = {bool: "a yes or no", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}
    return next((word for kind, word in kinds.items() if isinstance(value, kind)), "a date")


def is_placeholder(text: str) -> bool:
    """Does it only say that something belongs here?"""
    return PLACEHOLDER.fullmatch(text.strip()) is not None


def weakness_of(password: str, username: str) -> str | None:
    """Why this is no password, with what to do; None for a good one. The password itself is not in it."""
    reason = None
    if is_placeholder(password):
        return "is a placeholder. Put the real one into the vault, or leave it empty: then it is generated on the host"
    if len(password) < PASSWORD_CHARACTERS:
        reason = f"is too short: {len(password)} of {PASSWORD_CHARACTERS} characters"
    elif len(set(password)) == 1:
        reason = "is one character over and over"
    elif password.lower() in GUESSED_FIRST | {username.lower()}:
        reason = "is among the first that anyone would try"
    if reason is None:
        return None
    return (
        f"{reason}. Give {PASSWORD_CHARACTERS} characters or more, or leave it empty: then it is generated on the host"
    )


def number_in(values: Values, name: str) -> int | None:
    """A whole number, also one that stands in quotes; None where there is none."""
    return None if values.get(name) is None else int(values[name])


def out_of_range(values: Values, name: str, least: int, most: int) -> str | None:
    """The complaint about a whole number that is below or above what makes sense."""
    number = number_in(values, name)
    if number is None or least <= number <= most:
        return None
    return f"{name}: {number} is no number from {least} to {most}."


def truth_in(values: Values, name: str) -> bool:
    """A switch, also one that stands in quotes; false where there is none."""
    return bool(boolean(values.get(name, False), strict=False))
