"""The page's document, the beginning of all that the page loads; and the API's own page, Swagger."""

import httpx2
from playwright.sync_api import Browser, expect

from demo.ui.document import PRELOADED
from tests.api.serving import serve_api
from tests.browser.preloaded import list_loaded
from tests.scripted import TypingEngine


def test_all_that_is_loaded_until_generate_is_enabled_is_in_the_document(browser: Browser, typing_url: str) -> None:
    document = httpx2.get(typing_url).text
    loaded = list_loaded(browser, typing_url)
    assert len(loaded) > 20
    late = [name for name in loaded if f"./assets/{name}" not in document]
    assert late == [], "run: python -m tests.browser.preloaded"
    assert set(PRELOADED.read_text("utf-8").split()) <= set(loaded), "run: python -m tests.browser.preloaded"


def test_the_document_is_packed_and_the_files_it_names_are_kept_by_the_browser(typing_url: str) -> None:
    document = httpx2.get(typing_url)
    assert document.headers["Content-Encoding"] == "gzip"
    assert "Cache-Control" not in document.headers
    name = PRELOADED.read_text("utf-8").split()[0]
    kept = httpx2.get(f"{typing_url}/assets/{name}")
    assert "immutable" in kept.headers["Cache-Control"]
    assert kept.headers["Content-Encoding"] in ("br", "gzip")
    assert "Cache-Control" not in httpx2.get(f"{typing_url}/assets/no-such.js").headers


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
