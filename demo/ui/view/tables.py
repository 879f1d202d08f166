"""Tables as markup, and the sentences above them."""

import html
from collections.abc import Sequence

from demo.ui.view import prediction, savings
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Turn


def write_table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text under the names of their columns."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    name = html.escape(caption)
    table = f"<table><caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">{table}</div>'


def write_example(example: GenerationOptions, runs: Sequence[Turn], turn: Turn | None) -> str:
    """The documentation's example: predicted, and measured in `turn`, its run, if that has ended."""
    rate = prediction.find_rate(runs, example)
    pace = f"{example.pace:g} tokens/s" if example.pace else "real speed"
    caption = f"{example.max_new_tokens:,} tokens at {pace}; measured on the engine's clock"
    measured = f"{prediction.describe_measured(example, turn)} " if turn is not None else ""
    sentence = _write_sentence(measured + prediction.describe_source(example, rate))
    return sentence + write_table(caption, prediction.COLUMNS, prediction.list_moments(example, rate, turn))


def write_saved(runs: Sequence[Turn], price: float) -> str:
    """What stopping the last run early saved."""
    last = runs[-1] if runs else None
    sentence, saving = _write_sentence(savings.describe_saving(last)), savings.measure_saving(last) if last else None
    if saving is None:
        return sentence
    caption = "The last run of this tab, on the engine's clock"
    return sentence + write_table(caption, savings.COLUMNS, savings.list_savings(saving, price))


def _write_sentence(sentence: str) -> str:
    return f'<p class="verdict">{html.escape(sentence)}</p>'
