"""The teaching material: sheets and a quiz in each language, in `assets/teach/`, with the page's own numbers filled in.

Knows no page; the station `teach` shows them.
"""

import json
import re
from pathlib import Path
from typing import Any, Final, TypeAlias

from demo.ui.view.options import DEFAULT_LENGTH, DEFAULT_PACE
from demo.ui.view.words import CONSTANTS, SHARED

Material: TypeAlias = dict[str, Any]  # {"run-of-show": Markdown, "handout": Markdown, "quiz": questions}

FOLDER: Final = SHARED.parent / "teach"
PLACE: Final = re.compile(r"\{(\w+)\}")
EXAMPLE: Final = CONSTANTS["example"]
# What `{name}` in the material stands for.
FACTS: Final[dict[str, int]] = {
    "pace": DEFAULT_PACE,  # tokens/s
    "race_length": DEFAULT_LENGTH,  # tokens
    "race_seconds": round(DEFAULT_LENGTH / DEFAULT_PACE),
    "length": EXAMPLE["lengths"][0],
    "example_pace": EXAMPLE["pace"],
    "example_seconds": EXAMPLE["lengths"][0] // EXAMPLE["pace"],
}


def read_material(language: str) -> Material:
    """The material in a language of the page. Raises KeyError for a number that the page does not have."""
    folder, group = FOLDER / language, CONSTANTS["languages"][language]["group"]

    def read(path: Path) -> str:
        return PLACE.sub(lambda found: f"{FACTS[found[1]]:,}".replace(",", group), path.read_text("utf-8"))

    sheets = {path.stem: read(path) for path in sorted(folder.glob("*.md"))}
    return {**sheets, "quiz": json.loads(read(folder / "quiz.json"))}
