"""Chromium for the tests: the one that CHROMIUM names, else the machine's own, else playwright's."""

import os
import shutil
from typing import Final

from playwright.sync_api import Browser, Playwright, expect

PATIENCE: Final = 120_000  # milliseconds: the embedded model writes 256 tokens on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PLAYWRIGHTS: Final = (  # features that Playwright disables: of two such switches Chromium reads the last
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,OptimizationHints,NetworkTimeServiceQuerying,"
    "AimEnabled,PreconnectToSearch"
)
# The address bar's popups, for which a headless Chromium renders two pages of its own in every context; and a process
# that is kept ready for another site.
UNSEEN: Final = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess"


def launch(playwright: Playwright, *arguments: str) -> Browser:
    """A headless browser that asks nobody for updates; whatever is expected of its pages may take `PATIENCE`."""
    expect.set_options(timeout=PATIENCE)
    path = next(
        (found for name in (os.environ.get("CHROMIUM", ""), *NAMES) if (found := shutil.which(name or "chromium"))),
        None,
    )
    disabled = f"--disable-features={PLAYWRIGHTS},{UNSEEN}"
    return playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, disabled, *arguments])
