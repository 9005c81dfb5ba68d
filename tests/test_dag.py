"""The DAG in a real Airflow: parsed, serialized, rendered and executed, with a stand-in only for the script it calls.

Runs in Airflow's own environment (`make test-fast` does it) without the project's conftest, and is skipped elsewhere.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip(
    "airflow.sdk", reason="Airflow is not in this environment: make test-fast runs this file in its own"
)

import structlog
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowException, AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction
from pendulum import timezone

DAG_FILE = Path(__file__).resolve().parent.parent / "dags" / "twitter_etl_daily.py"

# Stands for the script: writes down what it was started with, and ends as the test says.
STAND_IN = """\
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
(here / "seen.json").write_text(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ)}))
print((here / "says").read_text())
sys.exit(int((here / "exit_code").read_text()))
"""
SETTINGS = {
    "account": "nasa",
    "query": "",
    "name": "",
    "destination": "s3://bucket/posts",
    "include_replies": False,
    "include_retweets": False,
    "archive": False,
    "max_cost_usd": "",
    "schedule": "30 1 * * *",
    "start_date": "2026-03-01",
    "catchup": False,
    "paused": False,
    "retries": 5,
    "timeout_seconds": 3600,
    "python": sys.executable,
    "env_file": "/etc/twitter-etl/twitter.env",
    "state_dir": "/var/lib/airflow/twitter-etl",
}


class Project:
    """A DAG file with its settings, and a script that tells what it was started with."""

    def __init__(self, folder: Path, **changed: Any) -> None:
        self.folder = folder
        (folder / "script.py").write_text(STAND_IN)
        self.exits_with(0)
        self.says('{"status": "done"}')
        settings = SETTINGS | {"script": str(folder / "script.py")} | changed
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "dags").mkdir()
        shutil.copy(DAG_FILE, folder / "dags")
        os.environ["TWITTER_ETL_SETTINGS"] = str(folder / "settings.json")
        self.bag = DagBag(folder / "dags")
        assert self.bag.import_errors == {}
        (self.dag,) = self.bag.dags.values()
        (self.task,) = self.dag.tasks

    @property
    def timetable(self) -> Any:
        """The timetable as the scheduler has it: after the DAG went through the database's serialization."""
        return DagSerialization.from_dict(DagSerialization.to_dict(self.dag)).timetable

    def says(self, *lines: str) -> None:
        (self.folder / "says").write_text("\n".join(lines))

    def exits_with(self, code: int) -> None:
        (self.folder / "exit_code").write_text(str(code))

    def run(self, day: str | None = "2026-03-07", **params: Any) -> list[str]:
        """Render and execute the task for a data interval that starts on the day; the script's arguments."""
        context = {
            "params": {name: None for name in self.dag.params} | params,
            "dag_run": type("DagRun", (), {"run_after": datetime(2026, 3, 10, 12, tzinfo=UTC)})(),
            "macros": type("Macros", (), {"timedelta": timedelta}),
            "dag": self.dag,
            "task": self.task,
        }
        if day:
            context["data_interval_start"] = datetime.fromisoformat(day).replace(hour=1, minute=30, tzinfo=UTC)
        task = copy(self.task)  # rendering replaces the templates
        task.render_template_fields(context, self.dag.get_template_env())
        self.result = task.execute(context)
        seen = json.loads((self.folder / "seen.json").read_text())
        self.environ = seen["environ"]
        return list(seen["argv"])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("TWITTER_ETL_SETTINGS", "set by Project")
    return Project(tmp_path)


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What Airflow logs, as structlog has it: dictionaries with `event` and `log_level`."""
    with structlog.testing.capture_logs([structlog.stdlib.PositionalArgumentsFormatter()]) as entries:
        yield entries


def test_parses_and_is_called_like_its_file(project: Project) -> None:
    assert project.dag.dag_id == DAG_FILE.stem
    assert project.dag.doc_md
    assert project.dag.tags
    assert not project.dag.is_paused_upon_creation


def test_parsing_twice_gives_the_same_dag(project: Project, tmp_path: Path) -> None:
    """A DAG that differs from parse to parse gets a new version each time, and fills Airflow's database."""
    again = DagBag(tmp_path / "dags").dags[project.dag.dag_id]
    assert DagSerialization.to_dict(again) == DagSerialization.to_dict(project.dag)


