"""The page's document: small, and the beginning of everything that the page loads."""

import httpx2
from playwright.sync_api import Browser

from demo.ui.document import PRELOADED
from tests.browser.preloaded import list_loaded


def test_all_that_is_loaded_until_generate_can_be_pressed_is_named_in_the_document(
    browser: Browser, typing_url: str
) -> None:
    document = httpx2.get(typing_url).text
    loaded = list_loaded(browser, typing_url)
    assert len(loaded) > 20
    late = [name for name in loaded if f"./assets/{name}" not in document]
    assert late == [], "run: python -m tests.browser.preloaded"
    assert set(PRELOADED.read_text("utf-8").split()) <= set(loaded), "run: python -m tests.browser.preloaded"


def test_the_document_is_packed_and_the_files_it_names_are_kept_by_the_browser(
    browser: Browser, typing_url: str
) -> None:
    document = httpx2.get(typing_url)
    assert document.headers["Content-Encoding"] == "gzip"
    assert "Cache-Control" not in document.headers
    name = PRELOADED.read_text("utf-8").split()[0]
    kept = httpx2.get(f"{typing_url}/assets/{name}")
    assert "immutable" in kept.headers["Cache-Control"]
    assert kept.headers["Content-Encoding"] in ("br", "gzip")
    assert "Cache-Control" not in httpx2.get(f"{typing_url}/assets/no-such.js").headers
