"""
### One UTC day of posts, every day

The run for day D starts at the time of `schedule` (01:30 UTC unless changed) on D+1 and runs
`twitter_etl.py --date D`: all posts **created** on D become the partition `dt=D` of the bucket.
A day that is in the bucket already, complete and of this source, is not asked of X (nor paid for) again: such a run is
green at once.

**Run a day that was missed:** *Trigger*, and fill in `date`. Without it, a manual run takes the last complete day.
**Read a day anew:** switch `again` on as well.
**Another account or a search:** fill in `account` or `query`. Such a run lands under `manual/` in the destination, with
`source=NAME` in its path, so that it never replaces a day of the regular source.
**The newest N posts:** fill in `latest`.
**Many days:** `airflow backfill create --dag-id twitter_etl_daily --from-date D --to-date E`; E itself is left out,
because a run stands at its time of day and the date means midnight.
**No more than so many USD:** fill in `max_cost`; otherwise the inventory's limit holds, if it has one.

**When it fails:** the log's lines of level ERROR say what happened, what was kept and what to do. An X or bucket that
doesn't answer and a used-up rate limit are retried for twelve hours, at last once an hour; wrong settings, refused
credentials, spent credits or budget and bad data fail at once, because another try would only fail (or cost) again. A
run that its budget has ended goes on from there when the same day is run again.

What runs is set in the inventory (`twitter_etl_*`), which Ansible writes to `/etc/twitter-etl/settings.json`.
"""

import json
import logging
import os
import re
import textwrap
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Context, CronDataIntervalTimetable, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

SETTINGS = json.loads(Path(os.environ.get("TWITTER_ETL_SETTINGS", "/etc/twitter-etl/settings.json")).read_text())

# Exit codes of twitter_etl.py that another try can't help; the others (5 rate limit, 6 X, 7 bucket) are retried.
NOT_RETRIED = {
    2: "a setting or a parameter is wrong",
    3: "X refused the credentials",
    4: "X credits or the spending cap are used up",
    8: "the data is bad: too many rejects, or X knows no such account or doesn't show it",
    9: "the next request could exceed --max-cost or the budget of the month",
}

# Whatever a person types reaches the script as one argument: through the environment, never through this text.
# Where the host's memory runs out, the kernel takes the script first (choom): it goes on from the page it was at.
COMMAND = """
exec choom --adjust 500 -- "$PYTHON" "$SCRIPT" --env-file="$ENV_FILE" --to="$TO" \
    ${ACCOUNT:+--account="$ACCOUNT"} ${QUERY:+--query="$QUERY"} ${NAME:+--name="$NAME"} \
    ${DATE:+--date="$DATE"} ${LATEST:+--latest="$LATEST"} \
    ${MAX_COST:+--max-cost="$MAX_COST"} \
    ${AGAIN:+--again} ${REPLIES:+--include-replies} ${RETWEETS:+--include-retweets} ${ARCHIVE:+--archive}
"""

# The whole environment of the script: nothing of Airflow's own is handed on. Secrets are in ENV_FILE.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "{{ settings.state_dir }}",
    "PYTHON": "{{ settings.python }}",
    "SCRIPT": "{{ settings.script }}",
    "ENV_FILE": "{{ settings.env_file }}",
    "TO": "{{ settings.destination }}{{ '/manual' if params.account or params.query else '' }}",
    "ACCOUNT": "{{ params.account or ('' if params.query else settings.account) }}",
    "QUERY": "{{ params.query or ('' if params.account else settings.query) }}",
    "NAME": "{{ params.name or params.account or ('search' if params.query else settings.name) }}",
    # A run triggered without a logical date has no data interval: yesterday, then.
    "DATE": "{{ '' if params.latest else params.date or (data_interval_start if data_interval_start is defined"
    " else dag_run.run_after - macros.timedelta(days=1)) | ds }}",
    "LATEST": "{{ params.latest or '' }}",
    "MAX_COST": "{{ settings.max_cost_usd if params.max_cost is none else params.max_cost }}",
    "AGAIN": "{{ '1' if params.again else '' }}",
    "REPLIES": "1" if SETTINGS["include_replies"] else "",
    "RETWEETS": "1" if SETTINGS["include_retweets"] else "",
    "ARCHIVE": "1" if SETTINGS["archive"] else "",
}

