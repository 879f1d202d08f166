"""The page: components wired to listeners, mounted on an app. The only module that knows Gradio's events."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from demo.ui.gradio_tuning import close_queue, mount_status_tracker, use_relative_urls, without_apps

# isort: split
import gradio as gr
from fastapi import FastAPI
from gradio.events import Dependency

from demo.access import Access
from demo.engine import Engine
from demo.trace import Trace
from demo.ui.components.layout import Layout
from demo.ui.document import DocumentMiddleware
from demo.ui.files import mount_files, write_styles
from demo.ui.gradio_queue import TabQueue
from demo.ui.gradio_routes import build_tab_routes, close_other_routes, share_with_no_site
from demo.ui.listeners.lesson import LessonListeners
from demo.ui.listeners.race import RaceListeners
from demo.ui.session import Sessions
from demo.ui.tabs import Tabs

# No component shows Gradio's progress: that costs the browser more than the text does.
SILENT: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
# By default Gradio drops a trigger until it has received the end of the last.
EACH_TIME: dict[str, Any] = {**SILENT, "trigger_mode": "multiple"}
QUICK: dict[str, Any] = {**SILENT, "queue": False}
QUICK_EACH_TIME: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}


def build_page(
    engine: Engine,
    sessions: Sessions,
    recordings: Sequence[Trace] = (),
    access: Access | None = None,
    reaches_hub: Callable[[], bool] = lambda: False,
) -> gr.Blocks:
    """The page in front of `engine`; where that can't answer, one of `recordings` is played."""
    blocks: gr.Blocks
    with without_apps(), gr.Blocks(title="Token streaming", analytics_enabled=False) as blocks:
        page = Layout()
        listeners = RaceListeners(engine, page, sessions, recordings, access, reaches_hub)
        wire_race(blocks, page, listeners)
        wire_lesson(blocks, page, listeners, LessonListeners(engine, page, sessions))
    close_queue(blocks)
    return blocks


def mount_page(
    app: FastAPI,
    engine: Engine,
    sessions: Sessions | None = None,
    recordings: Sequence[Trace] = (),
    tabs: Tabs | None = None,
    access: Access | None = None,
    reaches_hub: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Serve the page in front of `engine` at `/` of `app`, to the `tabs` that are then open.

    `access` says who may have a failed model loaded again; None: nobody. `reaches_hub` is asked when a visitor wants to
    know which larger models there are.
    """
    sessions = Sessions() if sessions is None else sessions
    tabs = Tabs() if tabs is None else tabs
    tabs.on_close = sessions.close
    app.state.tabs = tabs.places
    mount_files(app)
    mount_status_tracker(app)
    app.add_middleware(DocumentMiddleware)
    share_with_no_site(app)
    use_relative_urls()
    page = build_page(engine, sessions, recordings, access, reaches_hub)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=build_theme(),
        head=write_styles(),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
    )
    close_other_routes(mounted)
    mounted.router.routes[:0] = build_tab_routes(TabQueue(page, tabs))  # before Gradio's
    return mounted


def build_theme() -> gr.themes.Base:
    """System fonts only: the page loads nothing from another host."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    mono = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "Liberation Mono", "monospace"]
    return gr.themes.Base(primary_hue="zinc", secondary_hue="zinc", neutral_hue="zinc", font=sans, font_mono=mono)


def choose_first_step() -> dict[str, Any]:
    """How Generate's listener is called. On ZeroGPU through the queue: only to that does Gradio's client send the token
    by which a visitor's quota is counted."""
    return EACH_TIME if gr.utils.is_zero_gpu_space() else QUICK


# Way 2: Gradio sends the prompt and the controls to a listener that starts a race
def wire_race(blocks: gr.Blocks, page: Layout, listeners: RaceListeners) -> None:
    generate = gather(partial(gr.on, [page.generate.click, page.prompt.submit, page.examples.click]), page)
    follow(generate.then(listeners.generate, page.inputs, page.start, **choose_first_step()), page, listeners)
    retry = gather(page.retry.click(listeners.stop(), **QUICK).then, page)
    follow(retry.then(listeners.retry, page.inputs, page.start, **SILENT), page, listeners)
    complete = gather(page.verdict.click, page)
    follow(complete.then(listeners.complete, page.inputs, page.start, **SILENT), page, listeners)
    page.stop.click(listeners.stop(), **QUICK)
    page.streamed.stop.click(listeners.stop("streamed"), **QUICK)
    page.whole.stop.click(listeners.stop("whole"), **QUICK)
    stopped = page.clear.click(listeners.stop(), **QUICK)
    stopped.then(listeners.clear, None, [*page.start, page.results], **SILENT)
    page.model.click(listeners.offer_larger, None, page.message, **SILENT)
    page.pace.input(listeners.choose_speed, **QUICK)
    blocks.load(listeners.watch_model, None, [page.model, page.generate, page.pace, page.controls["length"]], **SILENT)
    page.sight.blur(listeners.hide, **QUICK_EACH_TIME)
    page.sight.focus(listeners.unhide, **QUICK_EACH_TIME)


def wire_lesson(blocks: gr.Blocks, page: Layout, race: RaceListeners, listeners: LessonListeners) -> None:
    lesson = page.lesson
    started = [*page.start, lesson.example]
    follow(lesson.example_run.click(listeners.start_example, lesson.example_inputs, started, **SILENT), page, race)
    for control in (lesson.example_length, lesson.example_pace):
        control.change(listeners.predict, lesson.example_inputs, lesson.example, **QUICK)
    lesson.price.change(listeners.price_saving, lesson.price, lesson.saved, **QUICK)
    gather(lesson.share.click, page).then(listeners.share, page.inputs, lesson.link, **QUICK)
    read_fragment = "() => [window.location.hash.slice(1)]"
    opened = [*page.controls.values(), *page.start]
    follow(blocks.load(listeners.open_link, page.fragment, opened, js=read_fragment, **SILENT), page, race)


def gather(trigger: Callable[..., Dependency], page: Layout) -> Dependency:
    """The browser gathers the prompt, its mode and the controls' values in `page.inputs`, which the listeners read.

    With each message Gradio's client renews the status of every component that a listener has read: so it is one.
    """
    inputs = [page.prompt, page.keep, *page.controls.values()]
    return trigger(None, inputs, page.inputs, js="(...values) => [tokenStreaming.gatherInputs(values)]", **SILENT)


# Way 11: The listeners of both sides start together, once the race has started
def follow(started: Dependency, page: Layout, listeners: RaceListeners) -> None:
    """What comes after a listener that may have started a race: both sides of it, at once, and their end."""
    # Two listeners of one click would run one after the other; those that follow a quick first step run together.
    started.then(listeners.stream, None, page.streamed.run, **EACH_TIME)
    started.then(listeners.report_progress, None, page.whole.run, **EACH_TIME)
    whole = started.then(listeners.wait_whole, None, page.whole.run, **EACH_TIME)
    whole.then(listeners.record, page.lesson.price, page.end, **EACH_TIME)
