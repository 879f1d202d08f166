"""Tab: the page in one browser tab, as a person uses it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, ViewportSize, expect

from demo.ui.view.words import Side
from tests.browser.chromium import PATIENCE

SIZES: Final[dict[str, ViewportSize]] = {
    "wide": {"width": 1280, "height": 900},
    "laptop": {"width": 1280, "height": 720},
    "frame": {"width": 850, "height": 350},
    "phone": {"width": 390, "height": 844},
}

# Headless tabs are always told that they are seen.
LOOK_AWAY: Final = """() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
LOOK_BACK: Final = """() => {
  delete document.hidden;
  document.dispatchEvent(new Event("visibilitychange"));
}"""

# The page itself looks for the instant in which only the streaming side has text: who asks from outside may be late.
WATCH_LEAD: Final = """new MutationObserver((_, observer) => {
  const [streamed, whole] = ["streamed", "whole"].map((side) => document.getElementById(`${side}-text`)?.textContent);
  if (!streamed || whole !== "") return;
  window.hasLed = true;
  observer.disconnect();
}).observe(document, { childList: true, characterData: true, subtree: true });"""

FITS: Final = """(width) => innerWidth === width && document.documentElement.scrollWidth <= width
  && [...document.querySelectorAll(".plot .main-svg")].every(
    (drawn) => Math.abs(drawn.clientWidth - drawn.closest(".plot").clientWidth) <= 1)"""


# Returns when no colour is changing any more.
OTHER_THEME: Final = """async () => {
  document.body.classList.toggle("dark");
  const changing = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
  await Promise.allSettled(changing.map((transition) => transition.finished));
}"""

RUN_AXE: Final = """async (place) => {
  const { violations } = await axe.run(place ?? document, { resultTypes: ["violations"] });
  return violations.map(({ impact, id, nodes }) => [`${impact} ${id}`, nodes.map(({ html }) => html)]);
}"""