# End of the text, in the browser's regular expressions and in Python's, where $ alone lets a last newline pass.
END = r"$(?!\n)"
PARAMS = {
    "account": Param(
        None,
        type=["null", "string"],
        pattern=r"^[A-Za-z0-9_]{1,15}" + END,
        description="Another account than the inventory's, without the @. Lands under manual/.",
    ),
    "query": Param(
        None,
        type=["null", "string"],
        pattern=r"^[^\x00-\x1f\x7f]+" + END,
        maxLength=1024,
        description="A search instead of an account. Lands under manual/.",
    ),
    "name": Param(
        None,
        type=["null", "string"],
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}" + END,
        description="source=NAME of a run with another account or query; otherwise the account, or `search`.",
    ),
    "date": Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=r"^\d{4}-\d{2}-\d{2}" + END,
        description="UTC day to fetch. Otherwise the last complete one.",
    ),
    "again": Param(
        False,
        type=["null", "boolean"],
        description="Read the day anew although it has landed.",
    ),
    "latest": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=3200,
        description="The newest N posts instead of a whole day.",
    ),
    "max_cost": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=100_000,
        description="The run ends before it costs more than this, in USD.",
    ),
}


class ScriptLog:
    """Hands the script's lines on: each with its own level, and none wider than the log of Airflow's UI.

    The JSON summary is kept instead, and what the hook says of itself is for who debugs the hook.
    """

    LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) +(.*)")
    WIDTH = 80  # characters; a window of 1280 pixels shows some 86 before it cuts a line off

    def __init__(self, log: Any) -> None:
        self._log = log
        self._level = logging.INFO  # of the lines that follow one with a level: a traceback's
        self.summary: dict[str, Any] = {}
        self.last_line = ""
        self.said_error = False

    def info(self, text: str, *values: object) -> None:
        """What the hook calls: with `%s` and a line of the script, or with a sentence of its own."""
        if text != "%s":
            self._log.debug(text, *values)
            return
        line = str(values[0])
        if self.is_summary(line):
            return
        if match := self.LINE.match(line):
            self._level, line = logging.getLevelNamesMapping()[match[1]], match[2]
        self.last_line = line
        self.said_error |= self._level >= logging.ERROR
        for part in textwrap.wrap(line, self.WIDTH, subsequent_indent="  ", break_long_words=False):
            self._log.log(self._level, "%s", part)

    def is_summary(self, line: str) -> bool:
        """Keep the summary, if this is it. One that was torn by a kill is a line like others."""
        if not line.startswith('{"status":'):
            return False
        try:
            self.summary = json.loads(line)
        except ValueError:
            return False
        return True


class ScriptHook(SubprocessHook):
    """A SubprocessHook that logs as ScriptLog does."""

    @cached_property
    def log(self) -> ScriptLog:
        return ScriptLog(super().log)


class TwitterEtlOperator(BashOperator):
    """A BashOperator that tells a failure in the script's own words, and gives up where a retry can't help."""

    @cached_property
    def subprocess_hook(self) -> ScriptHook:
        return ScriptHook()

    def execute(self, context: Context) -> str:
        """Run the command; return its last line, the JSON summary of the run."""
        try:
            return super().execute(context)
        except AirflowException:
            process = self.subprocess_hook.sub_process
            code = process.returncode if process else None
        # Raised here, outside of `except`: one short traceback in the log instead of two.
        self.log_what_is_missing(self.subprocess_hook.log)
        if code in NOT_RETRIED:
            raise AirflowFailException(
                f"Not retried: {NOT_RETRIED[code]} (exit code {code}). The errors above name cause and fix."
            )
        raise AirflowException(f"Retried while tries are left (exit code {code}). The errors above name the cause.")

    def log_what_is_missing(self, said: ScriptLog) -> None:
        """After a failure: a reason where the script had no time to give one, and what it cost."""
        if not said.said_error:
            self.log.error("The script ended without a reason. Its last line: %s", said.last_line or "(nothing)")
        if "posts_billed" in said.summary:
            self.log.info("X billed %(posts_billed)d posts; in all %(cost_usd).3f USD", said.summary)


with DAG(
    dag_id="twitter_etl_daily",
    description="One UTC day of posts into the bucket",
    doc_md=__doc__,
    tags=["etl", "twitter"],
    # Not a plain cron string: Airflow 3 gives that one an empty data interval, and the day would be lost.
    schedule=CronDataIntervalTimetable(SETTINGS["schedule"], timezone="UTC"),
    start_date=datetime.fromisoformat(SETTINGS["start_date"]).replace(tzinfo=UTC),
    catchup=SETTINGS["catchup"],
    is_paused_upon_creation=SETTINGS["paused"],
    max_active_runs=1,
    params=PARAMS,
    user_defined_macros={"settings": SETTINGS},
):
    TwitterEtlOperator(
        task_id="twitter_etl",
        bash_command=COMMAND,
        env=ENVIRONMENT,
        skip_on_exit_code=None,
        execution_timeout=timedelta(seconds=SETTINGS["timeout_seconds"]),
        retries=SETTINGS["retries"],
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(hours=1),
    )
