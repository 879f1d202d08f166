"""The page: components wired to listeners, mounted on an app. The only place that knows Gradio's events."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

import gradio as gr
from fastapi import FastAPI
from gradio import route_utils
from gradio.events import Dependency

from demo.events import Engine
from demo.trace import Trace
from demo.ui import without_apps
from demo.ui.components.layout import Layout, build_layout
from demo.ui.document import Document, amend_document
from demo.ui.files import ASSETS, mount_files, write_preloads
from demo.ui.how_it_works import mount_how_it_works
from demo.ui.listeners.lesson import LessonListeners
from demo.ui.listeners.race import Listeners
from demo.ui.session import Sessions
from demo.ui.status_tracker import mount_status_tracker

# Nothing of Gradio's shows progress, and no component is told of it: that costs the browser more than the text does.
SILENT: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
MAX_LISTENERS: Final = 1000  # listeners that wait, and that run: each tab takes three
# Without a limit: who may run, and how many, is for the engine to say.
FREE: dict[str, Any] = {**SILENT, "concurrency_limit": None}
# By default Gradio drops a trigger while it has not heard of the end of the last.
EACH_TIME: dict[str, Any] = {**FREE, "trigger_mode": "multiple"}
# What a pane shows needs no processing by its component, for which Gradio would change threads each time.
OFTEN: dict[str, Any] = {**EACH_TIME, "postprocess": False}
QUICK: dict[str, Any] = {**SILENT, "queue": False}
TELLING: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}

QUEUE_POLL_SECONDS = 0.02  # seconds between two looks at what was asked
PROGRESS_POLL_SECONDS = 1.0  # the same for progress, which nothing here reports


@without_apps()
def build_page(engine: Engine, sessions: Sessions | None = None, recordings: Sequence[Trace] = ()) -> gr.Blocks:
    """The page in front of `engine`; one of `recordings` stands in where it can't answer."""
    sessions = Sessions() if sessions is None else sessions
    blocks: gr.Blocks
    with gr.Blocks(title="Token streaming", analytics_enabled=False) as blocks:
        page = build_layout()
        listeners = Listeners(engine, page, sessions, recordings)
        wire_race(blocks, page, listeners)
        wire_lesson(blocks, page, listeners, LessonListeners(engine, page, sessions))
    blocks.queue(max_size=MAX_LISTENERS, default_concurrency_limit=None)
    blocks._queue.max_thread_count = MAX_LISTENERS  # Gradio's own 40 are used up by thirteen tabs
    _calm(blocks)
    return blocks


def _calm(blocks: gr.Blocks) -> None:
    """Gradio's queue looks a thousand times a second whether anything was asked, and whether anything made progress.

    Each look interrupts the model: together they took 4 % of its speed, on a page where nothing happened.
    """
    blocks._queue.sleep_when_free = QUEUE_POLL_SECONDS
    blocks._queue.progress_update_sleep_when_free = PROGRESS_POLL_SECONDS
    blocks._queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # its spelling; of sums by pandas that nobody asks for
    # And with every update it looks for matplotlib, twice, in every folder of packages: here is the answer.
    if find_spec("matplotlib") is None:
        sys.modules["matplotlib"] = None  # type: ignore[assignment]


def mount_page(
    app: FastAPI, engine: Engine, sessions: Sessions | None = None, recordings: Sequence[Trace] = ()
) -> FastAPI:
    """Serve the page in front of `engine` at `/` of `app`."""
    mount_files(app)
    mount_how_it_works(app)
    mount_status_tracker(app)
    app.add_middleware(Document)
    amend_document()
    # The address at which Gradio's client asks: the page's own. Gradio would guess it from headers, which a proxy may
    # have replaced.
    route_utils.get_root_url = lambda *args, **options: "."
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build_page(engine, sessions, recordings),
        path="/",
        theme=build_theme(),
        head=read_head(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
    )
    return mounted


