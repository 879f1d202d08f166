"""Pictures of the running page, for eyes and for the README: `python -m tests.screenshots [URL] [FOLDER]`.

The page before, during and after a run, in every size and theme it is made for; every station after it was tried; and
a race in slow motion, as a moving picture.
"""

import io
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, expect, sync_playwright

from demo.ui.components.lesson import CHAPTERS
from tests.browser.chromium import launch

SIZES: Final[dict[str, ViewportSize]] = {
    "wide": {"width": 1280, "height": 900},
    "tablet": {"width": 768, "height": 1024},
    "frame": {"width": 850, "height": 350},
    "phone": {"width": 390, "height": 844},
}
THEMES: Final = ("light", "dark")
PROMPT: Final = "How do you make cheese?"
PATIENCE = 180_000  # milliseconds
FILM_SIZE: Final[ViewportSize] = {"width": 850, "height": 1200}
FILM_PROMPT: Final = "prompt=What is Deep Learning?&length=56&pace=0"  # 0 is real speed
FRAME_SECONDS: Final = 0.15
LAST_FRAME: Final = 2500  # milliseconds
# What to press in each station; it can be pressed again when all is told.
BUTTONS: Final = {
    "sweep": "sweep-begin",
    "pairs": "pairs-begin",
    "events": "events-send",
    "ways": "ways-begin",
    "enough": "enough-patient",
    "call": "heat-run",
}


def take_pictures(browser: Browser, url: str, folder: Path) -> Iterator[Path]:
    """Three pictures of the race for each size and theme, and one of each station."""
    for (size, viewport), theme in product(SIZES.items(), THEMES):
        page = browser.new_page(viewport=viewport, color_scheme="dark" if theme == "dark" else "light")
        page.goto(f"{url}/?__theme={theme}")
        yield from _take_run(page, folder / f"{size}-{theme}")
        page.close()
    page = browser.new_page(viewport=SIZES["wide"])
    page.goto(url)
    yield from _take_stations(page, folder)


def _take_run(page: Page, stem: Path) -> Iterator[Path]:
    expect(page.locator("#model")).not_to_contain_text("Loading", timeout=PATIENCE)
    expect(page.locator("#generate")).to_be_enabled(timeout=PATIENCE)
    yield _take(page, stem, "1-before")
    page.locator("#prompt textarea").fill(PROMPT)
    page.locator("#generate").click()
    page.wait_for_function("() => document.querySelector('#streamed-text').innerText.length > 250", timeout=PATIENCE)
    yield _take(page, stem, "2-during")
    expect(page.locator("#whole-phase")).to_have_text("done", timeout=PATIENCE)
    expect(page.locator("#plot-latency .main-svg").first).to_be_visible(timeout=PATIENCE)
    yield _take_race(page, stem, "3-after")


def _take(page: Page, stem: Path, moment: str, clip: FloatRect | None = None) -> Path:
    path = stem.with_name(f"{stem.name}-{moment}.png")
    page.screenshot(path=path, full_page=clip is not None, clip=clip)
    return path


def _take_race(page: Page, stem: Path, moment: str) -> Path:
    """All that stands above the lesson."""
    page.evaluate("scrollTo(0, 0)")
    lesson, viewport = page.locator("#lesson").bounding_box(), page.viewport_size
    assert lesson is not None
    assert viewport is not None
    clip: FloatRect = {"x": 0, "y": 0, "width": viewport["width"], "height": lesson["y"]}
    return _take(page, stem, moment, clip)


def _take_stations(page: Page, folder: Path) -> Iterator[Path]:
    """Every station, tried once; then its picture in every size and theme."""
    expect(page.locator("#generate")).to_be_enabled(timeout=PATIENCE)
    page.locator("#prompt textarea").fill(PROMPT)
    page.locator("#generate").click()
    page.wait_for_function("() => document.querySelector('#streamed-text').innerText.length > 250", timeout=PATIENCE)
    page.locator("#streamed-stop").click()
    expect(page.locator("#whole-phase")).to_have_text("done", timeout=PATIENCE)
    page.locator("#sweep-longest").select_option("128")
    for name, id in BUTTONS.items():
        station, button = page.locator(f"#station-{name}"), page.locator(f"#{id}")
        station.scroll_into_view_if_needed()
        expect(station.locator(":disabled").first).to_be_attached()  # Stop: then its script is there
        button.click()
        expect(button).to_be_disabled()
        expect(button).to_be_enabled(timeout=PATIENCE)
    for (size, viewport), theme in product(SIZES.items(), THEMES):
        page.set_viewport_size(viewport)
        page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", theme == "dark")
        for name in (name for names in CHAPTERS.values() for name in names):
            station = page.locator(f"#station-{name}")
            station.scroll_into_view_if_needed()
            path = folder / f"station-{name}-{size}-{theme}.png"
            station.screenshot(path=path)
            yield path


def film_race(browser: Browser, url: str, path: Path) -> None:
    """A race at real speed, then the same in slow motion: its panes, frame by frame."""
    page = browser.new_page(viewport=FILM_SIZE, color_scheme="light")
    page.goto(f"{url}/?__theme=light#{FILM_PROMPT}")
    expect(page.locator("#prompt textarea")).to_have_value("What is Deep Learning?")
    expect(page.locator("#generate")).to_be_enabled(timeout=PATIENCE)
    page.locator("#generate").click()
    expect(page.locator("#slow-motion")).to_be_visible(timeout=PATIENCE)
    page.locator("#slow-motion").click()
    page.mouse.move(0, 0)
    (first, *others), durations = _film_panes(page)
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0, lossless=True, method=6)
    page.close()


def _film_panes(page: Page) -> tuple[list[Image.Image], list[int]]:
    """Frames until slow motion has ended, and how many milliseconds each is shown."""
    box = page.locator("#panes").bounding_box()
    assert box is not None
    x, y, width, height = (round(box[name]) for name in ("x", "y", "width", "height"))
    clip: FloatRect = {"x": x, "y": y, "width": width, "height": height}  # every frame has the same size
    frames, durations = [], []
    playing = True
    while playing:
        began = time.monotonic()
        playing = page.locator("#slow-motion").inner_text().startswith("Stop")
        frames.append(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))
        page.wait_for_timeout(max(0, 1000 * (FRAME_SECONDS - time.monotonic() + began)))
        durations.append(round(1000 * (time.monotonic() - began)))
    return frames, [*durations[:-1], LAST_FRAME]


def main(url: str = "http://127.0.0.1:7860", folder: str = "screenshots") -> None:
    """Take every picture of the page at `url` into `folder`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        film_race(browser, url.rstrip("/"), film := Path(folder) / "race.webp")
        print(film)
        for path in take_pictures(browser, url.rstrip("/"), Path(folder)):
            print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
