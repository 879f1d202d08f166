"""The folder of the static page: its document, one script, one style sheet, charts, and the recorded runs."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from demo.engines.replay import read_recordings
from demo.static.bundle import write_bundle
from demo.static.document import Document
from demo.static.play import Play
from demo.static.readme import write_readme
from demo.static.recordings import Machine, group_by_machine
from demo.static.texts import write_texts
from demo.trace import Trace, write_trace
from demo.ui.files import ASSETS, GENERATED, STYLES

SCRIPTS: Final = ("static/main.js",)
LICENSES: Final = (ASSETS.parent / "LICENSE", *(ASSETS / "vendor").glob("*.LICENSE"))
# Nothing is connected, so that these have nothing to do here.
OMITTED: Final = {"page/event_stream.js": "", "page/connection.js": ""}
# Each is loaded when it is needed, by a script element: a file opened from disk may not fetch.
FILE: Final = "tokenStreamingFiles.receive({name}, {value});\n"


def write_folder(folder: Path, server: str | None = None, traces: Sequence[Trace] | None = None) -> None:
    """Write the page over `traces`, by default all that ship with the demo, into `folder`, which is emptied."""
    machines = group_by_machine(read_recordings() if traces is None else traces)
    _empty(folder)
    document = Document(server and server.rstrip("/"))
    (folder / "runs").mkdir(parents=True)
    (folder / "index.html").write_text(document.write(machines), "utf-8")
    (folder / "page.js").write_text(write_script(machines), "utf-8")
    (folder / "theme.js").write_text((ASSETS / "static" / "theme.js").read_text("utf-8"), "utf-8")
    (folder / "page.css").write_text(write_styles(), "utf-8")
    (folder / "README.md").write_text(write_readme(machines), "utf-8")
    for machine in machines:
        _write_runs(folder, machine)
    for path in LICENSES:
        shutil.copy(path, folder / path.name)
    _write_plotly(folder / "plotly.min.js")


def _empty(folder: Path) -> None:
    """Remove an earlier build; refuse a folder of anything else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "theme.js").is_file():
        raise FileExistsError(f"{folder} holds something else: choose a folder that does not exist yet.")
    shutil.rmtree(folder, ignore_errors=True)


def write_script(machines: Sequence[Machine]) -> str:
    """The page's script."""
    data = {"machines": [machine.describe() for machine in machines], **write_texts(machines[0])}
    replaced = {
        **OMITTED,
        "constants.js": GENERATED["constants.js"][0],
        "static/recordings.js": f"export default {json.dumps(data, ensure_ascii=False)};\n",
    }
    return write_bundle(SCRIPTS, lambda path: (ASSETS / path).read_text("utf-8"), replaced)


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
            play = Play(trace, pace)
            _write_file(folder, f"{name}-{pace or 0}", play.write())
            _write_file(folder, f"{name}-{pace or 0}-stops", play.write_stops())


def _write_file(folder: Path, name: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    (folder / "runs" / f"{name}.js").write_text(FILE.format(name=json.dumps(name), value=text), "utf-8")


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    path.write_text(get_plotlyjs(), "utf-8")
