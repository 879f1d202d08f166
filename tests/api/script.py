"""Answers known to the last number, and an engine that gives them: the golden bytes follow from these alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastapi import FastAPI

from demo.api.application import create_api
from demo.engine import Engine, Log, Status, Ticket
from demo.engines.metered import MeteredEngine
from demo.errors import EngineFailed
from demo.events import Candidate, Done, FinishReason, PromptRead, PromptToken, ReasoningStart, Started, Token
from demo.request import Request
from demo.room.public_address import PublicAddress
from demo.room.routes import build_room_routes
from demo.settings import Settings
from tests.scripted import ScriptedEngine, ScriptedTicket


@dataclass(frozen=True)
class Script:
    """One answer: its tokens, and how it ends."""

    tokens: tuple[Token, ...]
    reason: FinishReason = "length"
    input_tokens: int = 3
    seed: int = 7
    prompt: tuple[PromptToken, ...] = ()
    cached_tokens: int = 0
    stop: str | None = None
    reasoning: ReasoningStart = "none"


def make_token(index: int, text: str, logprob: float, special: bool = False, top: Sequence[Candidate] = ()) -> Token:
    """Number 1 has id 101, and so on. Its time is given when it is written."""
    return Token(0.0, index, 100 + index, text, logprob, special, tuple(top))


HELLO = Script((make_token(1, "Hé", -0.25), make_token(2, "llo", -1.5)))
ENDED = Script((make_token(1, "Hé", -0.25), make_token(2, "", -0.125, special=True)), "eos_token")
STOPPED = Script((make_token(1, "Hé", -0.25), make_token(2, "", -1.5)), "stop_sequence")
# A character of three tokens: the first two are held back, each with an event of its own.
HELD_BACK = Script((make_token(1, "", -1.0), make_token(2, "", -2.0), make_token(3, "日", -3.0)))
# The same, as an engine tells the bytes: each token has its own, and the likeliest beside the first share its text.
BROKEN = "\N{REPLACEMENT CHARACTER}"
PARTS = tuple(Candidate(101 + number, BROKEN, -1.0, False, bytes([byte])) for number, byte in enumerate("日".encode()))
CUT_UP = Script(
    tuple(
        replace(make_token(number, text, -1.0, top=(part, PARTS[0])), encoded=part.encoded, own=part)
        for number, (text, part) in enumerate(zip(("", "", "日"), PARTS, strict=True), 1)
    )
)
RANKED = Script(
    (
        make_token(1, "a", -0.5, top=[Candidate(101, "a", -0.5, False), Candidate(7, "b", -1.5, False)]),
        make_token(2, "", -0.5, True, [Candidate(102, "<end>", -0.5, True), Candidate(7, "b", -1.5, False)]),
    ),
    "eos_token",
)
BREAK = EngineFailed("Request failed during generation: it broke.")


class AnsweredTicket(ScriptedTicket):
    """Written by the test in pieces, or all at once."""

    def start(self, input_tokens: int = 3, cached_tokens: int = 0) -> None:
        super().start(input_tokens, cached_tokens)

    def write_together(self, *texts: str, reason: FinishReason | None = None) -> None:
        """Tokens that become readable in one moment, with the end where a reason is given."""
        tokens = [self._make_token(text, None) for text in texts]
        end = [Done(time.perf_counter(), reason, self._written)] if reason else []
        self._ended = self._ended or bool(end)
        self._log(*tokens, *end)

    def answer_now(self, *texts: str) -> None:
        """Start, and all tokens with the end."""
        self.start()
        self.write_together(*texts, reason="length")

    def answer(self, script: Script) -> None:
        now = time.perf_counter()
        prompt = [PromptRead(now, script.prompt)] if self.request.prompt_logprobs else []
        done = Done(now, script.reason, len(script.tokens), script.stop)
        self._ended = True
        tokens = [replace(each, time=now) for each in script.tokens]
        ids = tuple(range(5, 5 + script.input_tokens))
        started = Started(now, script.input_tokens, script.seed, script.cached_tokens, ids, script.reasoning)
        self._log(started, *prompt, *tokens, done)


class TicketEngine(ScriptedEngine):
    """Gives out tickets that a test writes on."""

    ticket_type = AnsweredTicket

    def ticket(self, index: int = 0) -> AnsweredTicket:
        """The one that was given out as number `index`."""
        ticket = self.tickets[index]
        assert isinstance(ticket, AnsweredTicket)
        return ticket


class AnsweringEngine(TicketEngine):
    """Answers every request at once, before `submit` has returned: number i with script number i, in turn."""

    def __init__(self, *scripts: Script, status: Status | None = None) -> None:
        super().__init__(status)
        self._scripts = scripts or (HELLO,)

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = super().submit(request, log)
        assert isinstance(ticket, AnsweredTicket)
        ticket.answer(self._scripts[(len(self.tickets) - 1) % len(self._scripts)])
        return ticket

    @property
    def requests(self) -> list[Request]:
        return [ticket.request for ticket in self.tickets]


def open_api(engine: Engine | None = None, settings: Settings | None = None, has_rooms: bool = False) -> FastAPI:
    """The API in front of `engine`, without the page, and without rooms, which take a third longer to build."""
    measured = MeteredEngine(engine or AnsweringEngine())
    rooms = build_room_routes(measured, (), PublicAddress(None, 80, is_reached=False)) if has_rooms else None
    return create_api(measured, settings or Settings(), rooms=rooms)