def test_without_settings_the_import_error_names_the_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWITTER_ETL_SETTINGS", str(tmp_path / "absent.json"))
    (message,) = DagBag(tmp_path / "dags").import_errors.values()
    assert "absent.json" in message


def test_first_catchup_run_is_the_start_date_and_each_interval_one_day(project: Project) -> None:
    start = datetime(2026, 3, 1, tzinfo=timezone("UTC"))
    restriction = TimeRestriction(earliest=start, latest=None, catchup=True)
    first = project.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert first.data_interval.start.isoformat() == "2026-03-01T01:30:00+00:00"
    assert first.data_interval.end - first.data_interval.start == timedelta(days=1)
    assert first.run_after.isoformat() == "2026-03-02T01:30:00+00:00"
    second = project.timetable.next_dagrun_info(
        last_automated_data_interval=first.data_interval, restriction=restriction
    )
    assert second.data_interval == DataInterval(first.data_interval.end, first.data_interval.end + timedelta(days=1))


@pytest.mark.parametrize(("triggered", "day"), [("2026-03-10T12:00", "2026-03-09"), ("2026-03-10T01:30", "2026-03-09")])
def test_a_manual_run_takes_the_last_complete_day(project: Project, triggered: str, day: str) -> None:
    moment = datetime.fromisoformat(triggered).replace(tzinfo=timezone("UTC"))
    assert project.timetable.infer_manual_data_interval(run_after=moment).start.date().isoformat() == day


def test_a_scheduled_run_fetches_its_day(project: Project) -> None:
    assert project.run("2026-03-07") == [
        "--env-file=/etc/twitter-etl/twitter.env",
        "--to=s3://bucket/posts",
        "--account=nasa",
        "--date=2026-03-07",
    ]
    assert json.loads(project.result) == {"status": "done"}


def test_a_run_without_a_logical_date_takes_yesterday(project: Project) -> None:
    assert "--date=2026-03-09" in project.run(day=None)


def test_date_of_a_manual_run_wins(project: Project) -> None:
    assert "--date=2026-02-28" in project.run(date="2026-02-28")


def test_latest_replaces_the_date(project: Project) -> None:
    arguments = project.run(latest=50)
    assert "--latest=50" in arguments
    assert not any(argument.startswith("--date") for argument in arguments)


@pytest.mark.parametrize(("switch", "given"), [(True, True), (False, False), (None, False)])
def test_a_landed_day_is_read_anew_only_where_that_is_switched_on(
    project: Project, switch: bool | None, given: bool
) -> None:
    assert ("--again" in project.run(again=switch)) is given


@pytest.mark.parametrize(
    ("params", "source"),
    [
        ({"account": "esa"}, ["--account=esa", "--name=esa"]),
        ({"query": "-from:nasa moon"}, ["--query=-from:nasa moon", "--name=search"]),
        ({"query": "moon", "name": "moon"}, ["--query=moon", "--name=moon"]),
    ],
)
def test_another_source_never_replaces_a_day_of_the_regular_one(
    project: Project, params: dict[str, Any], source: list[str]
) -> None:
    assert project.run(**params)[1:-1] == ["--to=s3://bucket/posts/manual", *source]


def test_account_and_query_together_are_left_to_the_script_to_refuse(project: Project) -> None:
    arguments = project.run(account="esa", query="moon")
    assert {"--account=esa", "--query=moon"} <= set(arguments)


@pytest.mark.parametrize(
    ("setting", "typed", "option"),
    [("", None, []), ("0.5", None, ["--max-cost=0.5"]), ("0.5", 3, ["--max-cost=3"]), ("", 0, ["--max-cost=0"])],
)
def test_a_limit_in_dollars_reaches_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, typed: float | None, option: list[str]
) -> None:
    monkeypatch.setenv("TWITTER_ETL_SETTINGS", "set by Project")
    arguments = Project(tmp_path, max_cost_usd=setting).run(max_cost=typed)
    assert [argument for argument in arguments if argument.startswith("--max-cost")] == option


def test_a_spent_budget_says_so_in_the_ui(project: Project) -> None:
    project.exits_with(9)
    with pytest.raises(AirflowFailException, match=r"budget of the month \(exit code 9\)"):
        project.run()


