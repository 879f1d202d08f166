"""Every use of Gradio's private names: what the page changes of Gradio, each change with its reason.

A name that Gradio no longer has is logged with what is lost, and the page works without that change.
"""

import inspect
import logging
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import jinja2
from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Route

logger = logging.getLogger(__name__)

CREATE_APP: Final = "gradio.routes.App.create_app"
ROOT_URL: Final = "gradio.route_utils.get_root_url"
BUILD: Final = "gradio.route_utils.BUILD_PATH_LIB"
# Each private name, and what the page loses without it.
PRIVATE: Final = {
    CREATE_APP: "the page opens later",
    ROOT_URL: "the page may not work behind a proxy that replaces headers",
    BUILD: "the page's files load one after the other, and a timer runs for as long as a tab is open",
}
TRACKER: Final = "statustracker-*.js"
# The effect that starts a timer when something is pending, and stops it when that is no longer so.
TIMER: Final = re.compile(r"\w+\.status===`pending`\?\w+\(\):\w+\(\(\)=>\{(?P<stop>\w+)\(\)\}\)(?=\}\))")


@contextmanager
def _replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    original = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


class _UnrenderedTemplate:
    """A jinja2.Template that renders nothing."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, **values: object) -> str:
        return self._text


def _get_file(thing: Any, getfile: Any = inspect.getfile) -> str:
    if isinstance(thing, type) and thing.__module__.startswith("gradio."):
        raise OSError
    return str(getfile(thing))


# Gradio rewrites the .pyi stubs of its components at every import, and the help of 216 listeners, which takes more than
# half of the import's time. It writes no stub for a class that is in no file.
with _replaced(inspect, "getfile", _get_file), _replaced(jinja2, "Template", _UnrenderedTemplate):
    import gradio as gr


def find_private(name: str) -> Any:
    """The object with this dotted name; None, and a line in the log, where Gradio no longer has it."""
    try:
        return resolve_name(name)
    except (ImportError, AttributeError):
        logger.warning("This version of Gradio has no %s: %s.", name, PRIVATE[name])
        return None


def without_apps() -> AbstractContextManager[None]:
    """A context in which Gradio builds no app.

    It would build one of a hundred routes when a page begins, when it ends and when it gets its queue; the app that
    answers is built when the page is mounted.
    """
    if find_private(CREATE_APP) is None:
        return nullcontext()
    owner, _, name = CREATE_APP.rpartition(".")
    return _replaced(resolve_name(owner), name, staticmethod(lambda *args, **options: None))


def close_queue(blocks: gr.Blocks) -> None:
    """Let Gradio's queue do nothing: it would look for work a thousand times a second, and nothing joins it here."""
    queue: Any = getattr(blocks, "_queue", None)
    if hasattr(queue, "start") and hasattr(queue, "max_size"):
        queue.start, queue.max_size = lambda: None, 0
    else:
        logger.warning("This version of Gradio has no queue that can be closed: the model is slower beside the page.")


def use_relative_urls() -> None:
    """Gradio's client calls the address of the page itself; Gradio would guess it from headers."""
    if find_private(ROOT_URL) is not None:
        owner, _, name = ROOT_URL.rpartition(".")
        setattr(resolve_name(owner), name, lambda *args, **options: ".")


def list_built(pattern: str) -> list[Path]:
    """The files of Gradio's client that fit `pattern`."""
    folder = find_private(BUILD)
    return [] if folder is None else sorted(Path(folder).glob(pattern))


def mount_status_tracker(app: FastAPI) -> None:
    """Serve the script of Gradio's status tracker amended, so that its timer stops.

    As Gradio serves it, the tracker that is shown while a page loads requests animation frames for as long as the tab
    is open, since nothing ends its timer when the tracker is removed.
    """
    for path in list_built(TRACKER):
        script, count = amend_status_tracker(path.read_text("utf-8"))
        if count == 1:
            app.router.routes.append(Route(f"/assets/{path.name}", Response(script, media_type="text/javascript")))
        else:
            logger.warning("Gradio's %s has changed: its timer runs for as long as a tab is open.", path.name)


def amend_status_tracker(script: str) -> tuple[str, int]:
    """The effect returns what stops the timer, which Svelte calls as it removes the tracker; and how many effects."""
    return TIMER.subn(r"\g<0>;return \g<stop>", script)
