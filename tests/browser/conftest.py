"""A real Chromium, the real app, and the page in front of scripted engines."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from demo.ui.files import PLACE
from tests.browser.chromium import launch
from tests.browser.serving import Served, serve
from tests.browser.tab import Tab, Tabs, open_tabs
from tests.scripted import ScriptedEngine, TypingEngine

ROOT = Path(__file__).resolve().parents[2]
WORDS = [f"word{index} " for index in range(120)]


def pytest_configure(config: pytest.Config) -> None:
    """Gradio counts its own events in ways that newer versions of pandas warn of."""
    for words in (".*no_silent_downcasting", "The copy keyword is deprecated"):
        config.addinivalue_line("filterwarnings", f"ignore:{words}")
    # A tab that closes while a test's server ends leaves that a socket which only the garbage collector closes.
    unclosed = "Exception ignored in. <(function _SelectorTransport|socket.socket)"
    config.addinivalue_line("filterwarnings", f"ignore:{unclosed}:pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On two busy cores a browser sometimes stands still for a second: a test that fails is tried again, and listed."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this folder, gone before the next: its event loop must not outlive it."""
    with sync_playwright() as playwright:
        browser = launch(playwright, "--process-per-site")
        hold_process(browser.new_context())
        yield browser
        browser.close()


def hold_process(tabs: BrowserContext) -> None:
    """Keep a tab of this machine's site open: the process that all tabs share keeps the scripts that it compiled."""
    page = tabs.new_page()
    page.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
    page.goto("http://127.0.0.1/")


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Tabs]:
    """Opens a test's tabs."""
    with open_tabs(browser) as tabs:
        yield tabs


@pytest.fixture(scope="module")
def scripted() -> Iterator[tuple[ScriptedEngine, Served]]:
    """An engine that tests drive by hand, and the page in front of it."""
    engine = ScriptedEngine()
    with serve(engine) as served:
        yield engine, served


@pytest.fixture
def engine(scripted: tuple[ScriptedEngine, Served]) -> ScriptedEngine:
    """That engine, without the requests of the test before."""
    engine, _ = scripted
    engine.close()
    engine.tickets.clear()
    engine.refusal = None
    return engine


@pytest.fixture
def served(engine: ScriptedEngine, scripted: tuple[ScriptedEngine, Served]) -> Served:
    """The page in front of `engine`."""
    return scripted[1]


@pytest.fixture(scope="module")
def kept_tab(browser: Browser, scripted: tuple[ScriptedEngine, Served]) -> Iterator[Tab]:
    """A tab that stays open, since opening one takes seconds."""
    with open_tabs(browser) as open_tab:
        yield open_tab(scripted[1].url)


@pytest.fixture
def tab(kept_tab: Tab, engine: ScriptedEngine) -> Tab:
    """That tab as it was opened."""
    return clear(kept_tab)


@pytest.fixture(scope="package")
def typing_url() -> Iterator[str]:
    """The page in front of an engine that types by itself."""
    with serve(TypingEngine(WORDS, 0.02)) as served:
        yield served.url


@pytest.fixture(scope="module")
def kept_typing_tab(browser: Browser, typing_url: str) -> Iterator[Tab]:
    """A tab that stays open in front of an engine that types by itself."""
    with open_tabs(browser) as open_tab:
        yield open_tab(typing_url)


@pytest.fixture
def typing_tab(kept_typing_tab: Tab) -> Tab:
    """That tab as it was opened."""
    return clear(kept_typing_tab)


def clear(tab: Tab) -> Tab:
    """The tab without a race, and with its switches off."""
    for switch in tab.page.locator("[id$=-raw][aria-pressed=true]:enabled, #keep input:checked").all()[::-1]:
        switch.click()
    if tab.find("clear").is_enabled():
        tab.find("clear").click()
    tab.expect_both("ready")
    tab.prompt.fill("How do you make cheese?")
    return tab


@pytest.fixture(scope="module")
def modules(browser: Browser, typing_url: str) -> Iterator[Page]:
    """A document with our strict policy and nothing else, for tests that import the page's modules."""
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{typing_url}{PLACE}/snippets.json")
        yield page


@pytest.fixture(scope="package")
def app_url() -> Iterator[str]:
    """The real app with the embedded model, as its own process."""
    # One thread: two workers' models share the cores.
    with start_program("app.py", "--port", "0", "--threads", "1") as (_, url):
        yield url


@contextmanager
def start_program(*command: str) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A server as its own process, and its address."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, _find_address(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _find_address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"Listening on (http://\S+)", line)
        if found:
            return found[1]
    raise AssertionError(f"the app ended without listening:\n{said}")
