"""The folder of the static page: its document, one script, one style sheet, charts, and the recorded runs."""

import base64
import gzip
import json
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

from plotly.offline import get_plotlyjs

from demo.engines.replay import find_rate
from demo.static.bundle import write_bundle, write_file
from demo.static.document import Document
from demo.static.play import NUMBER, Play, write_stories
from demo.static.readme import write_readme
from demo.static.recordings import EXAMPLE_PACES, Machine, Recordings, group_by_machine, list_paces
from demo.trace import Trace, write_trace
from demo.ui.components.lesson import PRICE
from demo.ui.components.pane import write_run
from demo.ui.files import ASSETS, GENERATED, STYLES
from demo.ui.listeners.lesson import EXAMPLE, read_example
from demo.ui.view.panes import PaneView
from demo.ui.view.plots import describe_latency
from demo.ui.view.tables import list_example, list_runs
from demo.ui.view.words import SIDES

COPIED: Final = (ASSETS / "static" / "theme.js", ASSETS.parent / "LICENSE", *(ASSETS / "vendor").glob("*.LICENSE"))
# Nothing is connected here; what a station reads of a server's stream is recorded.
STREAMS: Final = "{ applyChatTemplate, generateStreamed, generateWhole }"
REPLACED: Final = {
    "page/event_stream.js": "",
    "page/connection.js": "",
    "lesson/shared/stream.js": f'import {STREAMS} from "../../static/stream.js";\nexport {STREAMS};\n',
}
# In the language of the visitor alone: its texts, and the teaching material when it comes near.
ON_DEMAND: Final = {name: text for name, (text, _) in GENERATED.items() if name.startswith(("texts/", "teach/"))}
BUILT: Final = ("index.html", "page.js", "theme.js", "plotly.min.js", "runs")  # an earlier build has all of them
MANY: Final = 7777  # runs, which a sentence counts: their number marks its place
SENTENCES: Final = {
    "running": "The answer is still being written: wait for it, or press Stop first.",
    "empty": "The prompt is empty: type something first.",
    "unknown": "This page has no model: choose one of the examples, or run a server.",
    "slower": "The recorded machine is slower than that: choose a lower speed.",
    "elsewhere": "This link's run was recorded elsewhere: open the link on a page with a server.",
}
# Each is loaded when it is needed, by a script element: a file opened from disk may not fetch.
FILE: Final = "tokenStreamingFiles.receive({name}, {value});\n"


def write_folder(folder: Path, recordings: Recordings, server: str | None = None) -> None:
    """Write the page over `recordings` into `folder`, of which an earlier build is removed."""
    machines, examples = group_by_machine(recordings.races), list_examples(recordings.example)
    _empty(folder)
    document = Document(server and server.rstrip("/"))
    (folder / "runs").mkdir(parents=True)
    (folder / "index.html").write_text(document.write(machines), "utf-8")
    (folder / "page.js").write_text(write_script(machines, list(examples)), "utf-8")
    (folder / "page.css").write_text(write_styles(), "utf-8")
    (folder / "README.md").write_text(write_readme(machines), "utf-8")
    for name, text in ON_DEMAND.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(write_file(name, text), "utf-8")
    for machine in machines:
        _write_runs(folder, machine)
    _write_file(folder, "example-trace", write_trace(recordings.example))
    for name, play in examples.items():
        _write_play(folder, name, play)
    _write_file(folder, "stories", pack(write_stories(recordings.stories)))
    for path in COPIED:
        shutil.copy(path, folder / path.name)
    (folder / "plotly.min.js").write_text(get_plotlyjs(), "utf-8")


def _empty(folder: Path) -> None:
    """Remove an earlier build; refuse a folder of anything else."""
    is_build = all((folder / name).exists() for name in BUILT)
    if folder.exists() and any(folder.iterdir()) and not is_build:
        raise FileExistsError(f"{folder} holds something else: choose a folder that does not exist yet.")
    shutil.rmtree(folder, ignore_errors=True)


def write_script(machines: Sequence[Machine], examples: Sequence[str]) -> str:
    data = {"machines": [machine.describe() for machine in machines], **write_texts(machines[0], examples)}
    replaced = {
        **REPLACED,
        "constants.js": GENERATED["constants.js"][0],
        "static/recordings.js": f"export default {json.dumps(data, ensure_ascii=False)};\n",
    }
    return write_bundle("static/main.js", lambda path: (ASSETS / path).read_text("utf-8"), replaced)


def write_texts(machine: Machine, examples: Sequence[str]) -> dict[str, Any]:
    """What the page shows besides its runs: its sentences, and what tables and figures of several runs have in common.

    A run of `machine` shows where numbers stand in them. `examples` name the example's runs.
    """
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


def write_styles() -> str:
    """The page's style sheet: in place of Gradio's own, then those that amend it."""
    first = (ASSETS / "static" / "static.css").read_text("utf-8")
    others = [GENERATED[name][0] if name in GENERATED else (ASSETS / name).read_text("utf-8") for name in STYLES]
    return "\n".join([first, *others])


def _write_runs(folder: Path, machine: Machine) -> None:
    for trace in machine.traces:
        name = machine.name_run(trace)
        _write_file(folder, f"{name}-trace", write_trace(trace))
        for pace in machine.paces:
            _write_play(folder, f"{name}-{pace or 0}", Play(trace, pace))


def list_examples(trace: Trace) -> dict[str, Play]:
    """The runs of the documentation's example, of each length and speed, by their names."""
    chosen = product(EXAMPLE["lengths"], list_paces(find_rate([trace])))
    plays = {(length, pace or 0): Play(trace, pace, read_example(length, pace or 0)) for length, pace in chosen}
    return {f"example-{length}-{pace}": play for (length, pace), play in plays.items()}


def _write_play(folder: Path, name: str, play: Play) -> None:
    _write_file(folder, name, play.write())
    _write_file(folder, f"{name}-stops", pack(play.write_stops()))


def _write_file(folder: Path, name: str, value: object) -> None:
    text = FILE.format(name=json.dumps(name), value=_write_json(value))
    (folder / "runs" / f"{name}.js").write_text(text, "utf-8")


def _write_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def pack(value: object) -> str:
    """A value as text: JSON, gzip, base64. For what is large, and seldom needed."""
    return base64.b64encode(gzip.compress(_write_json(value).encode(), 9, mtime=0)).decode()
