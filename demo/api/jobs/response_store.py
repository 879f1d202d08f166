"""The responses that the server keeps, in memory: for their ids to be asked about, and continued. Knows no route."""

import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import Refused
from demo.api.dialects.responses import ResponsesDialect
from demo.api.jobs.run_size import measure_run, measure_texts
from demo.api.openapi.response_replies import ResponseObject
from demo.errors import BadRequest
from demo.request import Message
from demo.run import Reader, Run

KEEP_SECONDS: Final = 3600.0
KEEP_RESPONSES: Final = 1000
KEEP_OF_CLIENT: Final = 100
KEEP_BYTES: Final = 32 * 1024 * 1024  # of all


@dataclass(frozen=True)
class StoredResponse:
    """A response, the messages that it answers, and its run. With a `reader` the run goes on without a connection."""

    dialect: ResponsesDialect
    conversation: tuple[Message, ...]
    run: Run
    client: str
    reader: Reader | None

    @cached_property
    def size(self) -> int:
        """The bytes that it takes, about, once it has ended."""
        return measure_run(self.run) + measure_texts(self.conversation)

    def write(self) -> ResponseObject:
        """As JSON."""
        return self.dialect.write(Answer.of(self.run))

    def continue_with(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Its conversation, its answer, and `messages`. Raises BadRequest while it is being answered."""
        answer = Answer.of(self.run)
        if answer.end is None:
            raise BadRequest(f"Response {self.dialect.id!r} has not ended: continue it when it has.")
        turn = Message("assistant", answer.join("answer"), answer.join("reasoning") or None)
        return (*self.conversation, turn, *messages)


class ResponseStore:
    """Bounded in number, for each client too, in memory and in time: the oldest that have ended go first."""

    def __init__(self) -> None:
        self._stored: dict[str, StoredResponse] = {}

    def add(self, response: StoredResponse) -> None:
        self._stored[response.dialect.id] = response
        self._expire()

    def find(self, id: str) -> StoredResponse:
        """Raises Refused (404) for an unknown or expired one."""
        self._expire()
        if id not in self._stored:
            raise Refused("not_found", f"There is no response {id!r}: it was not stored, was deleted or has expired.")
        return self._stored[id]

    def remove(self, response: StoredResponse) -> None:
        """Forget it, and stop it if it has not ended."""
        self._stored.pop(response.dialect.id, None)
        response.run.cancel()
        if response.reader is not None:
            response.reader.close()

    def _expire(self) -> None:
        oldest, kept, size = time.perf_counter() - KEEP_SECONDS, Counter[str](), 0
        for response in reversed(tuple(self._stored.values())):
            if (end := response.run.end) is None:
                continue
            kept[response.client] += 1
            size += response.size
            too_many = kept.total() > KEEP_RESPONSES or kept[response.client] > KEEP_OF_CLIENT
            if too_many or size > KEEP_BYTES or end.time < oldest:
                self.remove(response)
