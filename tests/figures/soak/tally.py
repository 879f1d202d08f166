"""What came of all visits. Knows no visit."""

import json
from collections import Counter
from typing import Final

FAILED: Final = "failed"
HUNG: Final = "hung"
REFUSALS: Final = (429, 503)  # statuses that ask the client to come again


class VisitFailed(Exception):
    """A visit was not answered as it must be: the sentence says what came instead."""


class Refused(Exception):
    """The server refused a visit in order; the text is the kind of the refusal."""


class Tally:
    """Counts visits by kind and by outcome, and keeps the first failures of each kind."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []

    def count(self, kind: str, outcome: str) -> None:
        self.outcomes[kind, outcome] += 1

    def note_failure(self, kind: str, outcome: str, sentence: str) -> None:
        self.count(kind, outcome)
        if self.outcomes[kind, outcome] <= 3:
            self.failures.append(f"{kind} {outcome}: {sentence}")

    def sum(self, outcome: str) -> int:
        return sum(count for (_, each), count in self.outcomes.items() if each == outcome)

    def list_refusals(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for (_, outcome), count in self.outcomes.items():
            if outcome.startswith("refused: "):
                found[outcome.removeprefix("refused: ")] += count
        return dict(found)


def require_answer(status: int, content: bytes) -> None:
    """Raise Refused for a refusal in order, and VisitFailed for any other status than 200 or 202."""
    if status in REFUSALS:
        raise Refused(f"{status} {json.loads(content)['error_type']}")
    if status not in (200, 202):
        raise VisitFailed(f"status {status}: {content[:200]!r}")
