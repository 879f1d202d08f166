"""The programs that call this server: the page and the READMEs show them as the tests run them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "assets" / "snippets"
LANGUAGES: Final = {".sh": "sh", ".py": "python", ".js": "js"}
# The files in the order of the page's tabs.
PROGRAMS: Final = (
    *("curl.sh", "python.py", "python-details.py", "python-async.py", "python-chat.py", "openai.py"),
    *("js.js", "js-chat.js", "js-old.js", "fetch.js", "python-retry.py", "polling.py", "eventsource.js", "webhook.py"),
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program, as its file has it."""

    name: str
    language: str
    text: str


def read_snippets() -> list[Snippet]:
    """All programs, in order, without the newline at the end of each file."""
    paths = [FOLDER / name for name in PROGRAMS]
    return [Snippet(path.stem, LANGUAGES[path.suffix], path.read_text("utf-8").removesuffix("\n")) for path in paths]
