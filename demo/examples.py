"""The example prompts: offered by the page, answered by the recorded runs, compared by the benchmark."""

import json
from pathlib import Path
from typing import Final

PROMPTS: Final = Path(__file__).resolve().parents[1] / "assets" / "prompts.json"


def read_examples() -> list[str]:
    """The prompts, in the page's order."""
    return [str(text) for text in json.loads(PROMPTS.read_text("utf-8"))]
