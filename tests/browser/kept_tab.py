"""KeptTab: a tab that many tests use, one after the other, since opening one takes seconds."""

from types import TracebackType
from typing import Final

from playwright.sync_api import Browser

from tests.browser.tab import SIZES, Tab, Tabs

KEPT: Final[list["KeptTab"]] = []  # those that are in use


class KeptTab:
    """A tab at `url` that stays open; after a test that failed it is another one. A context manager."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.tabs = Tabs(browser)
        self._url = url
        self._tab: Tab | None = None
        self.is_spoiled = False

    def __enter__(self) -> "KeptTab":
        KEPT.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        KEPT.remove(self)
        self.tabs.close()

    def clear(self) -> Tab:
        """The tab without a race, with its switches off and in a wide window."""
        tab = self._find()
        tab.bring_to_front()
        if tab.page.viewport_size != SIZES["wide"]:
            tab.page.set_viewport_size(SIZES["wide"])
        for switch in tab.page.locator("[id$=-raw][aria-pressed=true]:enabled, #keep input:checked").all()[::-1]:
            switch.click()
        if tab.find("clear").is_enabled():
            tab.find("clear").click()
        tab.expect_both("ready")
        tab.find("speed").get_by_label("Real speed").check()
        tab.prompt.fill("How do you make cheese?")
        return tab

    def _find(self) -> Tab:
        if self.is_spoiled:
            self.tabs.close()
            self._tab, self.is_spoiled = None, False
        if self._tab is None:
            self._tab = self.tabs(self._url)
        return self._tab
