"""Opens the engine on the platform, with its package `spaces`, which a ZeroGPU Space installs and nothing else does."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from mmap import mmap
from typing import Any, TypeAlias

from fastapi import FastAPI

from demo.engine import Engine
from demo.engines.zerogpu.gpu_run import Call, GpuRequest, Platform
from demo.errors import DemoError
from demo.events import Event
from demo.settings import Settings

Decorate: TypeAlias = Callable[[Call], Call]


def is_zerogpu(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a ZeroGPU Space, as the platform's package decides it."""
    return environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def open_zerogpu(settings: Settings, port: int) -> Engine:
    """The engine on the platform, for a server at `port`. Call it in the main thread, before torch is imported.

    Returns when the model is loaded, or can't be: the engine is then Broken.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
    spaces = import_module("spaces")  # before torch, which it emulates a GPU for
    from demo.engines.zerogpu.gradio_context import QueuedCall

    def enter(run: Any) -> None:
        QueuedCall(run, port).enter()

    engine = build_engine(settings, spaces.GPU(duration=lambda asked: asked.seconds), enter)
    # Gradio's first `launch` would call this, and this server is not launched by Gradio. It moves the weights to where
    # workers read them, and reports that there is a decorated function: the platform stops a Space that does not.
    import_module("spaces.zero").startup()
    return engine


def serve_visitors(app: FastAPI) -> FastAPI:
    """The app, with each request's headers where the platform's package looks for the visitor's token."""
    from demo.engines.zerogpu.gradio_context import VisitorMiddleware

    app.add_middleware(VisitorMiddleware)
    return app


def build_engine(settings: Settings, decorate: Decorate, enter: Callable[[Any], None]) -> Engine:
    """The engine of the settings' model, or a Broken one; a function is decorated in both cases."""
    from demo.engines.zerogpu.engine import ZeroGpuEngine
    from demo.engines.zerogpu.generation import Generator
    from demo.engines.zerogpu.loading import load_model

    flags = mmap(-1, settings.max_concurrent_requests)
    try:
        model, open_runner = load_model(settings)
    except DemoError as error:
        return ZeroGpuEngine(error, Platform(decorate(answer_nothing), flags, enter))
    gc.freeze()  # the loaded objects stay; a fork copies the pages that a collection would write to
    gc.enable()
    call = decorate(make_call(Generator(open_runner, model.vocabulary, flags)))
    return ZeroGpuEngine(model, Platform(call, flags, enter))


def make_call(generator: Any) -> Call:
    """A generator function, which is what the decorator recognises; a bound method has no attributes to set."""

    def generate(asked: GpuRequest) -> Iterator[Sequence[Event]]:
        yield from generator.generate(asked)

    return generate


def answer_nothing(asked: GpuRequest) -> Iterator[Sequence[Event]]:
    """Without a model no call is made; the platform still wants a decorated function."""
    yield ()
