"""The page at / in Chromium: the fixtures of all its tests."""

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.chromium import CHROMIUM, MISSING
from tests.integration.page.server import ANSWERS, Server, answer, make_home
from tests.waiting import PATIENCE

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def registry(home):
    return make_home(home)


@pytest.fixture(scope="session")
def server(home, registry):
    addresses = {
        "DAGSTER_URL": "http://127.0.0.1:3000",
        "MLFLOW_TRACKING_URI": registry.uri,
        "ZENITH_API_KEYS": "secret",
    }
    with Server(home, **addresses) as server:
        yield server


@pytest.fixture(scope="module")  # Playwright keeps an event loop in the thread: tests of other files bring theirs
def browser():
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def windows(browser):
    """Open windows by their options: a window of its own for each test would take seconds to open."""
    return {}


@pytest.fixture
def visit(browser, windows, server):
    """Open the page in a window that remembers nothing. No test lets it throw, or ask another server."""
    surprises, opened, visited = [], [], []

    def window(options):
        """Return the module's window with these options, or one of the test's own if it has that one already."""
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
        key = str(sorted(options.items()))
        if key not in windows or windows[key] in visited:
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(1000 * PATIENCE)
            if key in windows:
                opened.append(page)
            else:
                windows[key] = page
            return page
        return windows[key]

    def visit(path="#AAPL", *, stubs=ANSWERS, status=200, url=server.url, **options):
        page = window(options)
        visited.append(page)
        page.said = said = []
        listeners = {
            "console": lambda message: said.append(message.text),
            "pageerror": lambda error: surprises.append(str(error)),
            "request": lambda asked: asked.url.startswith(url) or surprises.append(asked.url),
        }
        page.listeners = listeners
        for event, listener in listeners.items():
            page.on(event, listener)
        for where, body in stubs.items():
            answer(page, where, status, body)
        page.goto(f"{url}/{path}")
        return page

    yield visit
    for page in visited:
        surprises += [text for text in page.said if "Content Security" in text]
        forget(page)
    for page in opened:
        page.context.close()
    assert surprises == []


def forget(page):
    """Leave the page as a new window has it."""
    for event, listener in page.listeners.items():
        page.remove_listener(event, listener)
    page.unroute_all(behavior="ignoreErrors")
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.context.clear_cookies()
    page.goto("about:blank")
    page.mouse.move(0, 0)
