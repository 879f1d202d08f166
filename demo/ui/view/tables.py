"""The page's tables with the sentences above them; the browser draws them."""

from collections.abc import Sequence
from typing import TypeAlias

from demo.ui.view import definitions, plots, prediction, savings
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Turn

Table: TypeAlias = dict[str, object]  # {sentence, caption, columns, rows}; without rows only the sentence is shown


def list_runs(runs: Sequence[Turn]) -> Table:
    """Every run of the tab."""
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
    """Every tool's definitions of the same names, with the numbers of the last completed run."""
    last = next((run for run in reversed(runs) if run.trace is not None), None)
    numbers = "after a run, with its numbers" if last is None else f"with the numbers of run {last.number}, streamed"
    return {
        "caption": f"The same names, as each tool defines them, {numbers}; n tokens, on the engine's clock",
        "columns": definitions.COLUMNS,
        "rows": definitions.list_definitions(None if last is None else last.trace),
    }