def test_the_documentation_in_the_ui_says_that_a_backfill_leaves_its_last_date_out(project: Project) -> None:
    from airflow.models.backfill import _get_info_list  # how `airflow backfill create` lists its runs

    days = _get_info_list(
        dag=DagSerialization.from_dict(DagSerialization.to_dict(project.dag)),
        from_date=datetime(2026, 3, 1, tzinfo=UTC),
        to_date=datetime(2026, 3, 4, tzinfo=UTC),
        reverse=False,
    )
    assert [str(info.data_interval.start.date()) for info in days] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert "E itself is left out" in project.dag.doc_md


def test_settings_reach_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWITTER_ETL_SETTINGS", "set by Project")
    flags = {"include_replies": True, "include_retweets": True, "archive": True}
    project = Project(tmp_path, account="", query='"{{ 1 + 1 }}" $(id) moon', name="moon", **flags)
    arguments = project.run()
    assert {'--query="{{ 1 + 1 }}" $(id) moon', "--name=moon"} <= set(arguments)
    assert arguments[-3:] == ["--include-replies", "--include-retweets", "--archive"]


@pytest.mark.parametrize(
    "hostile",
    [
        "'; touch {marker}; '",
        '"; touch {marker}; "',
        "$(touch {marker})",
        "`touch {marker}`",
        "a\ntouch {marker}\n",
        "a && touch {marker}",
        "--to=/tmp --help",
        "* ? [a-z] ~ \\ !",
        "{{{{ 7 * 7 }}}}{{% raw %}}",
    ],
)
def test_what_a_person_types_is_one_argument_and_runs_nothing(project: Project, tmp_path: Path, hostile: str) -> None:
    marker = tmp_path / "ran"
    text = hostile.format(marker=marker)
    for param in ("account", "query", "name", "date", "latest", "max_cost"):
        assert f"--{param.replace('_', '-')}={text}" in project.run(**{param: text})
        assert len(project.run(**{param: text})) <= 5
    assert not marker.exists()


def test_a_megabyte_is_refused_by_the_kernel_and_runs_nothing(project: Project, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Argument list too long"):
        project.run(query="$(touch ran) " * 80_000)
    assert not (tmp_path / "seen.json").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account", "na sa"),
        ("account", "@nasa"),
        ("account", "nasa\n"),
        ("account", "a" * 16),
        ("query", "moon\nmars"),
        ("query", "m" * 1025),
        ("query", "m" * 1_000_000),
        ("name", "../other"),
        ("date", "yesterday"),
        ("date", "2026-02-30"),
        ("date", "2026-03-01\n"),
        ("latest", 0),
        ("max_cost", -1),
        ("max_cost", "2; id"),
        ("latest", "5; id"),
    ],
)
def test_the_trigger_form_refuses(project: Project, name: str, value: Any) -> None:
    params = ParamsDict({name: project.dag.params.get_param(name)})
    with pytest.raises(ParamValidationError):
        params[name] = value


@pytest.mark.parametrize(
    ("name", "value"),
    [("account", "NASA_1"), ("query", "from:nasa (moon OR mars) 🚀"), ("name", "a.b-c"), ("date", "2028-02-29"),
     ("latest", 100), ("account", None), ("latest", None)],
)  # fmt: skip
def test_the_trigger_form_accepts(project: Project, name: str, value: Any) -> None:
    params = ParamsDict({name: project.dag.params.get_param(name)})
    params[name] = value
    assert params[name] == value


