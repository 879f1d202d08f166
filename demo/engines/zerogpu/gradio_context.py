"""What the platform's package reads of Gradio, in the context of the thread that iterates a decorated call.

It reads the request, for the token by which the visitor's quota is counted; the server's port, whose connections a
worker must not keep open; and whether the visitor still waits, each time that its queue gives a sign of life.
"""

import logging
from types import SimpleNamespace

from gradio.context import LocalContext
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.engines.zerogpu.gpu_run import GpuRun

logger = logging.getLogger(__name__)


class QueuedCall:
    """Stands for the Blocks, its queue, and the queue's one event: that of a run. Gradio's own belong to listeners."""

    def __init__(self, run: GpuRun, port: int) -> None:
        self.server = SimpleNamespace(config=SimpleNamespace(port=port))
        self._run = run
        self._id = f"run-{id(run)}"

    @property
    def _queue(self) -> "QueuedCall":
        return self

    @property
    def active_jobs(self) -> list[list["QueuedCall"]]:
        return [[self]]

    @property
    def alive(self) -> bool:
        """Whether anybody still waits for the run."""
        return not self._run.ended

    def log_message(self, event_id: str, log: str, **options: object) -> None:
        """A message for the visitor; the page shows the same by the run's phase."""
        logger.info("ZeroGPU: %s", log)

    def set_progress(self, *arguments: object) -> None:
        """Progress of a bar; none is shown."""

    def enter(self) -> None:
        """Take Gradio's place in this context."""
        LocalContext.blocks.set(self)  # type: ignore[arg-type] # the package reads these names and no others
        LocalContext.event_id.set(self._id)


class VisitorMiddleware:
    """Puts the headers of every HTTP request where Gradio puts those of its own: the API is used by visitors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            LocalContext.request.set(SimpleNamespace(headers=Headers(scope=scope)))  # type: ignore[arg-type]
        await self._app(scope, receive, send)
