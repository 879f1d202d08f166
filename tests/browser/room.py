"""A room in browsers: the projector's tab, and the phones of a class."""

import re
from contextlib import ExitStack
from typing import Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Locator, Response, ViewportSize, expect

from tests.browser.tab import RUN_AXE, Tab
from tests.scripted import TypingEngine

SMALL: Final[ViewportSize] = {"width": 360, "height": 640}
SET_SLIDER: Final = "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }"


class Phone:
    """A phone's browser; remembers what its console complained of and what it asked for."""

    def __init__(self, browser: Browser, address: str, language: str = "en-US") -> None:
        self.context = browser.new_context(viewport=SMALL, has_touch=True, locale=language)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.responses: list[Response] = []
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", lambda response: self.responses.append(response))
        self.page.goto(address)

    def find(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    def expect_scene(self, *names: str) -> None:
        """Wait until the page shows one of these moments."""
        expect(self.page.locator("body")).to_have_attribute("data-scene", re.compile(f"^({'|'.join(names)})$"))

    @property
    def scene(self) -> str | None:
        return self.page.locator("body").get_attribute("data-scene")

    @property
    def scrolls(self) -> bool:
        """Whether the page is larger than its window."""
        size = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
        return bool(self.page.evaluate(size) != [SMALL["width"], SMALL["height"]])

    def guess(self, **positions: int) -> None:
        """Move the sliders to these places and send."""
        for name, at in positions.items():
            self.find(f"guess-{name}-slider").evaluate(SET_SLIDER, at)
        self.find("guess").click()
        self.expect_scene("thanks")

    def find_violations(self) -> list[str]:
        """What axe has to say about the page as it is."""
        self.page.evaluate(AXE_SCRIPT)
        return [rule for rule, _ in self.page.evaluate(RUN_AXE)]


class Projector:
    """The station in presenter view, run by its keys."""

    def __init__(self, tab: Tab, engine: TypingEngine) -> None:
        self.tab, self.engine = tab, engine
        tab.find("presenter").click()

    def press(self, key: str) -> None:
        self.tab.page.evaluate("document.activeElement.blur()")
        self.tab.page.keyboard.press(key)

    def open(self) -> str:
        """A new room; returns the address that phones are told."""
        if self.tab.find("room-close").is_visible():
            self.close()
        self.press("o")
        expect(self.tab.find("room-code")).to_be_visible()
        expect(self.tab.find("room-present")).to_have_text("0")
        return f"http://{self.tab.find('room-address').inner_text()}".replace("\n", "")

    def close(self) -> None:
        self.press("x")
        expect(self.tab.find("room-status")).to_contain_text("Press again")
        self.press("x")
        expect(self.tab.find("room-open")).to_be_visible()

    def start(self, kind: str) -> None:
        """Choose a round that is as long as the engine's answer, and start it."""
        self.tab.page.locator(f"#room-kinds [value={kind}]").check(force=True)
        self.tab.find("room-tokens").select_option("60")
        self.tab.find("room-speed").select_option("100")
        self.press("s")
        expect(self.tab.find("room-next")).to_be_visible()

    def expect_phase(self, phase: str) -> None:
        expect(self.tab.find("room-stage")).to_have_attribute("data-phase", phase)

    def read_rows(self) -> list[list[str]]:
        return self.tab.read_rows("room-latest")


class JoinPhones(ExitStack):
    """Opens phones that join the room, and closes them."""

    def __init__(self, browser: Browser, address: str) -> None:
        super().__init__()
        self._browser, self.address = browser, address

    def __call__(self, address: str | None = None, language: str = "en-US") -> Phone:
        phone = Phone(self._browser, address or self.address, language)
        self.callback(phone.context.close)
        phone.expect_scene("lobby", "waiting", "reading")
        return phone
