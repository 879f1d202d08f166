"""The results of a round: felt against true seconds for each arm, and what can be said of the difference. Pure."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from demo.api.openapi.room_replies import ArmResults, Difference, RoundResults, Sentence
from demo.interval import estimate_difference, estimate_mean
from demo.room.phone import ARMS, Arm
from demo.room.round import Round

MIN_N: Final = 5  # guesses of each arm, below which nothing is said of the difference
MIN_MEAN: Final = 2  # guesses, below which there is no interval


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
