"""What a page painted of the streamed text: each update of its pane, as this browser saw it."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from playwright.sync_api import Page

# The page notes for itself when its streamed text grew, and by how many characters.
WATCH: Final = """() => {
  window.updates = [];
  let seen = 0;
  const text = document.getElementById("streamed-text");
  window.watching?.disconnect();
  window.watching = new MutationObserver(() => {
    const length = text.textContent.length;
    if (length > seen) updates.push([performance.now() / 1000, length - seen]);
    seen = length;
  });
  watching.observe(text, { characterData: true, childList: true, subtree: true });
}"""


@dataclass(frozen=True, slots=True)
class Update:
    """The text grew by `characters` at `time`, in seconds of the browser's clock."""

    time: float
    characters: int


def watch_updates(page: Page) -> None:
    """Begin to note, for the next race."""
    page.evaluate(WATCH)


def read_updates(page: Page) -> list[Update]:
    """What has been noted."""
    return [Update(*noted) for noted in page.evaluate("updates")]


def list_gaps(updates: list[Update]) -> list[float]:
    """Seconds between one update and the next."""
    return [later.time - earlier.time for earlier, later in pairwise(updates)]
