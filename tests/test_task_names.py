"""What scrolls by in Ansible's output is understood by itself: each task says which thing, and of which file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path
    for pattern in (
        "roles/*/tasks/*.yml",
        "roles/*/handlers/*.yml",
        "playbooks/*.yml",
        "molecule/*/*.yml",
        "stand_ins/demo/*.yml",
        "tests/*/*.yml",
    )
    for path in PROJECT.glob(pattern)
    if path.name != "molecule.yml"
)
PRONOUNS = {"it", "its", "they", "them", "their", "these", "both", "none", "ones", "ours", "theirs"}
# What shows that a noun was named: an article, a genitive, or the capital of a name within the sentence.
ARTICLES = {"the", "a", "an", "no", "every", "each"}
FIRST_WORDS = PRONOUNS | {"and", "so", "that", "this", "without"}


def points_elsewhere(sentence: str) -> bool:
    """Whether it begins with, or rests on, a word for something that only the task before has named."""
    words = [word.strip(",.") for word in sentence.split()]
    if words[0].lower() in FIRST_WORDS:
        return True
    for number, word in enumerate(words):
        if word.lower() in ARTICLES or word.endswith("'s") or (number and word[0].isupper()):
            return False
        if word.lower() in PRONOUNS:
            return True
    return False


def named(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every play and task, those in blocks too."""
    for task in tasks:
        yield task
        for part in ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from named(task.get(part) or [])


def names_of(path: Path) -> list[str]:
    """The names of all plays and tasks of a file; one without a name fails ansible-lint."""
    content = yaml.safe_load(path.read_text())
    tasks = content if isinstance(content, list) else []  # variables are not tasks
    return [str(task["name"]) for task in named(tasks) if "name" in task]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_name_names_its_thing(path: Path) -> None:
    for name in names_of(path):
        sentence = name.rpartition(" | ")[2]
        assert not points_elsewhere(sentence), name
        assert len(sentence.split()) > 1, name


@pytest.mark.parametrize(
    "path", sorted(PROJECT.glob("roles/*/tasks/*.yml")), ids=lambda path: "/".join(path.parts[-3:])
)
def test_a_tasks_name_begins_with_its_file(path: Path) -> None:
    """In the output stands `host : swap | The swap file exists`: roles/host/tasks/swap.yml. main.yml names chapters."""
    prefix = "" if path.name == "main.yml" else f"{path.stem} | "
    for name in names_of(path):
        assert name.partition(" | ")[1] == (" | " if prefix else ""), name
        assert name.startswith(prefix), name


def test_the_search_finds_what_it_is_meant_to_find() -> None:
    assert sum(len(names_of(path)) for path in FILES) > 300
    for sentence in (
        "It holds what the lock file says",
        "So are the keys",
        "Wait for its end",
        "Renew it, or leave it",
    ):
        assert points_elsewhere(sentence)
    assert not points_elsewhere("Renew the certificate if it is due")
