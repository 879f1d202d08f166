"""The answers of a room as CSV (RFC 4180): one line for each phone and round, times in seconds. Pure."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from demo.room.phone import Phone
from demo.room.round import Answers, Round

COLUMNS: Final = (
    *("round", "kind", "prompt", "recorded", "seconds", "ttft", "tokens", "finish"),
    *("phone", "animal", "colour", "arm", "predicted_first", "predicted_last", "felt"),
    *("stopped_at_token", "stopped_at", "requests", "refusals", "first_token_at", "served_at"),
)


def write_csv(rounds: Sequence[Round], phones: Sequence[Phone]) -> str:
    """The table with its head; an empty field where there is no value."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for round in rounds:
        table.writerows(_list_rows(round, phones))
    return text.getvalue()


def _list_rows(round: Round, phones: Sequence[Phone]) -> Iterator[Sequence[object]]:
    plan, outcome = round.plan, round.outcome
    head = (round.number, plan.kind, _defuse(plan.prompt), plan.recorded)
    run = (outcome.seconds, outcome.ttft, outcome.tokens, outcome.finish)
    for phone in phones:
        arm, given = round.arms.get(phone.number), round.answers.get(phone.number)
        stop, asked = round.stops.get(phone.number), round.requests.get(phone.number)
        if not round.has_part_of(phone.number):
            continue
        answers = given or Answers()
        own = (phone.number, phone.animal, phone.colour, arm, answers.first, answers.last, answers.felt)
        stopped = (stop and stop.tokens, stop and stop.seconds)
        requests = (asked.sent, asked.refused, asked.first_token, asked.served) if asked else (None, None, None, None)
        yield (*head, *run, *own, *stopped, *requests)


def _defuse(text: str) -> str:
    """A text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
