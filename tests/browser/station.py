"""A station that measures requests, in one browser tab."""

from playwright.sync_api import Request, expect

from tests.browser.tab import Tab


class Station:
    """The station called `name`: its button, and every request to generate that it made, with what it took."""

    def __init__(self, tab: Tab, name: str) -> None:
        self.tab = tab
        self.asked: list[Request] = []
        self.seconds: dict[Request, float] = {}
        self._button = tab.find(f"{name}-begin")
        tab.page.on("request", self._see)
        tab.page.on("requestfinished", self._time)
        tab.find(f"station-{name}").scroll_into_view_if_needed()
        expect(tab.find(f"{name}-plan")).not_to_be_empty()

    def _see(self, request: Request) -> None:
        if request.url.endswith(("/generate", "/generate_stream")):
            self.asked.append(request)

    def _time(self, request: Request) -> None:
        if request in self.asked:
            self.seconds[request] = request.timing["responseEnd"] / 1000

    def read_cells(self, table: str) -> list[list[str]]:
        """The rows of a table's body, cell by cell."""
        rows = self.tab.page.locator(f"#{table} tbody tr").all()
        return [row.locator("td").all_text_contents() for row in rows]

    def begin(self) -> None:
        self._button.click()

    def wait(self) -> None:
        """Until the button can be pressed again."""
        expect(self._button).to_be_enabled()

    def run(self) -> None:
        self.begin()
        self.wait()