class Tab:
    """One open tab; remembers what the console complained of and which other hosts were asked."""

    def __init__(self, page: Page, url: str, theme: str = "light", fragment: str = "") -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign_requests: list[str] = []
        self._host = urlsplit(url).netloc
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._see)
        page.set_default_timeout(PATIENCE)
        page.add_init_script(WATCH_LEAD)
        page.goto(f"{url if url.endswith('.html') else f'{url}/'}?__theme={theme}{fragment}")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} {message.location['url']}")

    def _see(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != self._host:
            self.foreign_requests.append(request.url)

    def find(self, name: str) -> Locator:
        """The element with the id `name`."""
        return self.page.locator(f"#{name}")

    @property
    def prompt(self) -> Locator:
        """Where a person types."""
        return self.page.locator("#prompt textarea")

    def wait_until_ready(self) -> None:
        """Until the model can answer."""
        expect(self.find("model")).not_to_contain_text("Loading")
        expect(self.find("generate")).to_be_enabled()

    def ask(self, question: str) -> None:
        """Type a question and press Generate; returns once the race has begun."""
        self.prompt.fill(question)
        self.find("generate").click()
        expect(self.find("question")).to_have_text(question)

    def expect_phase(self, side: Side, phase: str) -> None:
        """Wait for a phase word."""
        expect(self.find(f"{side}-phase")).to_have_text(phase)

    def expect_both(self, phase: str) -> None:
        """Wait for a phase word on both sides."""
        self.expect_phase("streamed", phase)
        self.expect_phase("whole", phase)

    def expect_text(self, side: Side, text: str) -> None:
        """Wait for exactly this text."""
        expect(self.find(f"{side}-text")).to_have_text(text)

    def expect_some_text(self, side: Side) -> None:
        """Wait for any text."""
        expect(self.find(f"{side}-text")).not_to_be_empty()

    @property
    def has_led(self) -> bool:
        """Whether there was an instant in which the streaming side had text and the other none."""
        return self.page.evaluate("window.hasLed") is True

    def read(self, name: str) -> str:
        """What a teacher's script reads: the element's innerText."""
        return self.find(name).inner_text()

    def read_rows(self, name: str) -> list[list[str]]:
        """The rows of the table in the element `name`, cell by cell."""
        rows = self.find(name).locator("tbody tr").all()
        return [row.locator("td").all_text_contents() for row in rows]

    def expect_complaint(self, status: int) -> None:
        """The console has complained of a response with this status, and of nothing else: that is forgotten."""
        (complaint,) = self.complaints
        assert f"the server responded with a status of {status}" in complaint
        self.complaints.clear()

    def expect_results(self, runs: int) -> None:
        """Wait until the plots and the table of so many runs are drawn."""
        expect(self.page.locator("#numbers tbody tr")).to_have_count(2 * runs)
        for name in ("plot-timeline", "plot-latency"):
            expect(self.page.locator(f"#{name} .main-svg").first).to_be_visible()

    def copy(self, name: str) -> str:
        """Press a button that copies; returns what was, once the button says so, which it does not for long."""
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.find(name).click()
        self.page.wait_for_function("(name) => document.getElementById(name).textContent === 'Copied'", arg=name)
        copied: str = self.page.evaluate("navigator.clipboard.readText()")
        return copied

    def bring_to_front(self) -> None:
        """A tab behind another gets one frame a second, and each click in it waits for two."""
        self.page.bring_to_front()

    def resize(self, size: str) -> None:
        """Another size of the window; returns once nothing scrolls sideways and every chart has its place's width."""
        self.page.set_viewport_size(SIZES[size])
        self.page.wait_for_function(FITS, arg=SIZES[size]["width"])

    def find_violations(self, place: str | None = None) -> list[str]:
        """What axe has to say about the page, or a place in it, as it is now: in a wide window, then on a phone in the
        other theme. Each size and each theme is asked once, since axe takes seconds to compare colours.
        """
        self.bring_to_front()
        wide = self._ask_axe(place, "wide")
        self.page.evaluate(OTHER_THEME)
        phone = self._ask_axe(place, "phone")
        self.page.evaluate(OTHER_THEME)
        self.resize("wide")
        return [*wide, *phone]

    def _ask_axe(self, place: str | None, size: str) -> list[str]:
        self.resize(size)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate(RUN_AXE, place)
        return [f"{size}, {rule}: {[html[:160] for html in nodes[:3]]}" for rule, nodes in found]


class Tabs:
    """Opens tabs, closes them, and knows what they complained of."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._tabs: list[Tab] = []

    def __call__(
        self,
        url: str,
        size: str = "wide",
        theme: str = "light",
        ready: bool = True,
        fragment: str = "",
        speed: str | None = "Real speed",
    ) -> Tab:
        """A new tab in which the model can answer, at `speed` or the page's own; with `ready` off, one just opened."""
        page = self._open_page(url)
        page.set_viewport_size(SIZES[size])
        tab = Tab(page, url, theme, fragment)
        self._tabs.append(tab)
        if ready:
            tab.wait_until_ready()
        if ready and speed:
            tab.find("speed").get_by_label(speed).check()
        return tab

    def _open_page(self, url: str) -> Page:
        """In the first context, which has cached the files, while few of the server's tabs are open there; else a new.

        Tabs of one context share six connections to a server, and each tab holds one or two.
        """
        shared = self._browser.contexts[:1]
        if shared and sum(page.url.startswith(url) for page in shared[0].pages) < 2:
            return shared[0].new_page()
        return self._browser.new_page()

    def close(self) -> None:
        """Close all: what happens afterwards is no complaint."""
        for tab in self._tabs:
            tab.page.close()
        for shared in self._browser.contexts[:1]:
            shared.clear_cookies()
            shared.clear_permissions()

    def check(self) -> None:
        """Fails where a console complained, or where another host was asked for something: that is forgotten then."""
        complaints = [complaint for tab in self._tabs for complaint in tab.complaints]
        foreign = [url for tab in self._tabs for url in tab.foreign_requests]
        for tab in self._tabs:
            tab.complaints.clear()
            tab.foreign_requests.clear()
        assert not complaints, complaints
        assert not foreign, foreign


@contextmanager
def open_tabs(browser: Browser) -> Iterator[Tabs]:
    """Opens tabs until the block ends. Then none may have logged an error, or asked another host for anything."""
    tabs = Tabs(browser)
    try:
        yield tabs
    finally:
        tabs.close()
    tabs.check()


def read_seconds(text: str) -> float:
    """ "72 ms" or "1.24 s" in seconds."""
    number, unit = re.fullmatch(r"([\d.]+) (ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) / (1000 if unit == "ms" else 1)