def test_the_script_sees_its_own_environment_only(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://airflow:secret@localhost/airflow")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/airflow-scheduler.service")
    project.run()
    names = {name for name in project.environ if not name.startswith("AIRFLOW_CTX_")}
    bash_own = {"PWD", "SHLVL", "_", "LC_CTYPE"}
    declared = set(sys.modules[project.dag.task_dict["twitter_etl"].__class__.__module__].ENVIRONMENT)
    assert names - bash_own == declared
    assert project.environ["HOME"] == "/var/lib/airflow/twitter-etl"


@pytest.mark.parametrize("code", [2, 3, 4, 8, 9])
def test_what_another_try_cannot_help_fails_at_once(project: Project, code: int) -> None:
    project.exits_with(code)
    with pytest.raises(AirflowFailException, match=rf"Not retried: .+ \(exit code {code}\)"):
        project.run()


@pytest.mark.parametrize("code", [1, 5, 6, 7, 99])
def test_what_may_pass_is_retried(project: Project, code: int) -> None:
    project.exits_with(code)
    with pytest.raises(AirflowException) as failure:
        project.run()
    assert type(failure.value) is AirflowException


REFUSED = (
    "X refused the bearer token (401 Unauthorized). Nothing was read, nothing was billed. Put a new token into"
    " vault_x_bearer_token of vault.yml, then run ansible-playbook playbooks/deploy.yml. 100 % of the rest is kept."
)
SUMMARY = '{"status": "failed", "exit_code": 3, "days": [], "posts_billed": 12, "cost_usd": 0.06, "error": "X refused"}'


def test_a_failure_is_told_as_errors_that_fit_the_screen(project: Project, logged: list[Any]) -> None:
    project.exits_with(3)
    project.says(
        "2026-03-08T01:30:02Z INFO    nasa 2026-03-07: 1 page", f"2026-03-08T01:30:03Z ERROR   {REFUSED}", SUMMARY
    )
    with pytest.raises(AirflowFailException, match="Not retried: X refused the credentials") as failure:
        project.run()
    shown = [(entry["log_level"], entry["event"]) for entry in logged if entry["log_level"] != "debug"]
    errors = [event for level, event in shown if level == "error"]
    assert " ".join(event.strip() for event in errors) == REFUSED
    assert len(errors) > 1
    assert max(len(event) for _, event in shown) <= 80
    assert ("info", "nasa 2026-03-07: 1 page") in shown
    assert ("info", "X billed 12 posts; in all 0.060 USD") in shown
    assert failure.value.__context__ is None  # Airflow prints one traceback, not two


def test_a_crash_of_the_script_is_an_error_with_all_of_its_traceback(project: Project, logged: list[Any]) -> None:
    project.exits_with(1)
    traceback = ["Traceback (most recent call last):", '  File "x.py", line 1, in <module>', "ZeroDivisionError: 1 / 0"]
    project.says("2026-03-08T01:30:03Z ERROR   Unexpected fault", *traceback)
    with pytest.raises(AirflowException):
        project.run()
    errors = [entry["event"] for entry in logged if entry["log_level"] == "error"]
    assert errors == ["Unexpected fault", *traceback]


def test_who_ends_without_a_word_gets_a_reason_all_the_same(project: Project, logged: list[Any]) -> None:
    project.exits_with(137)
    project.says("2026-03-08T01:30:02Z INFO    nasa 2026-03-07: 1 page")
    with pytest.raises(AirflowException, match="exit code 137"):
        project.run()
    (error,) = [entry["event"] for entry in logged if entry["log_level"] == "error"]
    assert error == "The script ended without a reason. Its last line: nasa 2026-03-07: 1 page"


def test_the_summary_is_the_tasks_result_and_not_in_its_log(project: Project, logged: list[Any]) -> None:
    project.says("2026-03-08T01:30:02Z WARNING X asks to wait 3 s", SUMMARY)
    project.run()
    assert project.result == SUMMARY
    assert not [entry for entry in logged if "exit_code" in entry["event"]]
    assert {"event": "X asks to wait 3 s", "log_level": "warning"} in logged


def test_retries_pause_longer_each_time_and_a_try_is_bounded(project: Project) -> None:
    task = project.task
    assert (task.retries, task.execution_timeout) == (5, timedelta(hours=1))
    assert task.retry_exponential_backoff > 1
    assert task.retry_delay < task.max_retry_delay <= timedelta(hours=1)
    assert project.dag.max_active_runs == 1


def test_retries_outlast_a_working_day_without_x(project: Project) -> None:
    """X was away for 8 hours in September 2025."""
    defaults = yaml.safe_load((DAG_FILE.parents[1] / "roles/twitter_etl/defaults/main.yml").read_text())
    task, pauses = project.task, []
    for number in range(defaults["twitter_etl_retries"]):
        pauses.append(min(task.retry_delay * task.retry_exponential_backoff**number, task.max_retry_delay))
    assert timedelta(hours=12) <= sum(pauses, timedelta()) <= timedelta(hours=16), "over before the next day's run"


@pytest.mark.parametrize("catchup", [True, False])
def test_settings_decide_on_catchup_and_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catchup: bool) -> None:
    monkeypatch.setenv("TWITTER_ETL_SETTINGS", "set by Project")
    project = Project(tmp_path, catchup=catchup, paused=catchup, retries=1, timeout_seconds=90)
    assert (project.dag.catchup, project.dag.is_paused_upon_creation) == (catchup, catchup)
    assert (project.task.retries, project.task.execution_timeout) == (1, timedelta(seconds=90))
    assert project.dag.start_date == datetime(2026, 3, 1, tzinfo=UTC)
