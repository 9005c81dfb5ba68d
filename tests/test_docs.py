"""What the documents promise is there: commands, files, links; and the IAM policy of docs/aws.md is enough."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import boto3
import moto.settings
import pytest
import yaml

from stand_ins.s3_server import S3
from tests.helpers.etl import run_etl

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
OPERATIONS = PROJECT / "docs" / "operations.md"
SKIPPED = {".git", ".venv", ".cache", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".ansible"}
DOCUMENTS = sorted(path for path in PROJECT.rglob("*.md") if not SKIPPED.intersection(path.relative_to(PROJECT).parts))
# What isn't in a fresh clone.
MADE_BY_THE_READER = {
    "inventory/production/group_vars/airflow/vault.yml",
    "inventory/aws/group_vars/airflow/vault.yml",
    "inventory/production/HOST-ca.crt",
    "inventory/local/demo-ca.crt",
}
POST = {"id": "1800000000000000000", "created_at": "2024-06-10T04:00:00.000Z", "author_id": "1"}


def code_of(text: str) -> list[str]:
    """All code of a document: the lines of blocks, and spans."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [line.strip() for block in blocks for line in block.splitlines()] + spans


def anchors_of(text: str) -> set[str]:
    """The anchors that a document's headings get on GitHub."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in anchors_of(file.read_text()), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {name for code in code_of(document.read_text()) for name in re.findall(r"\bmake ([a-z0-9-]+)", code)}
    assert named <= targets


@pytest.mark.parametrize(
    "document", [README, OPERATIONS, PROJECT / "CONTRIBUTING.md", PROJECT / "docs" / "architecture.md"]
)
def test_every_file_that_is_named_exists(document: Path) -> None:
    top = {path.name for path in PROJECT.iterdir()}
    words = {word.strip("'\",;:") for code in code_of(document.read_text()) for word in code.split()}
    named = {word for word in words if word.split("/")[0] in top and not word.startswith(("/", "-"))}
    assert not {name for name in named - MADE_BY_THE_READER if not (PROJECT / name).exists()}
    if document == README:
        assert "inventory/production/hosts.yml" in named  # the search finds what it is meant to find


def test_the_readme_is_a_page() -> None:
    assert len(README.read_text().splitlines()) <= 120


def test_the_readme_names_all_that_apt_installs_for_the_demo() -> None:
    (play,) = yaml.safe_load((PROJECT / "stand_ins" / "demo" / "machine.yml").read_text())
    packages = {name for task in play["tasks"] for name in task.get("ansible.builtin.apt", {}).get("name", [])}
    assert "podman" in packages
    text = " ".join(README.read_text().split())
    assert not {name for name in packages if not re.search(rf" {re.escape(name)}[ ,;]", text)}


def test_the_readme_names_the_pythons_that_the_lock_file_is_for() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert README.read_text().count("Python 3.11 to 3.13") == 2


def test_the_demo_ends_as_the_readme_says() -> None:
    ending = re.search(r"^The Airflow UI:.*?(?=^```)", README.read_text(), re.DOTALL | re.MULTILINE)
    assert ending
    show = (PROJECT / "stand_ins" / "demo" / "show.py").read_text()
    for line in ending[0].splitlines():
        assert line.partition("password:")[0] in show


def test_every_column_is_where_operations_says() -> None:
    """Of the files that a change of the columns touches, each holds `likes`: a column, by X's name or its own."""
    row = next(line for line in OPERATIONS.read_text().splitlines() if line.startswith("| the columns |"))
    files = [name for name in re.findall(r"`([^`]+)`", row) if "/" in name]
    assert len(files) == 6
    for name in files:
        assert re.search(r"\blikes\b|like_count|public_metrics", (PROJECT / name).read_text()), name


def test_every_option_in_the_examples_exists() -> None:
    usage = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "twitter_etl.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    lines = [code for code in code_of(README.read_text()) if code.startswith("python scripts/twitter_etl.py")]
    assert len(lines) >= 4
    for line in lines:
        for option in re.findall(r"--[a-z0-9-]+", line):
            assert f"{option} " in usage or f"{option}\n" in usage or f"{option}," in usage, line


