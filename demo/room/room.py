"""A room: its phones, its present round, and the feed that tells all of them what happens. In memory only.

Knows no HTTP and no engine. Used from one event loop.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

from demo.api.dialects.errors import Refused
from demo.api.openapi.room_replies import RoundResults
from demo.room.feed import EVERYBODY, PHONES, Audience, Feed, share
from demo.room.phone import ARMS, Arm, Phone, Progress, make_secret, shuffle_names
from demo.room.results import write_results
from demo.room.round import Plan, Round

MAX_PHONES: Final = 250
MAX_ROUNDS: Final = 200
LIFE_SECONDS: Final = 3 * 3600.0
UNREAD_SECONDS: Final = 15 * 60.0  # without a teacher's page, after which a room closes

ClosedWhy: TypeAlias = Literal["teacher", "age", "server"]


class Room:
    """Open from its construction to `close`. `client` is the teacher's key in the engine's fair shares."""

    def __init__(self, code: str, language: str, client: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.code, self.key = code, make_secret()
        self.language, self.client = language, client
        self.feed = Feed()
        self.phones: dict[str, Phone] = {}  # by their secrets
        self.round: Round | None = None
        self.text = ""  # of the present round, as the streamed arm has been told it
        self.requests: list[Mapping[str, Any]] = []  # of the present round, where all phones ask
        self.results: list[RoundResults] = []
        self.ended: list[Round] = []
        self._clock = clock
        self._opened = self._read_at = clock()
        self._teachers = 0
        self._last_before = 0  # the number of the last event before the present round
        self._numbers, self._names = itertools.count(1), list(shuffle_names())
        self._told: dict[str, Any] = {}  # by event: what the teacher was told last, of what is told at most so often

    @property
    def expires_in(self) -> float:
        """Seconds until its life ends."""
        return max(LIFE_SECONDS - (self._clock() - self._opened), 0.0)

    @property
    def is_expired(self) -> bool:
        """Whether its life has ended, or no teacher's page has read its events for long."""
        is_unread = not self._teachers and self._clock() - self._read_at > UNREAD_SECONDS
        return is_unread or not self.expires_in

    @property
    def present(self) -> list[Phone]:
        return [phone for phone in self.phones.values() if phone.connections]

    def join(self, network: str) -> Phone:
        """A new phone. In a full room it gets the place of one that is absent and has taken part in no round.

        Raises Refused (409) where there is none.
        """
        if len(self.phones) >= MAX_PHONES:
            self._free_place()
        phone = Phone(next(self._numbers), *self._names.pop(), network)
        self.phones[phone.secret] = phone
        return phone

    def find_phone(self, secret: str) -> Phone:
        """Raises Refused (404)."""
        if secret not in self.phones:
            raise Refused("not_found", "This phone has not joined this room: join with the code.")
        return self.phones[secret]

    def knows(self, network: str) -> bool:
        return any(phone.network == network for phone in self.phones.values())

    @contextmanager
    def attach_teacher(self) -> Iterator[None]:
        """While a teacher's page reads the events."""
        self._teachers += 1
        try:
            yield
        finally:
            self._teachers -= 1
            self._read_at = self._clock()

    @contextmanager
    def attach(self, phone: Phone) -> Iterator[None]:
        """During one of its event streams. While a run is under way, a phone without an arm gets one."""
        phone.connections += 1
        self._draw(phone)
        try:
            yield
        finally:
            phone.connections -= 1

    def begin_round(self, plan: Plan) -> Round:
        """A new round. Raises Refused (409) while there is another, or too many."""
        self.require_idle()
        self.feed.forget(self._last_before)  # those of the round that has just ended are kept, for slow readers
        self._last_before = self.feed.last
        self.round = Round(len(self.ended) + 1, plan)
        self.text, self.requests = "", []
        for phone in self.phones.values():
            phone.begin_round()
        self._told.clear()
        self._announce_phase()
        return self.round

    def require_idle(self) -> None:
        """Raises Refused (409) while a round is under way."""
        if self.round is not None and self.round.phase != "ended":
            raise Refused("conflict", "A round is under way: end it first.")
        if len(self.ended) >= MAX_ROUNDS:
            raise Refused("conflict", f"This room has had {MAX_ROUNDS} rounds: open another.")

    def require_round(self, number: int | None = None) -> Round:
        """The present round. Raises Refused (409) where there is none, or one of another number."""
        if self.round is None or number not in (None, self.round.number):
            raise Refused("conflict", "There is no such round now.")
        return self.round

    def begin_run(self) -> None:
        self.require_round().begin_run()
        self._announce_phase()

    def end_run(self) -> None:
        """The run is over: its length is told to the teacher."""
        round = self.require_round()
        outcome = round.outcome
        round.end_run()
        self.report_progress()
        ended = {"round": round.number, "finish": outcome.finish, "error": outcome.error}
        times = {"tokens": outcome.tokens, "seconds": outcome.seconds, "ttft": outcome.ttft}
        self.feed.add("end", {"teacher": {**ended, **times}, **share({**ended, "seconds": None}, PHONES)}, round.arms)
        self._announce_phase()

    def finish_round(self) -> None:
        """From guessing to the end: the results are told to all."""
        self.require_round().finish()
        self._announce_phase()

    def add_text(self, text: str, tokens: int, seconds: float, is_last: bool) -> None:
        """More of the answer: for the streamed arm as it comes, for the whole arm all of it with the last."""
        round = self.require_round()
        self.text += text
        grown = {"round": round.number, "text": text, "tokens": tokens}
        payloads: dict[Audience, Mapping[str, Any]] = {"teacher": {**grown, "seconds": seconds}}
        if text or not is_last:
            payloads["streamed"] = grown
        if is_last:
            payloads["whole"] = {**grown, "text": self.text}
        self.feed.add("text", payloads, round.arms, Progress(tokens, len(self.text)), round.stops)

    def stop_phone(self, phone: Phone, number: int, seconds: float) -> bool:
        """A phone needs no more of this round. Whether all that are present have stopped."""
        round = self.require_round(number)
        tokens, characters = phone.received
        round.stop(phone.number, tokens, seconds)
        phone.stopped = characters
        self.feed.add("stopped", {phone.secret: {"round": number, "tokens": tokens}})
        return all(each.number in round.stops for each in self.present)

    def record_request(self, event: Mapping[str, Any]) -> None:
        """Something that happened to a request of a phone."""
        self.requests.append(event)
        self.feed.add("request", {"teacher": event})

    def report_progress(self) -> None:
        """Tell the teacher what has changed since the last time: who is there, how far, how many have answered."""
        self._tell("phones", self.write_presence())
        if (round := self.round) is None:
            return
        if round.has_arms:
            self._tell("positions", {"round": round.number, "at": self.write_positions()})
        if round.phase in ("predicting", "guessing"):
            self._tell("answers", {"round": round.number, **self.count_answers()})
        if round.stops:
            self._tell("stops", {"round": round.number, **round.write_savings()})

    def close(self, why: ClosedWhy) -> None:
        """Tell everybody; their streams end."""
        self.feed.add("closed", share({"why": why}, EVERYBODY))
        self.feed.end()

    def write_presence(self) -> dict[str, Any]:
        arms = None if self.round is None else self.round.count_arms()
        phones = [phone.describe() for phone in self.phones.values()]
        return {"present": len(self.present), "joined": len(phones), "arms": arms, "phones": phones}

    def write_positions(self) -> Sequence[tuple[int, int]]:
        """The tokens that have been sent to each phone that is present and has an arm."""
        return [(phone.number, phone.received.tokens) for phone in self.present if phone.arm is not None]

    def count_answers(self) -> dict[str, int]:
        """How many have answered what is asked now, and of how many."""
        return self.require_round().count_answers(phone.number for phone in self.present)

    def _tell(self, name: str, payload: dict[str, Any]) -> None:
        if self._told.get(name) != payload:
            self._told[name] = payload
            self.feed.add(name, {"teacher": payload})

    def _announce_phase(self) -> None:
        round = self.require_round()
        for phone in self.present:
            self._draw(phone)
        arms: tuple[Arm | None, ...] = (*ARMS, None)
        self.feed.add("round", {"teacher": round.write(), **{arm: round.write_for(arm) for arm in arms}}, round.arms)
        if round.phase == "ended":
            self._end_round(round)

    def _end_round(self, round: Round) -> None:
        results = write_results(round)
        self.ended.append(round)
        self.results.append(results)
        self.feed.add("results", share(results, EVERYBODY))

    def _free_place(self) -> None:
        rounds = self.ended if self.round is None else [*self.ended, self.round]
        for phone in self.phones.values():
            if not phone.connections and not any(round.has_part_of(phone.number) for round in rounds):
                self._names.append((phone.animal, phone.colour))
                del self.phones[phone.secret]
                return
        raise Refused("conflict", f"This room is full: it takes {MAX_PHONES} phones.")

    def _draw(self, phone: Phone) -> None:
        if self.round is not None:
            phone.arm = self.round.draw(phone.number)
