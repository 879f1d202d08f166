"""The results of a round: felt against true seconds for each arm, and what can be said of the difference. Pure.

Those of a room also as CSV (RFC 4180): one line for each phone and round, times in seconds.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final

from demo.api.openapi.room_replies import ArmResults, Difference, RoundResults, Sentence
from demo.interval import estimate_difference, estimate_mean
from demo.room.phone import ARMS, Arm, Phone
from demo.room.round import Answers, Round

MIN_N: Final = 5  # guesses of each arm, below which nothing is said of the difference
MIN_MEAN: Final = 2  # guesses, below which there is no interval
COLUMNS: Final = (
    *("round", "kind", "prompt", "recorded", "seconds", "ttft", "tokens", "finish"),
    *("phone", "animal", "colour", "arm", "predicted_first", "predicted_last", "felt"),
    *("stopped_at_token", "stopped_at", "requests", "refusals", "first_token_at", "served_at"),
)


def write_results(round: Round) -> RoundResults:
    """The results of a round that has ended, as JSON."""
    outcome, plan = round.outcome, round.plan
    results: RoundResults = {
        "round": round.number,
        "kind": plan.kind,
        "prompt": plan.prompt,
        "recorded": plan.recorded,
        "finish": outcome.finish,
        "seconds": outcome.seconds,
        "ttft": outcome.ttft,
        "tokens": outcome.tokens,
    }
    if plan.kind in ("race", "predict"):
        _add_guesses(results, round)
    if plan.kind == "predict":
        given = [each for each in round.answers.values() if each.first is not None and each.last is not None]
        first, last = [each.first or 0.0 for each in given], [each.last or 0.0 for each in given]
        results["predictions"] = {"first": first, "last": last}
    elif plan.kind == "stop":
        results = {**results, **round.write_savings()}
    elif plan.kind == "crowd":
        _add_requests(results, round)
    return results


def _add_guesses(results: RoundResults, round: Round) -> None:
    streamed, whole = (list_guesses(round, arm) for arm in ARMS)
    results["arms"] = {"streamed": describe_arm(streamed), "whole": describe_arm(whole)}
    results["difference"] = difference = compare_arms(streamed, whole)
    results["sentence"] = choose_sentence(difference, streamed, whole, round.outcome.seconds)


def _add_requests(results: RoundResults, round: Round) -> None:
    of_phones = round.requests.values()
    results["served"] = sum(each.served is not None for each in of_phones)
    results["refused"] = sum(each.refused for each in of_phones)
    results["retries"] = sum(each.sent - 1 for each in of_phones)


def list_guesses(round: Round, arm: Arm) -> list[float]:
    return [
        answers.felt
        for phone, answers in round.answers.items()
        if answers.felt is not None and round.arms.get(phone) == arm
    ]


def describe_arm(guesses: Sequence[float]) -> ArmResults:
    """The mean and Student's 95 % interval, from two guesses on."""
    if len(guesses) < MIN_MEAN:
        return {"n": len(guesses), "mean": None, "low": None, "high": None, "guesses": list(guesses)}
    found = estimate_mean(guesses)
    return {"n": len(guesses), "mean": found.mean, "low": found.low, "high": found.high, "guesses": list(guesses)}


def compare_arms(streamed: Sequence[float], whole: Sequence[float]) -> Difference | None:
    """Streamed minus whole, with Welch's 95 % interval; None where either arm has fewer than `MIN_N`."""
    if min(len(streamed), len(whole)) < MIN_N:
        return None
    found = estimate_difference(streamed, whole)
    return {"mean": found.mean, "low": found.low, "high": found.high}


def choose_sentence(
    difference: Difference | None, streamed: Sequence[float], whole: Sequence[float], seconds: float | None
) -> Sentence | None:
    """Which sentence the guesses bear out; None where they are too few, or the run has no length."""
    if difference is None or seconds is None:
        return None
    values = {
        "streamed": fmean(streamed),
        "whole": fmean(whole),
        "difference": difference["mean"],
        "low": difference["low"],
        "high": difference["high"],
        "seconds": seconds,
        "n": float(len(streamed) + len(whole)),
    }
    if difference["low"] <= 0 <= difference["high"]:
        return {"key": "no_difference", "values": values}
    return {"key": "felt_shorter" if difference["high"] < 0 else "felt_longer", "values": values}


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
