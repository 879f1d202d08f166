"""The API's own page: Swagger, in the real browser, from this server alone."""

from playwright.sync_api import Browser, expect

from tests.api.serving import serve_api
from tests.scripted import TypingEngine


def test_the_api_can_be_read_and_tried_without_another_host(browser: Browser) -> None:
    with serve_api(TypingEngine(["one ", "two"], 0.01)) as url, browser.new_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/docs")
        route = page.locator("#operations-generate-generate_generate_post")
        route.locator(".opblock-summary-control").click()
        route.get_by_role("button", name="Try it out").click()
        route.get_by_role("button", name="Execute").click()
        expect(route.locator(".live-responses-table tbody .response-col_description")).to_contain_text("one two")
        assert all(address.startswith((url, "data:")) for address in asked)
