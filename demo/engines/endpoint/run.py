"""EndpointRun: the ticket of one request to an engine elsewhere, and the task that reads its answer."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from demo.engine import Log, Ticket
from demo.engines.endpoint.backend import Backend, Call
from demo.engines.endpoint.chunk import Chunk, Entry, Part, Splitter
from demo.engines.endpoint.connection import Connection, Cut, Unreachable
from demo.engines.held_tokens import HeldTokens
from demo.engines.reloading import drop_frames
from demo.errors import DemoError, describe_failure
from demo.events import Candidate, Done, EngineReport, Event, Failed, FinishReason, ReasoningStart, Sent, Started, Token
from demo.reasoning import OPENING, continue_start, read_raw
from demo.repetition import find_period
from demo.request import Request, choose_seed, find_begun

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Answer:
    """An answer that is being read: what is told of it, and its tokens, of which the last waits for the end here."""

    request: Request
    held: HeldTokens
    splitter: Splitter = field(default_factory=Splitter)
    prompt: tuple[int, ...] = ()
    input_tokens: int | None = None
    cached_tokens: int | None = None
    finish: FinishReason | None = None
    stop: str | None = None
    is_stopped: bool = False  # by a stop string that was found here
    figures: tuple[tuple[str, float], ...] = ()
    generated: int = 0
    last: list[Token] = field(default_factory=list)
    seen: list[object] = field(default_factory=list)  # what identifies each token, where a loop would end the answer

    @property
    def is_cut(self) -> bool:
        """Whether this side has ended the answer: by a stop string, or because it repeats itself."""
        return self.is_stopped or self.finish == "repetition"

    def read(self, chunk: Chunk, now: float) -> list[Token]:
        """The tokens of a chunk that can be shown; none after a stop string."""
        parts = [] if self.is_cut else self.splitter.split(chunk)
        self._note(chunk)
        shown: list[Token] = []
        for part in parts:
            tokens, match = self.held.feed(self._make_token(part, now))
            shown += tokens
            if match is not None:
                self.is_stopped, self.finish, self.stop = True, "stop_sequence", match.stop
                break
            if self._ends_in_loop(part):
                self.finish = "repetition"
                break
        return self._hold_last(shown)

    def complete(self, now: float) -> list[Token]:
        """The tokens from the last shown one to the end. An end token that was not sent is one of them."""
        if self.is_stopped:
            return self.last
        rest = [*self.last, *self.held.flush()]
        if self.finish == "eos_token" and not rest:
            rest = [self._make_token(Part(None, "", None, special=True), now)]
        elif self.finish == "eos_token" and not rest[-1].text:  # also where its own text is not told
            rest[-1] = replace(rest[-1], special=True)
        return rest

    def _note(self, chunk: Chunk) -> None:
        """What the chunk tells beside tokens: of the prompt and the figures the latest, of the end the first."""
        self.prompt, self.figures = chunk.prompt or self.prompt, chunk.figures or self.figures
        self.input_tokens = self.input_tokens if chunk.input_tokens is None else chunk.input_tokens
        self.cached_tokens = self.cached_tokens if chunk.cached_tokens is None else chunk.cached_tokens
        self.finish, self.stop = self.finish or chunk.finish, self.stop or chunk.stop

    def _ends_in_loop(self, part: Part) -> bool:
        """By the tokens' ids, or their texts where the engine does not tell ids; one without either equals no other."""
        if not self.request.ends_loops:
            return False
        self.seen.append(part.text or object() if part.id is None else part.id)
        return find_period(self.seen) is not None

    def _hold_last(self, shown: list[Token]) -> list[Token]:
        """All but the last, where no further one will come with a text."""
        self.last, tokens = [], [*self.last, *shown]
        is_full = self.request.max_new_tokens is not None and self.generated >= self.request.max_new_tokens
        if tokens and (is_full or self.finish is not None):
            self.last.append(tokens.pop())
        return tokens

    def _make_token(self, part: Part, now: float) -> Token:
        self.generated += 1
        entry = part.entry or Entry(part.text.encode(), None)
        top = tuple(sorted(entry.top, key=lambda each: -(each.logprob or 0.0))[: self.request.top_n_tokens])
        own = None if entry.raw == part.text.encode() else name_entry(part, entry)
        return Token(
            now, self.generated, part.id, part.text, entry.logprob, part.special, top, part.encoded, own, part.reasoned
        )


def name_entry(part: Part, entry: Entry) -> Candidate:
    """A token by itself, where the text has something else of it."""
    text = entry.raw.decode(errors="replace")
    encoded = None if text.encode() == entry.raw else entry.raw
    return Candidate(part.id, text, entry.logprob, part.special, encoded)


