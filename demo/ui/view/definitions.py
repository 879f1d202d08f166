"""What each benchmark tool would call TTFT, ITL and TPOT of the last run: its definitions in words and numbers."""

from typing import Final

from demo.metric_definitions import NOT_REPORTED, Chunk, Definition, Latencies, compare_definitions
from demo.trace import Trace
from demo.ui.view.words import format_seconds

COLUMNS: Final = ("Tool", "TTFT", "ITL", "TPOT")


def list_definitions(trace: Trace | None) -> list[tuple[str, ...]]:
    """A row for each tool; without a run its words alone. Each token is one chunk, as this server sends them."""
    chunks = [] if trace is None else [Chunk(token.time, token.text) for token in trace.tokens]
    return [_list_cells(*compared) for compared in compare_definitions([chunks])]


def _list_cells(definition: Definition, found: Latencies) -> tuple[str, ...]:
    return (
        definition.tool,
        _format(found.ttft, definition.ttft),
        _format(found.itl, definition.itl),
        _format(found.tpot, definition.tpot),
    )


def _format(seconds: float | None, words: str) -> str:
    return words if seconds is None or words == NOT_REPORTED else f"{format_seconds(seconds)}: {words}"