def test_every_ansible_tag_and_playbook_exists() -> None:
    codes = [code for document in (README, OPERATIONS) for code in code_of(document.read_text())]
    commands = [code for code in codes if code.startswith("ansible-playbook ")]
    for command in commands:
        assert (PROJECT / command.split()[1]).exists(), command
        for role in re.findall(r"--tags (\w+)", command):
            assert (PROJECT / "roles" / role).is_dir(), command
    assert {command.split()[1] for command in commands} > {"site.yml", "playbooks/verify.yml"}


def test_every_fact_of_a_manifest_is_explained(x_api: Any, tmp_path: Path) -> None:
    env = {"X_API_BASE_URL": x_api.base_url, "X_BEARER_TOKEN": x_api.bearer_token}
    env["TWITTER_ETL_STATE_DIR"] = str(tmp_path / "state")
    assert run_etl("--account", "nasa", "--to", str(tmp_path / "lake"), env=env).code == 0
    assert run_etl("--from-raw", str(tmp_path / "lake"), "--to", str(tmp_path / "rebuilt"), env=env).code == 0
    facts = {name for file in tmp_path.rglob("_manifest.json") for name in json.loads(file.read_text())}
    text = (PROJECT / "docs" / "data.md").read_text().partition("## Manifest")[2].partition("## Cost")[0]
    assert facts <= set(re.findall(r"`(\w+)`", text))
    assert {"posts_billed", "from_raw"} <= facts


def test_the_exit_codes_are_those_of_the_script() -> None:
    from tweetlake.errors import EXIT_CODES

    table = (PROJECT / "docs" / "data.md").read_text().partition("## Exit codes")[2]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == [str(code) for code, _ in EXIT_CODES]


def test_the_untouched_production_inventory_stops_before_a_host_is_touched() -> None:
    if (PROJECT / "inventory" / "production" / "group_vars" / "airflow" / "vault.yml").exists():
        pytest.skip("inventory/production is in use here: it has a vault.yml")
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "inventory/production", "site.yml"],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "twitter_etl_destination: is empty" in done.stdout
    assert re.search(r"airflow-1 +: ok=0 +changed=0 +unreachable=0 +failed=1", done.stdout)


def policy_of(document: str) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", document, re.DOTALL)[0])
    return policy


@pytest.mark.slow
def test_the_policy_by_hand_is_enough(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto checks policies, if told so: this user may do what docs/aws.md says, and nothing else."""
    iam = boto3.client(
        "iam",
        endpoint_url=s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    policy = json.dumps(policy_of((PROJECT / "docs" / "aws.md").read_text().replace("BUCKET", s3.bucket)))
    iam.create_user(UserName=s3.bucket)
    iam.put_user_policy(UserName=s3.bucket, PolicyName="readme", PolicyDocument=policy)
    key = iam.create_access_key(UserName=s3.bucket)["AccessKey"]
    env = s3.env | {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    page = {"data": [{**POST, "text": "Sun"}], "meta": {"result_count": 1}}
    s3.client.put_object(Bucket=s3.bucket, Key="manual/pages.jsonl", Body=json.dumps(page).encode() + b"\n")
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)

    pages = tmp_path / "pages.jsonl"
    pages.write_text(json.dumps({"data": [{**POST, "text": "Fog"}], "meta": {"result_count": 1}}) + "\n")
    # The second run lists and reads a bucket, and replaces: it reads the manifest of the first and deletes it.
    for source in (str(pages), f"s3://{s3.bucket}/manual"):
        run = run_etl("--from-raw", source, "--to", f"s3://{s3.bucket}", env=env)
        assert run.code == 0, run.log
        assert "can't be removed" not in run.log
    assert run_etl("--from-raw", str(pages), "--to", f"s3://{s3.bucket}/manual", "--name", "nasa", env=env).code == 0
    refused = run_etl("--from-raw", str(pages), "--to", f"s3://{s3.bucket}/elsewhere", env=env)
    assert refused.code == 7, refused.summary
    assert "AccessDenied" in refused.summary["error"]