class EndpointRun(Ticket):
    """Writes exactly one final event: at once where it is cancelled, while the connection is closed."""

    def __init__(self, request: Request, log: Log, backend: Backend, on_end: Callable[["EndpointRun"], None]) -> None:
        self.request = request
        self.started = False
        self.ended = False
        self.missed = False  # whether the engine was not reached, or left in mid-answer
        # None: the engine draws its own, and does not tell it.
        seed = choose_seed(request, backend.seed_bits) if backend.seed_bits else request.sampling.seed
        self._call: Call = backend.write(request, seed)
        self.stop: Callable[[], None] = lambda: None  # ends the task, from any thread
        self._backend = backend
        self._seed = seed
        self._answer = Answer(request, HeldTokens(request.stop, keeps_stop=request.keeps_stop))
        self._early: list[Token] = []  # before the first text, which tells how the answer begins
        self._opens = False
        self._reasoning: ReasoningStart = "none"
        self._pace = 0.0 if request.pace is None else 1 / request.pace
        self._due = 0.0
        self._written = 0
        self._log = log
        self._on_end = on_end
        self._writing = threading.Lock()

    def cancel(self) -> None:
        self._write(Done(time.perf_counter(), "cancelled", self._written))
        self.stop()

    def fail(self, error: DemoError) -> None:
        self._write(Failed(time.perf_counter(), drop_frames(error)))
        self.stop()

    async def answer(self, connection: Connection) -> None:
        """Read the answer to its end. Raises nothing but a cancellation."""
        try:
            await self._read(connection)
        except DemoError as error:
            self.missed = isinstance(error, Unreachable | Cut)
            self.fail(error)
        except Exception as error:
            logger.exception("An answer of the engine elsewhere could not be read.")
            self.fail(describe_failure(error))

    async def _read(self, connection: Connection) -> None:
        self._write(Sent(time.perf_counter()))
        if self._backend.opens_reasoning and isinstance(prompt := self.request.prompt, tuple):
            self._opens = await self._backend.is_opened(connection, prompt, self.request.template_options)
        answer = self._answer
        async with aclosing(connection.stream(*self._call)) as events:
            async for event in events:
                await self._show(answer.read(self._backend.read(event), time.perf_counter()))
                if answer.is_cut and not (answer.is_stopped and self._backend.is_given_stops(self.request)):
                    break
        if answer.finish is None:
            raise Cut(f"{connection.name} ended the stream before the answer's end: ask again.")
        await self._finish(answer)

    async def _finish(self, answer: Answer) -> None:
        now = time.perf_counter()
        tokens = self._decide_start([*self._early, *answer.complete(now)])
        await self._write_tokens(tokens[:-1])
        last = [await self._hold(token) for token in tokens[-1:]]
        assert answer.finish is not None
        end = Done(max([now, *(token.time for token in last)]), answer.finish, answer.generated, answer.stop)
        report = EngineReport(now, answer.input_tokens, answer.cached_tokens, answer.figures)
        self._write(*self._begin(last), report, *last, end)

    async def _show(self, tokens: list[Token]) -> None:
        """Write the tokens, but none before the first that has a text."""
        self._early += tokens
        if self.started or any(token.text for token in self._early):
            tokens, self._early = self._early, []
            await self._write_tokens(self._decide_start(tokens))

    def _decide_start(self, tokens: list[Token]) -> list[Token]:
        """The same tokens; how the answer begins is known with the first of them."""
        if not self.started:
            self._reasoning = self._find_reasoning_start(tokens)
        return tokens

    def _find_reasoning_start(self, tokens: Sequence[Token]) -> ReasoningStart:
        """How an answer begins, by all tokens up to the first that has a text.

        An engine that sorts the reasoning out tells it token by token; another leaves the model's tags in the text.
        Where the template opens the first tag, the answer lacks it.
        """
        if not isinstance(self.request.prompt, tuple):
            return "none"
        if self._backend.tells_reasoning or any(token.reasoned for token in tokens):
            return "told"
        if (begun := find_begun(self.request.prompt)) or self._opens:
            return continue_start("open" if self._opens else "tags", begun)
        text = "".join(read_raw(token, "tags") for token in tokens)
        start = text.lstrip()
        return "tags" if text and (start.startswith(OPENING) or OPENING.startswith(start)) else "none"

    async def _write_tokens(self, tokens: list[Token]) -> None:
        if self._pace:
            for token in tokens:
                held = await self._hold(token)
                self._write(*self._begin([held]), held)
        elif tokens:
            self._write(*self._begin(tokens), *tokens)

    async def _hold(self, token: Token) -> Token:
        """The token when its pace allows it, stamped then if that is later than its arrival."""
        if not self._pace:
            return token
        while (pause := self._due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        moment = max(token.time, self._due)
        self._due = moment + self._pace
        return replace(token, time=moment)

    def _begin(self, tokens: list[Token]) -> list[Event]:
        if self.started:
            return []
        answer, moment = self._answer, tokens[0].time if tokens else time.perf_counter()
        return [Started(moment, answer.input_tokens, self._seed, answer.cached_tokens, answer.prompt, self._reasoning)]

    def _write(self, *events: Event) -> None:
        with self._writing:
            if self.ended:
                return
            self.started = self.started or any(isinstance(event, Started) for event in events)
            self._written += sum(isinstance(event, Token) for event in events)
            if isinstance(events[-1], Done | Failed):
                self.ended = True
                self._on_end(self)
            self._log(*events)
