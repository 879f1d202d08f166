"""What the page loads of Gradio's files until Generate can be pressed; `python -m tests.browser.preloaded` notes it."""

from playwright.sync_api import Browser, sync_playwright

from demo.ui.document import PRELOADED
from tests.browser.chromium import launch
from tests.browser.serving import serve
from tests.browser.tab import open_tabs
from tests.scripted import ScriptedEngine


def list_loaded(browser: Browser, url: str) -> list[str]:
    """The names of what a new tab loads of `assets`, in the order of its requests."""
    with open_tabs(browser) as open_tab:
        tab = open_tab(url)
        loaded = tab.page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
        return list(dict.fromkeys(str(name).split("/assets/")[1] for name in loaded if "/assets/" in name))


if __name__ == "__main__":
    with sync_playwright() as playwright, serve(ScriptedEngine()) as url:
        PRELOADED.write_text("\n".join([*list_loaded(launch(playwright), url), ""]), "utf-8")
