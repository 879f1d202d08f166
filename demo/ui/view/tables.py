"""The page's tables with the sentences above them; the browser draws them."""

from collections.abc import Sequence
from typing import TypeAlias

from demo.metric_definitions import NOT_REPORTED, Chunk, Definition, Latencies, compare_definitions
from demo.ui.view import plots, prediction, savings
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Turn
from demo.ui.view.words import format_seconds

Table: TypeAlias = dict[str, object]  # {sentence, caption, columns, rows}; without rows only the sentence is shown


def list_runs(runs: Sequence[Turn]) -> Table:
    return {"caption": plots.describe_runs(runs), "columns": plots.COLUMNS, "rows": plots.list_rows(runs)}


def list_example(example: GenerationOptions, runs: Sequence[Turn], turn: Turn | None) -> Table:
    """The documentation's example: predicted, and measured in `turn`, its run, if that has ended."""
    rate = prediction.find_rate(runs, example)
    pace = f"{example.pace:g} tokens/s" if example.pace else "real speed"
    measured = f"{prediction.describe_measured(example, turn)} " if turn is not None else ""
    return {
        "sentence": measured + prediction.describe_source(example, rate),
        "caption": f"{example.max_new_tokens:,} tokens at {pace}; measured on the engine's clock",
        "columns": prediction.COLUMNS,
        "rows": prediction.list_moments(example, rate, turn),
    }


def list_saved(runs: Sequence[Turn], price: float) -> Table:
    """What stopping the last run early saved."""
    last = runs[-1] if runs else None
    saving = savings.measure_saving(last) if last else None
    return {
        "sentence": savings.describe_saving(last),
        "caption": "The last run of this tab, on the engine's clock",
        "columns": savings.COLUMNS,
        "rows": savings.list_savings(saving, price) if saving else [],
    }


def list_definitions(runs: Sequence[Turn]) -> Table:
    """What each benchmark tool calls TTFT, ITL and TPOT, with the numbers of the last completed run.

    Each token is one chunk, as this server sends them.
    """
    last = next((run for run in reversed(runs) if run.trace is not None), None)
    numbers = "after a run, with its numbers" if last is None else f"with the numbers of run {last.number}, streamed"
    tokens = () if last is None or last.trace is None else last.trace.tokens
    compared = compare_definitions([[Chunk(token.time, token.text) for token in tokens]])
    return {
        "caption": f"The same names, as each tool defines them, {numbers}; n tokens, on the engine's clock",
        "columns": ("Tool", "TTFT", "ITL", "TPOT"),
        "rows": [_list_cells(definition, found) for definition, found in compared],
    }


def _list_cells(definition: Definition, found: Latencies) -> tuple[str, ...]:
    cells = ((found.ttft, definition.ttft), (found.itl, definition.itl), (found.tpot, definition.tpot))
    return (definition.tool, *(_format(seconds, words) for seconds, words in cells))


def _format(seconds: float | None, words: str) -> str:
    return words if seconds is None or words == NOT_REPORTED else f"{format_seconds(seconds)}: {words}"
