"""A real Chromium that trusts the host's own authority, and nothing less: no certificate error is ignored.

The address of a live UI comes from the environment (molecule/default/verify.yml, `make test-browser`): UI_URL,
UI_CA_FILE (the authority of its certificate), UI_PASSWORD (the admin's).
"""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

SCREENSHOTS = Path(__file__).resolve().parent.parent.parent / ".cache" / "screenshots"
CHROMIUM_FLAGS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWER = {"username": "browser-viewer", "password": "what the viewer types"}


class Ui:
    """The UI that is tested, and what Chromium complained about while it was used.

    Attributes:
        url: the address, without a slash at its end.
        complaints: errors of the console, such as what the content security policy refused.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def page(self) -> Page:
        """A page of a browser that has never been here."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
        context.set_default_timeout(30_000)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def sign_in(self, page: Page, username: str, password: str) -> None:
        """Fill in the form of the sign-in page, to which the UI leads."""
        page.goto(f"{self.url}/")
        page.locator("#username").fill(username)
        page.locator("#password").fill(password)
        page.locator("input[type=submit]").click()

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def screenshot(page: Page, name: str) -> None:
    """Keep what the page looks like as .cache/screenshots/NAME.png."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture(scope="session")
def password() -> str:
    """The admin's password."""
    return os.environ["UI_PASSWORD"]


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The UI at UI_URL in Chromium, whose store of authorities holds the one of UI_CA_FILE."""
    home = tmp_path_factory.mktemp("home")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for arguments in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "ui", "-i", os.environ["UI_CA_FILE"]]):
        subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True)
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS, env={**os.environ, "HOME": str(home)}
        )
        ui = Ui(browser, os.environ["UI_URL"].rstrip("/"))
        yield ui
        ui.close()
        browser.close()


@pytest.fixture(scope="session")
def viewer(ui: Ui, password: str) -> dict[str, str]:
    """Username and password of a user with the role Viewer, whom the admin adds by the API."""
    trust = ssl.create_default_context(cafile=os.environ["UI_CA_FILE"])

    def post(path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - https, from the environment
            ui.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, context=trust) as answer:  # noqa: S310
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            if error.code == 409:  # there from a run before
                return {}
            raise

    token = post("/auth/token", {"username": "admin", "password": password}, {})["access_token"]
    user = {
        **VIEWER,
        "first_name": "Browser",
        "last_name": "Viewer",
        "email": "viewer@localhost",
        "roles": [{"name": "Viewer"}],
    }
    post("/auth/fab/v1/users", user, {"Authorization": f"Bearer {token}"})
    return VIEWER