def build_theme() -> gr.themes.Base:
    """System fonts only: no request leaves for another host."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    mono = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "Liberation Mono", "monospace"]
    return gr.themes.Base(primary_hue="zinc", secondary_hue="zinc", neutral_hue="zinc", font=sans, font_mono=mono)


def read_head() -> str:
    """Style sheets and the first scripts. In the head, since Gradio would rewrite the selectors of a `css`."""
    style = "".join((ASSETS / name).read_text("utf-8") for name in ("page.css", "answer/answer.css", "lesson.css"))
    script = "".join((ASSETS / name).read_text("utf-8") for name in ("page/watch.js", "page.js"))
    return f"{write_preloads()}<style>{style}</style><script>{script}</script>"


# Way 2: Gradio sends the prompt and the controls to a listener that starts a race
def wire_race(blocks: gr.Blocks, page: Layout, listeners: Listeners) -> None:
    """Tie the race's components to their listeners."""
    asked = gather(partial(gr.on, [page.generate.click, page.prompt.submit, page.examples.click]), page)
    follow(asked.then(listeners.begin, page.asked, page.start, **QUICK), page, listeners)
    again = gather(page.retry.click(listeners.stop_all, **QUICK).then, page)
    follow(again.then(listeners.begin_again, page.asked, page.start, **FREE), page, listeners)
    rest = gather(page.verdict.click, page)
    follow(rest.then(listeners.complete, page.asked, page.start, **FREE), page, listeners)
    page.controls.pace.input(listeners.choose_speed, **QUICK)
    page.stop.click(listeners.stop_all, **QUICK)
    page.streamed.stop.click(listeners.stop_streamed, **QUICK)
    page.whole.stop.click(listeners.stop_whole, **QUICK)
    cleared = page.clear.click(listeners.stop_all, **QUICK)
    cleared.then(listeners.clear, None, [*page.start, page.results], **FREE)
    told = [page.model, page.generate, page.controls.pace, page.controls.length]
    blocks.load(listeners.watch_model, None, told, **FREE)
    page.sight.blur(listeners.look_away, **TELLING)
    page.sight.focus(listeners.look_back, **TELLING)
    blocks.unload(listeners.drop)


def wire_lesson(blocks: gr.Blocks, page: Layout, race: Listeners, listeners: LessonListeners) -> None:
    """Tie the lesson's components to their listeners."""
    lesson = page.lesson
    begun = [*page.start, lesson.example]
    follow(lesson.example_run.click(listeners.begin_example, lesson.example_inputs, begun, **FREE), page, race)
    for dial in (lesson.example_length, lesson.example_pace):
        dial.change(listeners.predict, lesson.example_inputs, lesson.example, **QUICK)
    lesson.price.change(listeners.weigh, lesson.price, lesson.saved, **QUICK)
    gather(lesson.share.click, page).then(listeners.share, page.asked, lesson.link, **QUICK)
    read_address = "() => [window.location.hash.slice(1)]"
    arrived = blocks.load(
        listeners.arrive, page.fragment, [*page.controls.inputs, *page.start], js=read_address, **FREE
    )
    follow(arrived, page, race)


def gather(trigger: Callable[..., Dependency], page: Layout) -> Dependency:
    """The prompt, how it is asked and the dials' positions become the one value of `page.asked`.

    Of every component that a listener has ever read, Gradio's client renews the status with each message that comes:
    so these are read in the browser, and the listeners read what was gathered.
    """
    given = [page.prompt, page.keep, *page.controls.inputs]
    return trigger(None, given, page.asked, js="(...values) => [tokenStreaming.gather(values)]", **SILENT)


# Way 11: The listeners of both sides start together, once the race has started
def follow(begun: Dependency, page: Layout, listeners: Listeners) -> None:
    """What comes after a listener that may have begun a race: both sides of it, together, and their end."""
    # Two listeners of one click would run one after the other; those that follow a quick first step run together.
    begun.then(listeners.narrate, None, page.whole.run, **OFTEN)
    for ended in (
        begun.then(listeners.stream, None, page.streamed.run, **OFTEN),
        begun.then(listeners.wait_whole, None, page.whole.run, **OFTEN),
    ):
        ended.then(listeners.settle, page.lesson.price, page.settled, **EACH_TIME)
