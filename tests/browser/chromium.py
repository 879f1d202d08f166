"""Chromium for the tests: the one that CHROMIUM names, else the machine's own, else playwright's."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def launch(playwright: Playwright) -> Browser:
    """A headless browser that asks nobody for updates."""
    path = next(
        (found for name in (os.environ.get("CHROMIUM", ""), *NAMES) if (found := shutil.which(name or "chromium"))),
        None,
    )
    return playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
