"""A link that shows a room's results again: what it holds is what was, or it holds nothing."""

from typing import Final

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import call

ARM: Final = {"n": 2, "mean": 5.5, "low": -1.25, "high": 12.25, "guesses": [5, 6]}
RACE: Final = {
    **{"round": 1, "kind": "race", "prompt": "Mähen & säen?", "finish": None, "at_least": False, "seconds": 6.123},
    **{"ttft": 0.1, "tokens": 60, "stopped": None, "tokens_saved": None, "seconds_saved": None, "served": None},
    **{"refused": None, "retries": None, "arms": {"streamed": ARM, "whole": ARM}},
    "sentence": {"key": "no_difference", "values": {"difference": -0.5, "low": -1, "high": 0.5}},
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"kind": "other"},
        {"seconds": -1},
        {"seconds": "<b>1</b>"},
        {"prompt": None},
        {"arms": {"streamed": ARM}},
        {"arms": {"streamed": ARM, "whole": {**ARM, "guesses": ["6"]}}},
        {"sentence": {"key": "constructor", "values": {"difference": 1, "low": 1, "high": 1}}},
    ],
)
def test_a_link_holds_results_or_nothing(modules: Page, changed: dict[str, object]) -> None:
    link = call(modules, "lesson/room/saved", "writeResults", [{**RACE, **changed}])
    assert call(modules, "lesson/room/saved", "readResults", link) == (None if changed else [RACE])
