"""What the page shows besides its runs: its sentences, and what tables and figures of several runs have in common."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from demo.static.play import NUMBER, Play
from demo.static.recordings import Machine
from demo.ui.components.lesson import PRICE
from demo.ui.components.pane import write_run
from demo.ui.listeners.lesson import EXAMPLE, read_example
from demo.ui.view.panes import PaneView
from demo.ui.view.plots import describe_latency
from demo.ui.view.speed import RACE_PACES, REAL_SPEED
from demo.ui.view.tables import list_example, list_runs
from demo.ui.view.words import SIDES

EXAMPLE_PACES: Final = (REAL_SPEED, *RACE_PACES)
MANY: Final = 7777  # runs, which a sentence counts: their number marks its place
SENTENCES: Final = {
    "running": "The answer is still being written: wait for it, or press Stop first.",
    "empty": "The prompt is empty: type something first.",
    "unknown": "This page has no model: choose one of the examples, or run a server.",
    "slower": "The recorded machine is slower than that: choose a lower speed.",
    "elsewhere": "This link's run was recorded elsewhere: open the link on a page with a server.",
}


def write_texts(machine: Machine, examples: Sequence[str]) -> dict[str, Any]:
    """The texts; a run of `machine` shows where numbers stand in them. `examples` name the example's runs."""
    turn = Play(machine.traces[0], None).make_turn(None, None)
    table = list_runs([turn])
    return {
        "sentences": SENTENCES,
        "idle": {side: {**write_run(PaneView(side)), "number": 0} for side in SIDES},
        "table": {name: table[name] for name in ("caption", "columns")},
        "latency": describe_latency([turn] * MANY).replace(str(MANY), NUMBER),
        "price": PRICE,
        "example": {"question": EXAMPLE["question"], "runs": examples, "predictions": write_predictions()},
    }


def write_predictions() -> dict[str, Any]:
    """The prediction of each length and speed of the documentation's example."""
    chosen = product(EXAMPLE["lengths"], EXAMPLE_PACES)
    return {f"{length}-{pace}": list_example(read_example(length, pace), (), None) for length, pace in chosen}
