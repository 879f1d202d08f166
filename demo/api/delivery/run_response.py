"""The base of responses that read runs. However one ends, its readers are closed; the last reader's close stops a run.

Knows no dialect: a `Dialect` writes tokens and answers as JSON.
"""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from demo.api.delivery.client_tasks import StallWatch, run_until_first_ends, wait_for_disconnect
from demo.api.dialects.answer import Answer
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import make_error_response
from demo.errors import DemoError
from demo.run import Run


class RunResponse(Response, ABC):
    """Holds a reader of each run until it has been delivered, or the client disconnects or stalls."""

    def __init__(self, runs: Sequence[Run], dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect
        self._readers = [run.attach() for run in runs]
        self._answers = [Answer(run) for run in runs]
        self.early_headers: dict[str, str] = {}  # those that are known before the first token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["answers"] = self._answers
        self._scope, self._receive, self._watch = scope, receive, StallWatch(send)
        try:
            await run_until_first_ends(*self._make_tasks())
        finally:
            for reader in self._readers:
                reader.close()

    @abstractmethod
    async def _deliver(self) -> None:
        """Read the runs and send them."""

    def _make_tasks(self) -> Sequence[Coroutine[Any, Any, None]]:
        return wait_for_disconnect(self._receive), self._watch.wait(), self._deliver()

    async def _refuse(self, error: DemoError) -> None:
        await self._respond(make_error_response(error, self._dialect.error(error)))

    async def _respond(self, response: Response) -> None:
        await response(self._scope, self._receive, self._transmit)

    async def _transmit(self, message: Message) -> None:
        if self.early_headers and message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *Headers(self.early_headers).raw]
        await self._watch.send(message)
