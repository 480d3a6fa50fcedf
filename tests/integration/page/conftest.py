"""The page at / in Chromium: the fixtures of all its tests."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.integration.page.server import ANSWERS, Server, answer, make_home

expect.set_options(timeout=60_000)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def registry(home):
    return make_home(home)


@pytest.fixture(scope="session")
def server(home, registry):
    addresses = {"DAGSTER_URL": "http://127.0.0.1:3000", "MLFLOW_TRACKING_URI": registry.uri}
    with Server(home, **addresses) as server:
        yield server


@pytest.fixture(scope="module")  # Playwright keeps an event loop in the thread: tests of other files bring theirs
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """Open the page in a new window. In every test the page throws nothing and asks no other server."""
    surprises, windows = [], []

    def visit(path="#AAPL", *, stubs=ANSWERS, status=200, url=server.url, **options):
        page = browser.new_context(
            **{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
        ).new_page()
        page.set_default_timeout(60_000)
        windows.append(page)
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("console", lambda message: "Content Security" in message.text and surprises.append(message.text))
        page.on("pageerror", lambda error: surprises.append(str(error)))
        page.on("request", lambda request: request.url.startswith(url) or surprises.append(request.url))
        for where, body in stubs.items():
            answer(page, where, status, body)
        page.goto(f"{url}/{path}")
        return page

    yield visit
    for page in windows:
        page.context.close()
    assert surprises == []
