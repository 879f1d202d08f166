"""A scripted engine: a test decides what it emits, and when. The only fake, at the Engine protocol."""

import threading
import time
from collections.abc import Sequence

from demo.engine import Engine, Load, Log, ModelCard, Piece, Ready, Status, Ticket
from demo.errors import DemoError, describe_shutdown
from demo.events import Done, Event, Failed, FinishReason, PromptProgress, Queued, Started, Token
from demo.request import Prompt, Request, list_texts

CARD = ModelCard("scripted", None, "folder", "cpu", "float32", max_input_tokens=1000, max_total_tokens=2000)


class ScriptedTicket(Ticket):
    """One admitted request, driven by the test: `start_with`, `write`, then `finish` or `fail`."""

    def __init__(self, request: Request, log: Log) -> None:
        self.request = request
        self.cancelled = False
        self.stopped = threading.Event()
        self.remaining: float | None = None  # what a test sets
        self._log = log
        self._written = 0
        self._ending = threading.Lock()
        self._ended = False

    def start(self, input_tokens: int = 10, cached_tokens: int = 0) -> None:
        """The prompt is being read, but for the first `cached_tokens`."""
        self._log(Started(time.perf_counter(), input_tokens, 0, cached_tokens))

    def start_with(self, *texts: str) -> None:
        """The prompt has been read, and the first tokens have come."""
        self.start()
        self.write(*texts)

    def queue(self, ahead: int, seconds: float | None) -> None:
        """It waits for so many prompts, and expects its first token in `seconds`."""
        self._log(Queued(time.perf_counter(), ahead, seconds))

    def read(self, read: int, total: int) -> None:
        """So much of the prompt has been read."""
        self._log(PromptProgress(time.perf_counter(), read, total))

    def write(self, *texts: str, at: float | None = None) -> None:
        for text in texts:
            self._log(self._make_token(text, at))

    def write_last(self, text: str, reason: FinishReason, at: float | None = None) -> None:
        """The token that brings the end about, and the end together with it."""
        if self._claim_end():
            token = self._make_token(text, at)
            self._log(token, Done(token.time, reason, self._written))

    def finish(self, reason: FinishReason = "length") -> None:
        self._end(Done(time.perf_counter(), reason, self._written))

    def fail(self, error: DemoError) -> None:
        self._end(Failed(time.perf_counter(), error))

    @property
    def ended(self) -> bool:
        return self._ended

    def find_remaining(self) -> float | None:
        return self.remaining

    def cancel(self) -> None:
        self.cancelled = True
        self.stopped.set()
        self.finish("cancelled")

    def _make_token(self, text: str, at: float | None) -> Token:
        self._written += 1
        moment = time.perf_counter() if at is None else at
        return Token(moment, self._written, self._written, text, -0.5, special=False)

    def _end(self, event: Event) -> None:
        if self._claim_end():
            self._log(event)

    def _claim_end(self) -> bool:
        """Whether the caller is the one that ends it."""
        with self._ending:
            is_first, self._ended = not self._ended, True
            return is_first


class ScriptedEngine(Engine):
    """Keeps every admitted ticket for the test to drive; refuses with `refusal` when one is set."""

    ticket_type: type[ScriptedTicket] = ScriptedTicket

    def __init__(self, status: Status | None = None) -> None:
        self.tickets: list[ScriptedTicket] = []
        self._submitted = threading.Condition()
        self.refusal: DemoError | None = None
        self.stalled = 0.0
        self._status = status or Ready(CARD)

    @property
    def status(self) -> Status:
        return self._status

    @property
    def load(self) -> Load:
        running = sum(not ticket.ended for ticket in self.tickets)
        return Load(running, waiting=0, limit=100, stalled=self.stalled)

    def admit(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        text = "\n".join(list_texts(prompt))
        return text, tuple(Piece(ord(character), at, at + 1) for at, character in enumerate(text))

    def submit(self, request: Request, log: Log) -> Ticket:
        if self.refusal is not None:
            raise self.refusal
        ticket = self.ticket_type(request, log)
        with self._submitted:
            self.tickets.append(ticket)
            self._submitted.notify_all()
        return ticket

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        """One after the other, with `submit`, which subclasses override."""
        tickets: list[Ticket] = []
        try:
            for request, log in zip(requests, logs, strict=True):
                tickets.append(self.submit(request, log))
        except BaseException:
            for ticket in tickets:
                ticket.cancel()
            raise
        return tickets

    def wait_for_ticket(self, number: int = 1) -> ScriptedTicket:
        """The ticket of request `number`, counted from 1, once it has been submitted."""
        with self._submitted:
            assert self._submitted.wait_for(lambda: len(self.tickets) >= number, timeout=20), "no such request"
        return self.tickets[number - 1]

    def cancel_all(self) -> None:
        for ticket in self.tickets:
            ticket.cancel()

    def close(self) -> None:
        self.cancel_all()


class TypingEngine(ScriptedEngine):
    """Answers every request by itself with `texts`, one token every `gap` seconds, from a thread of its own.

    A request's own pace holds where it is slower, without drift, from the first token on. With no gap, paced tokens are
    stamped with the moments at which they were due: a busy machine may write them later. Where a test clears `may_end`,
    the last token waits for it.
    """

    def __init__(self, texts: Sequence[str], gap: float, status: Status | None = None) -> None:
        super().__init__(status)
        self._texts = texts
        self._gap = gap
        self.may_end = threading.Event()
        self.may_end.set()

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = super().submit(request, log)
        assert isinstance(ticket, ScriptedTicket)
        ticket.start()
        due = time.perf_counter() if request.pace and not self._gap else 0.0
        threading.Thread(target=self._type, args=(ticket, due), daemon=True).start()
        return ticket

    def close(self) -> None:
        for ticket in self.tickets:
            ticket.fail(describe_shutdown())
        self.cancel_all()

    def _type(self, ticket: ScriptedTicket, due: float) -> None:
        request = ticket.request
        gap = 1 / request.pace if request.pace else 0.0
        is_punctual = due > 0
        *texts, last = self._texts[: request.max_new_tokens]
        for text in texts:
            self._wait(due)
            if ticket.cancelled:
                return
            ticket.write(text, at=due if is_punctual else None)
            due = (due or time.perf_counter()) + gap
        self._wait(due)
        self.may_end.wait()
        ticket.write_last(last, "eos_token", at=due if is_punctual else None)

    def _wait(self, due: float) -> None:
        threading.Event().wait(max(self._gap, due - time.perf_counter()))
