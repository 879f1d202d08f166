"""The web page: two panes fed by one run. Knows the core, and of engines only their protocol."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without_stubs() -> Iterator[None]:
    """Gradio rewrites the .pyi stubs of its own components at every import, which takes half of its 1.8 s.

    It leaves out a class whose file can't be named.
    """
    find = inspect.getfile

    def find_other(thing: object) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError
        return find(thing)  # type: ignore[arg-type]

    inspect.getfile = find_other  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = find


with _without_stubs():
    import gradio as gradio
