"""A station of the lesson, in one browser tab."""

from playwright.sync_api import Locator, Request, expect

from tests.browser.tab import Tab


class Station:
    """The station called `name`: its parts, and every request that the page made."""

    def __init__(self, tab: Tab, name: str) -> None:
        self.tab = tab
        self.requests: list[Request] = []
        self._name = name
        tab.page.on("request", lambda request: self.requests.append(request))
        tab.find(f"station-{name}").scroll_into_view_if_needed()

    def find(self, name: str) -> Locator:
        """A part of the station."""
        return self.tab.find(f"{self._name}-{name}")

    def read_rows(self, name: str) -> list[list[str]]:
        """The rows of a table, cell by cell."""
        return self.tab.read_rows(f"{self._name}-{name}")

    @property
    def asked(self) -> list[Request]:
        """The requests to generate."""
        return [request for request in self.requests if request.url.endswith(("/generate", "/generate_stream"))]

    @property
    def modes(self) -> list[str]:
        """Of each request to generate, how its answer is delivered."""
        return ["streamed" if request.url.endswith("stream") else "whole" for request in self.asked]

    def begin(self) -> None:
        self.find("begin").click()

    def wait(self) -> None:
        """Until the button can be pressed again."""
        expect(self.find("begin")).to_be_enabled()

    def run(self) -> None:
        self.begin()
        self.wait()


def took(request: Request) -> float:
    """Seconds until a response was all there."""
    return request.timing["responseEnd"] / 1000
