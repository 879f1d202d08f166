"""What stands in for Gradio's queue: the same messages to the same client, for hundreds of tabs in one process.

Gradio's queue polls, tells each waiting listener its rank, changes threads with each value and keeps copies of all
components for each tab; and a client that joins it and never listens stays in it for ever. Here a listener runs at
once, in a task that ends with its tab, and its values are sent as they are, since no component of the page changes
them. The event stream lasts as long as the tab: Gradio closes it whenever no listener runs, and its client then loses
what a click has just started.
"""

import inspect
import logging
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final, TypeAlias

import gradio as gr
import orjson
from gradio.blocks import Block
from gradio.utils import diff

from demo.ui.tabs import Tabs

logger = logging.getLogger(__name__)

SKIPPED: Final = {"__type__": "update"}
FAILED: Final = {"error": None, "visible": True, "duration": 10, "title": "Error"}
Values: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a listener, for a tab."""

    fn: Any  # Gradio's record of the listener
    request: gr.Request
    inputs: Values
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __call__(self) -> Any:
        """What the listener returns: a value, a coroutine or a generator."""
        given = self.inputs[: len(self.fn.inputs)]
        return self.fn.fn(self.request, *given) if takes_request(self.fn.fn) else self.fn.fn(*given)

    async def wait(self) -> Values:
        """The values of a listener that returns once. None of the page's takes long without `await`: no thread."""
        result = self()
        return list_values(self.fn, await result if inspect.isawaitable(result) else result)


class TabQueue:
    """Runs each listener of the page at once, for the tab that asks, and sends the tab what it yields and returns."""

    def __init__(self, blocks: gr.Blocks, tabs: Tabs) -> None:
        self._listeners = blocks.fns
        self.tabs = tabs

    def make_call(self, number: int, request: Any, session_hash: str, inputs: Values) -> Call | None:
        """A call of the page's listener `number`; None where it has none that takes these inputs."""
        fn = self._listeners.get(number)
        if fn is None or fn.fn is None or len(inputs) < len(fn.inputs):
            return None
        return Call(fn, gr.Request(request, session_hash=session_hash), inputs)

    def start(self, call: Call) -> bool:
        """Run a listener for a tab that is open; False where it has too many."""
        return self.tabs.start(str(call.request.session_hash), partial(self._run, call))

    async def _run(self, call: Call) -> None:
        begin = time.monotonic()
        try:
            values = await (self._send_updates(call) if inspect.isasyncgenfunction(call.fn.fn) else call.wait())
            self._send(call, "process_completed", write_output(values, begin))
        except Exception:
            logger.exception("A listener of the page failed.")
            self._send(call, "process_completed", FAILED, success=False)

    # Way 21: Of each value that a generator yields, the browser is sent what is new
    async def _send_updates(self, call: Call) -> Values:
        """Send what a generator yields: the first values whole, then what has changed. Nothing is left for its end."""
        sent: Values | None = None
        begin = time.monotonic()
        updates: AsyncIterator[Any] = call()
        async for update in updates:
            values = list_values(call.fn, update)
            changes = values if sent is None else list(map(diff, sent, values))
            self._send(call, "process_generating", write_output(changes, begin, is_generating=True))
            sent = values
        return [SKIPPED] * len(call.fn.outputs)

    def _send(self, call: Call, kind: str, output: dict[str, Any], success: bool = True) -> None:
        message = {"msg": kind, "event_id": call.id, "output": output, "success": success}
        self.tabs.send(str(call.request.session_hash), b"data: %b\n\n" % orjson.dumps(message))


@cache
def takes_request(function: Any) -> bool:
    """Whether a listener's first parameter is the request, as Gradio finds it: by its type."""
    parameters = inspect.signature(function).parameters.values()
    return next((each.annotation for each in parameters), None) is gr.Request


def list_values(fn: Any, update: Any) -> Values:
    """One value for each output of a listener, from its `{component: value}`."""
    if not isinstance(update, dict) or not all(isinstance(key, Block) for key in update):
        return [update] * len(fn.outputs)
    return [update.get(block, SKIPPED) for block in fn.outputs]


def write_output(values: Values, begin: float, is_generating: bool = False) -> dict[str, Any]:
    """The part of a message that holds values."""
    took = time.monotonic() - begin
    return {"data": values, "is_generating": is_generating, "duration": took, "average_duration": took}
