"""The web page: two panes fed by one run. Knows the core, and of engines only their protocol.

Gradio is imported here first, and kept from work whose result nothing here uses.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import jinja2


class _Unwritten:
    """A template that nobody reads."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, **values: object) -> str:
        return self._text


@contextmanager
def _without_documents() -> Iterator[None]:
    """Gradio rewrites the .pyi stubs of its own components at every import, and the help of 216 listeners.

    That would take more than half of its time. It leaves out the stub of a class whose file can't be named.
    """
    find, template = inspect.getfile, jinja2.Template

    def find_other(thing: object) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError
        return find(thing)  # type: ignore[arg-type]  # any thing that has a file

    inspect.getfile = find_other  # type: ignore[assignment]  # its own names more kinds of things
    jinja2.Template = _Unwritten  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        inspect.getfile, jinja2.Template = find, template  # type: ignore[misc]


with _without_documents():
    import gradio as gradio
    from gradio.routes import App


@contextmanager
def without_apps() -> Iterator[None]:
    """Gradio builds a web app of a hundred routes when a page begins, when it ends and when it gets its queue.

    Within this it builds none: the one that answers is built when the page is mounted.
    """
    create = App.create_app
    App.create_app = staticmethod(lambda *args, **options: None)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        App.create_app = staticmethod(create)  # type: ignore[method-assign]
