"""What people do in the UI, through the proxy: sign in, look, trigger a day, see it turn green, read its log, leave."""

import os
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Ui, screenshot

pytestmark = [
    pytest.mark.skipif("UI_URL" not in os.environ, reason="needs a live UI: make test-browser"),
    pytest.mark.timeout(300),
]
DAG = "twitter_etl_daily"
DAY = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()


def test_a_day_is_triggered_and_turns_green(ui: Ui, password: str) -> None:
    page = ui.page()
    ui.sign_in(page, "admin", password)
    page.goto(f"{ui.url}/dags")
    expect(page.get_by_text(DAG).first).to_be_visible()
    screenshot(page, "dags")

    page.goto(f"{ui.url}/dags/{DAG}")
    page.get_by_test_id("trigger-dag-button").first.click()
    # With a run to repeat there is a menu first.
    item, date = page.get_by_role("menuitem", name="Trigger", exact=True), page.locator("[name=element_date]")
    expect(item.or_(date).first).to_be_visible()
    if item.is_visible():
        item.click()
    date.fill(DAY)
    screenshot(page, "trigger")
    with page.expect_response(lambda answer: answer.request.method == "POST" and "dagRuns" in answer.url) as triggered:
        page.get_by_test_id("trigger-dag-submit").click()
    run = triggered.value.json()
    assert run["conf"]["date"] == DAY
    run_id = quote(run["dag_run_id"], safe="")

    page.goto(f"{ui.url}/dags/{DAG}/runs/{run_id}")
    expect(page.get_by_test_id("state-badge").first).to_contain_text("Success", timeout=90_000)
    screenshot(page, "run")

    page.goto(f"{ui.url}/dags/{DAG}")
    for shown in ("twitter_etl", "Failed Runs", re.compile(r"^Last \d+ Dag Runs?$")):
        expect(page.get_by_text(shown).first).to_be_visible()
    expect(page.get_by_test_id("trigger-dag-button").first).to_be_visible()
    expect(page.locator(".chakra-skeleton")).to_have_count(0)
    page.wait_for_timeout(1500)  # the chart draws itself
    screenshot(page, "grid")

    page.goto(f"{ui.url}/dags/{DAG}/runs/{run_id}/tasks/twitter_etl")
    expect(page.get_by_text(re.compile("_manifest.json")).first).to_be_visible()
    screenshot(page, "log")

    page.goto(f"{ui.url}/dags/{DAG}/code")
    expect(page.locator(".view-line").first).to_be_visible()
    screenshot(page, "code")

    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["_token"]["secure"] and cookies["_token"]["httpOnly"]
    assert cookies["session"]["secure"] and cookies["session"]["httpOnly"]

    page.goto(f"{ui.url}/auth/logout")
    page.goto(f"{ui.url}/dags")
    expect(page.locator("#password")).to_be_visible()
    # The UI lives with the headers of the proxy: nothing that it needs is refused.
    assert not [complaint for complaint in ui.complaints if "Content Security Policy" in complaint]


def test_a_wrong_password_is_refused(ui: Ui) -> None:
    page = ui.page()
    ui.sign_in(page, "admin", "not the password")
    expect(page.get_by_text("Invalid login")).to_be_visible()
    page.goto(f"{ui.url}/dags")
    expect(page.locator("#password")).to_be_visible()


def test_a_viewer_may_look_but_not_trigger(ui: Ui, viewer: dict[str, str]) -> None:
    page = ui.page()
    ui.sign_in(page, **viewer)
    page.goto(f"{ui.url}/dags/{DAG}")
    expect(page.get_by_text("twitter_etl").first).to_be_visible()
    screenshot(page, "viewer")
    status = page.evaluate(
        "async ([url, run]) => (await fetch(url, {method: 'POST', body: JSON.stringify(run),"
        " headers: {'Content-Type': 'application/json'}})).status",
        [f"{ui.url}/api/v2/dags/{DAG}/dagRuns", {"logical_date": None, "conf": {"date": DAY}}],
    )
    assert status == 403
