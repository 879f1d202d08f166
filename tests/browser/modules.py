"""The page's modules, called by themselves."""

from typing import Any

from playwright.sync_api import Page

from demo.ui.files import PLACE

CALL = "async ([path, name, values]) => (await import(path))[name](...values)"


def call(page: Page, module: str, name: str, *arguments: Any) -> Any:
    """What a function of a module that the page serves returns."""
    return page.evaluate(CALL, [f"{PLACE}/{module}.js", name, list(arguments)])
