"""The page's document: the server's layout as plain HTML, and the stations that need a server as a sentence each."""

import asyncio
import re
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from demo.ui.gradio_tuning import without_apps

# isort: split
import gradio as gr

from demo.static.markup import Markup
from demo.static.recordings import EXAMPLE_PACES, Machine
from demo.ui.components.layout import Layout

RUN_IT: Final = "README.md#run-it"
STATION: Final = re.compile(
    r'<section class="station" id="station-(?P<name>[a-z]+)".*?(?P<heading><h3.*?</h3>).*?(?P<paragraph><p\b.*?</p>)',
    re.DOTALL,
)
KEY: Final = re.compile(r'<span class="key">(\d+)</span>')  # of a station: its number in the list of contents
HOW_IT_WORKS: Final = re.compile(r'<p><a href="how-it-works/demo/".*?</p>', re.DOTALL)
# Of these a station has its heading and its first paragraph, which says what it is about.
ON_A_SERVER: Final = {
    "sweep": "It asks for answers of many lengths",
    "pairs": "It asks for the same answer twice, again and again",
    "events": "It shows the bytes of an answer as they arrive",
    "ways": "Its job is run by a server and read in three ways",
    "enough": "It overloads a server",
    "call": "Its programs call a server",
    "room": "Its phones join a server",
}
RECORDED_STORY: Final = "a recorded story is continued, at 30 tokens/s"
REMAINDER: Final = (
    "<strong>This page</strong> is the remainder: it loads the recording and shows its updates, which are as far apart "
    "as a server's. A server's way through Gradio and a network is not in it."
)
# What a server's page says in its stations, and what this one says instead.
TOLD: Final = (
    (r"the model continues a story, slowed to 30 tokens/s where this machine is faster", RECORDED_STORY),
    (r'data-delivery="Gradio"', 'data-delivery="this page"'),
    (r"<strong>Gradio</strong>, and\n", "<strong>this page</strong>, and\n"),
    (r"<strong>Gradio</strong> is the remainder.*?browser's parsing\.", REMAINDER),
)
DOCUMENT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Token streaming, recorded</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
</head>
<body>
<script src="theme.js"></script>
<div class="gradio-container"><main class="main app"><div class="column">
{body}</div></main></div>
<script src="page.js"></script>
</body>
</html>
"""


async def build_layout() -> tuple[Layout, dict[str, Any]]:
    """The server's layout, and how Gradio describes it.

    In an event loop, since Gradio would otherwise open one and leave it open.
    """
    blocks: gr.Blocks
    with without_apps(), gr.Blocks(analytics_enabled=False) as blocks:
        page = Layout()
    return page, dict(blocks.get_config_file())


class Document:
    """The page's components and their HTML. `server` is the address of a running instance, if there is one."""

    def __init__(self, server: str | None = None) -> None:
        self._server = server
        self._page, self._config = asyncio.run(build_layout())
        for component in self._config["components"]:
            self._replace_station(component["props"])
            _tell_recorded(component["props"])

    def write(self, machines: Sequence[Machine]) -> str:
        markup = Markup(self._config["components"], self._name_components())
        body = "".join(map(markup.write, self._config["layout"]["children"]))
        body = HOW_IT_WORKS.sub(self._replace_how_it_works, body)
        speed = '<fieldset id="speed"'
        return DOCUMENT.format(body=body.replace(speed, write_choice(machines) + speed, 1))

    def _name_components(self) -> dict[int, str]:
        page = self._page
        named = {
            "model": page.model,
            "message": page.message,
            "question": page.question,
            "timeline": page.timeline,
            "latency": page.latency,
            "table": page.table,
            "run": page.trace,
            "saved": page.lesson.saved,
            "definitions": page.lesson.definitions,
            "example": page.lesson.example,
            "link": page.lesson.link,
            **{f"{pane.side}-run": pane.run for pane in page.panes},
            **{f"{pane.side}-past": pane.past for pane in page.panes},
        }
        return {component._id: name for name, component in named.items()}

    def _replace_station(self, props: dict[str, Any]) -> None:
        """Of a station that needs a server, what it is about; it then has no script."""
        found = STATION.match(str(props.get("value")))
        if not found or (name := found["name"]) not in ON_A_SERVER:
            return
        about = "\n".join(found.group("heading", "paragraph"))
        number = KEY.search(found["heading"])
        place = f"/#station={number[1]}" if number else "/"
        where = self._link(place, "open it on one") if self._server else self._link("", "run one")
        sentence = f'<p class="note needs-server">{ON_A_SERVER[name]}: this needs a server; {where}.</p>'
        section = f'<section class="station" id="station-{name}" aria-labelledby="title-{name}">'
        props["value"], props["js_on_load"] = f"{section}\n{about}\n{sentence}\n</section>", None

    def _replace_how_it_works(self, found: re.Match[str]) -> str:
        return found[0].replace('href="', f'href="{escape(self._server)}/') if self._server else ""

    def _link(self, path: str, text: str) -> str:
        address = escape(f"{self._server}{path}") if self._server else RUN_IT
        return f'<a href="{address}" target="_blank">{text}</a>'


def _tell_recorded(props: dict[str, Any]) -> None:
    """What differs where nothing is generated: speeds, whose stories, and what brings the text to the page."""
    if props.get("elem_id") == "example-pace":
        props["choices"] = [choice for choice in props["choices"] if choice[1] in EXAMPLE_PACES]
    if (value := str(props.get("value"))).startswith('<section class="station"'):
        props["value"] = tell_recorded(value)


def tell_recorded(markup: str) -> str:
    """What a station says on a page that plays recordings."""
    for pattern, text in TOLD:
        markup = re.sub(pattern, text, markup, flags=re.DOTALL)
    return markup


def write_choice(machines: Sequence[Machine]) -> str:
    """The choice of the machine and model whose runs are played."""
    options = "".join(f'<option value="{at}">{escape(each.name)}</option>' for at, each in enumerate(machines))
    hidden = " hidden" if len(machines) == 1 else ""
    choice = f"<label><span>Recorded</span> <select>{options}</select></label>"
    return f'<div class="block" id="machine"{hidden}>{choice}</div>\n'
