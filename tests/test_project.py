"""What the project says of itself in several files is the same everywhere."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import tweetlake
import yaml

PROJECT = Path(__file__).resolve().parent.parent
DECISIONS = PROJECT / "docs" / "decisions"
HEADINGS = ["Question", "Decision", "Why", "Not chosen", "Cost"]
LOCKED: list[dict[str, Any]] = tomllib.loads((PROJECT / "uv.lock").read_text())["package"]


def test_the_version_is_the_scripts() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (locked,) = (package["version"] for package in LOCKED if package["name"] == project["name"])
    assert project["version"] == locked == tweetlake.__version__


@pytest.mark.parametrize("role", ["airflow", "https", "scripts"])
def test_hosts_install_what_is_locked(role: str) -> None:
    folder = PROJECT / "scripts" if role == "scripts" else PROJECT / "roles" / role / "files"
    pins = set(re.findall(r"^([\w.-]+)==([\w.]+)", (folder / "requirements.txt").read_text(), re.MULTILINE))
    assert len(pins) >= 10
    assert not pins - {(package["name"], package.get("version")) for package in LOCKED}, "make export"


def test_every_role_names_the_ansible_that_runs_it() -> None:
    files = sorted(PROJECT.glob("roles/*/meta/main.yml"))
    named = {file.parts[-3]: yaml.safe_load(file.read_text())["galaxy_info"]["min_ansible_version"] for file in files}
    installed = ".".join(version("ansible-core").split(".")[:2])
    assert set(named.values()) == {installed}, named


def test_ci_boots_the_hosts_of_every_role_and_of_the_whole_site() -> None:
    roles = re.findall(r"^ROLES := (.+)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)[0].split()
    jobs = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert jobs["hosts"]["strategy"]["matrix"]["role"] == [*roles, "default"]
    assert set(roles) == {path.name for path in (PROJECT / "roles").iterdir()}


def test_every_decision_is_in_the_index_under_its_own_title() -> None:
    titles = {path.name: path.read_text().splitlines()[0] for path in DECISIONS.glob("0*.md")}
    index = re.findall(r"^- \[(.+)\]\((.+)\)$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert index == [(title.removeprefix("# "), name) for name, title in sorted(titles.items())]


@pytest.mark.parametrize("record", sorted(DECISIONS.glob("0*.md")), ids=lambda path: path.name[:4])
def test_a_decision_has_the_form_of_the_others(record: Path) -> None:
    text = record.read_text()
    assert re.match(rf"# {record.name[:4]} \S", text)
    assert len(text.splitlines()) <= 20
    headings = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert headings[:2] == HEADINGS[:2]
    assert set(headings) <= set(HEADINGS)
