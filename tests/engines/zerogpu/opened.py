"""ZeroGPU engines of the tiny model. Without the platform its decorator is the identity: the worker is this process."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from mmap import mmap

from demo.engines.local.model import Model
from demo.engines.zerogpu.engine import ZeroGpuEngine
from demo.engines.zerogpu.generation import Generator
from demo.engines.zerogpu.gpu_run import Call, GpuRequest, Platform
from demo.engines.zerogpu.opening import make_call
from demo.events import Event
from tests.engines.local.tiny import make_model, make_network

LIMIT = 4


@dataclass
class Calls:
    """A decorator that holds a call up before it begins, or refuses it, and notes the threads of its calls."""

    refusal: Exception | None = None
    lent: threading.Event = field(default_factory=threading.Event)  # whether a GPU is free
    asked: list[GpuRequest] = field(default_factory=list)
    began: list[threading.Thread] = field(default_factory=list)
    ended: list[threading.Thread] = field(default_factory=list)

    def decorate(self, call: Call) -> Call:
        def wait(asked: GpuRequest) -> Iterator[Sequence[Event]]:
            self.asked.append(asked)
            self.began.append(threading.current_thread())
            assert self.lent.wait(30)
            try:
                if self.refusal is not None:
                    raise self.refusal
                yield from call(asked)
            finally:
                self.ended.append(threading.current_thread())

        return wait


def open_tiny(model: Model | None = None, decorate: Callable[[Call], Call] = lambda call: call) -> ZeroGpuEngine:
    """A ready engine, whose calls compute on the CPU: with the runner of `model`, else each with its own."""
    network = make_network()
    opened = model or make_model(network)
    flags = mmap(-1, LIMIT)
    generator = Generator(lambda: (model or make_model(network)).runner, opened.vocabulary, flags)
    return ZeroGpuEngine(opened, Platform(decorate(make_call(generator)), flags))
