"""A real Chromium, the real app, and the page in front of scripted engines."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from demo.ui.files import PLACE
from tests.browser.chromium import launch
from tests.browser.kept_tab import KEPT, KeptTab
from tests.browser.serving import ChosenEngine, serve
from tests.browser.tab import Tab, Tabs, open_tabs
from tests.scripted import ScriptedEngine, TypingEngine
from tests.static.building import build_small

WORDS = [f"word{index} " for index in range(120)]
SCRIPTED_PATIENCE = 40_000  # milliseconds: no model computes what is expected
CALL = "async ([path, name, values]) => (await import(path))[name](...values)"
Chosen = TypeVar("Chosen", bound=ScriptedEngine)


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


def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> None:
    """The test after one that failed gets new tabs."""
    if call.excinfo is not None:
        for tab in KEPT:
            tab.is_spoiled = True


@pytest.fixture(autouse=True)
def _no_complaints() -> Iterator[None]:
    """No test leaves an error in a tab that stays open."""
    yield
    for kept in KEPT:
        kept.tabs.check()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this folder, gone before the next: its event loop must not outlive it."""
    with sync_playwright() as playwright:
        browser = launch(playwright, "--process-per-site")
        expect.set_options(timeout=SCRIPTED_PATIENCE)
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


class Stage:
    """A server's page in front of the engine that a test chooses, and a tab that stays open: opening takes seconds."""

    def __init__(self, url: str, tab: KeptTab, chosen: ChosenEngine) -> None:
        self.url = url
        self._tab = tab
        self._chosen = chosen

    def choose(self, engine: Chosen) -> Chosen:
        """`engine` answers from now on."""
        self._chosen.choose(engine)
        return engine

    def show(self, engine: ScriptedEngine) -> Tab:
        """The tab as it was opened, in front of `engine`."""
        self.choose(engine)
        return self._tab.clear()


@pytest.fixture(scope="package")
def stage(browser: Browser) -> Iterator[Stage]:
    """For tests that bring an engine of their own."""
    chosen = ChosenEngine(ScriptedEngine())
    with serve(chosen) as url, KeptTab(browser, url) as tab:
        yield Stage(url, tab, chosen)


@pytest.fixture
def engine(stage: Stage) -> ScriptedEngine:
    """An engine that the test drives by hand."""
    return stage.choose(ScriptedEngine())


@pytest.fixture
def url(engine: ScriptedEngine, stage: Stage) -> str:
    """Of the page in front of `engine`."""
    return stage.url


@pytest.fixture
def tab(stage: Stage, engine: ScriptedEngine) -> Tab:
    """The tab that stays open, in front of `engine`."""
    return stage.show(engine)


@pytest.fixture(scope="package")
def typing_url() -> Iterator[str]:
    """The page in front of an engine that types by itself."""
    with serve(TypingEngine(WORDS, 0.02)) as url:
        yield url


@pytest.fixture(scope="package")
def kept_typing_tab(browser: Browser, typing_url: str) -> Iterator[KeptTab]:
    """A tab that stays open in front of an engine that types by itself."""
    with KeptTab(browser, typing_url) as tab:
        yield tab


@pytest.fixture
def typing_tab(kept_typing_tab: KeptTab) -> Tab:
    """That tab as it was opened."""
    return kept_typing_tab.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page without a server. Built in a thread of its own: playwright runs an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(build_small, tmp_path_factory.mktemp("static") / "a page").result()


@pytest.fixture(scope="module")
def modules(browser: Browser, typing_url: str) -> Iterator[Page]:
    """A document with our strict policy and nothing else, for tests that import the page's modules."""
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{typing_url}{PLACE}/snippets.json")
        yield page


def call(page: Page, module: str, name: str, *arguments: Any) -> Any:
    """What a function of a module that the page serves returns."""
    return page.evaluate(CALL, [f"{PLACE}/{module}.js", name, list(arguments)])
