"""Pictures of the running page, for eyes and for the README: `python -m tests.screenshots [URL] [FOLDER]`.

Takes the page before, during and after a run, in every size and theme it is made for.
"""

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.chromium import launch

SIZES: Final[dict[str, ViewportSize]] = {
    "wide": {"width": 1280, "height": 900},
    "frame": {"width": 850, "height": 350},
    "phone": {"width": 390, "height": 844},
}
THEMES: Final = ("light", "dark")
PROMPT: Final = "How do you make cheese?"
PATIENCE = 120_000  # milliseconds


def take_pictures(browser: Browser, url: str, folder: Path) -> Iterator[Path]:
    """Three pictures for each size and theme."""
    for (size, viewport), theme in product(SIZES.items(), THEMES):
        page = browser.new_page(viewport=viewport, color_scheme="dark" if theme == "dark" else "light")
        page.goto(f"{url}/?__theme={theme}")
        yield from _take_run(page, folder / f"{size}-{theme}")
        page.close()


def _take_run(page: Page, stem: Path) -> Iterator[Path]:
    expect(page.locator("#generate")).to_be_enabled(timeout=PATIENCE)
    yield _take(page, stem, "1-before")
    page.locator("#prompt textarea").fill(PROMPT)
    page.locator("#generate").click()
    page.wait_for_function("() => document.querySelector('#streamed-text').innerText.length > 250", timeout=PATIENCE)
    yield _take(page, stem, "2-during")
    expect(page.locator("#whole-phase")).to_have_text("done", timeout=PATIENCE)
    expect(page.locator("#plot-latency .main-svg").first).to_be_visible(timeout=PATIENCE)
    yield _take(page, stem, "3-after", whole=True)


def _take(page: Page, stem: Path, moment: str, whole: bool = False) -> Path:
    path = stem.with_name(f"{stem.name}-{moment}.png")
    page.screenshot(path=path, full_page=whole)
    return path


def main(url: str = "http://127.0.0.1:7860", folder: str = "screenshots") -> None:
    """Take every picture of the page at `url` into `folder`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        for path in take_pictures(launch(playwright), url.rstrip("/"), Path(folder)):
            print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
