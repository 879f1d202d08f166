"""`python -m tests.comparison`: starts the systems under test, compares them, and writes the report."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from demo.bench.__main__ import at_least
from demo.bench.sample import MeasurementError
from demo.examples import read_examples
from tests.comparison.curves import MAX_TOTAL_TOKENS, ROWS, Curves, measure_curves
from tests.comparison.machine import describe_machine
from tests.comparison.prompts import EXAMPLE_TOKENS, make_plain
from tests.comparison.report import Report, write_report
from tests.comparison.results import Example, summarize
from tests.comparison.rounds import Comparison
from tests.comparison.systems import registry
from tests.comparison.systems.environment import DTYPES, Environment
from tests.comparison.systems.process import SIGNALS
from tests.comparison.systems.registry import OURS, OURS_IN_Q4_0, PEERS, Running
from tests.comparison.systems.requantize import FOLDER, Q4_0, require_embedded
from tests.comparison.systems.system import SystemUnderTest

_BEGIN = time.perf_counter()
_PEER_HELP = (
    "a server that runs already, or NAME=URL,dtype=D,api_key=K; D: the data type of its weights, one of "
    f"{', '.join(DTYPES)}; K: sent as a bearer token"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print. The exit code: 0, 2 where nothing can be measured, 130 when stopped by a signal."""
    options = parse_arguments(arguments)
    try:
        with _signals_as_interrupt():
            print(write_report(compare(options), options.output))
    except MeasurementError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        report_progress("stopped: every process that was started has ended")
        return 130
    return 0


def compare(options: argparse.Namespace) -> Report:
    """The rounds, then this server's cost curves and answers."""
    gguf = require_embedded()
    options.output.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    environment = Environment(gguf, machine.cores, options.output.resolve())
    with ExitStack() as stack:
        systems, absent = start_all(stack, environment, options)
        if not systems:
            raise MeasurementError("No system is left to be measured. " + " ".join(absent.values()))
        outcome = Comparison(systems, report_progress).run(options.rounds, options.seed)
        memories = {each.identity.name: each.process.read_memory() for each in systems if each.process}
    results = summarize([each.identity for each in systems], outcome, machine.bandwidth, memories)
    left_out = {**absent, **outcome.left_out}
    curves = measure_own_curves(environment, left_out) if options.curves else None
    examples = compare_own_answers(environment, left_out) if options.examples else None
    return Report(machine, options.rounds, options.seed, results, left_out, outcome.client, curves, examples)


def start_all(
    stack: ExitStack, environment: Environment, options: argparse.Namespace
) -> tuple[list[SystemUnderTest], dict[str, str]]:
    """The systems that could be started, paused; and the others with the reason."""
    systems: list[SystemUnderTest] = []
    absent = {peer.name: registry.describe_missing(peer) for peer in PEERS if peer.missing}
    openings: dict[str, AbstractContextManager[SystemUnderTest]] = {
        OURS: registry.open_ours(environment),
        OURS_IN_Q4_0: registry.open_ours(environment, name=OURS_IN_Q4_0, dtype=Q4_0),
        **{peer.name: registry.open_peer(peer, environment) for peer in PEERS if not peer.missing},
        **{running.name: registry.open_running(running, environment) for running in options.peer},
    }
    for name in (each for base in options.without for each in (base, f"{base} {Q4_0}")):
        openings.pop(name, None)
        absent.pop(name, None)
    for name, opening in openings.items():
        report_progress(f"starting {name}")
        with _left_out_on_error(name, absent):
            systems.append(stack.enter_context(opening))
            systems[-1].pause()  # so that the next one starts undisturbed
    return systems, absent


@contextmanager
def _left_out_on_error(name: str, left_out: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except MeasurementError as error:
        left_out[name] = str(error)
        report_progress(f"{name} is left out: {error}")


def measure_own_curves(environment: Environment, left_out: dict[str, str]) -> Curves | None:
    """This server's cost curves, from a fresh start. Where it fails, None and the reason in `left_out`."""
    options = ["--max-total-tokens", str(MAX_TOTAL_TOKENS), "--max-concurrent-requests", str(max(ROWS))]
    with (
        _left_out_on_error("the cost curves", left_out),
        registry.open_ours(environment, *options, name=f"{OURS} for the curves") as server,
    ):
        return measure_curves(server, report_progress)
    return None


def compare_own_answers(environment: Environment, left_out: dict[str, str]) -> list[Example] | None:
    """This server's answers from the weights as stored and in float32. Where it fails, as with the curves."""
    prompts, answers = read_examples(), []
    questions = [make_plain(prompt, EXAMPLE_TOKENS) for prompt in prompts]
    with _left_out_on_error("the example prompts", left_out):
        for dtype in ("stored", "float32"):
            report_progress(f"example prompts: {dtype} weights")
            with registry.open_ours(environment, "--dtype", dtype, name=f"{OURS} in {dtype}") as server:
                answers.append([answer.text for answer in server.ask(questions)])
        return [Example(*each) for each in zip(prompts, *answers, strict=True)]
    return None


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; exits with 2 and a sentence where one is wrong."""
    names = [OURS, OURS_IN_Q4_0, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(
        prog="python -m tests.comparison",
        description="Measure this project's server beside its peers, on the same weights, in rounds of one run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("--peer", action="append", default=[], type=_parse_peer, metavar="NAME=URL", help=_PEER_HELP)
    add("--without", action="append", default=[], choices=names, help="leave this one out, with both data types")
    add("--rounds", type=at_least(1), default=3, help="how often everything is measured")
    add("--seed", type=int, default=0, help="seed of the order within the rounds")
    add("--curves", action=switch, default=True, help="measure this server's cost curves, too")
    examples = "compare this server's answers to the page's prompts, with the weights as stored and in float32, too"
    add("--examples", action=switch, default=True, help=examples)
    output = "where report.md, report.html, report.json and the logs are written"
    add("--output", type=Path, default=FOLDER, metavar="DIR", help=output)
    return parser.parse_args(arguments)


def _parse_peer(text: str) -> Running:
    first, *rest = text.split(",")
    name, _, url = first.partition("=")
    if not (name and url):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL, as in llama-server=http://localhost:8080")
    details = dict(_parse_detail(each) for each in rest)
    return Running(name, url, details.get("dtype"), details.get("api_key"))


def _parse_detail(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if (key == "dtype" and value in DTYPES) or (key == "api_key" and value):
        return key, value
    dtypes = ", ".join(DTYPES)
    raise argparse.ArgumentTypeError(f"{text!r} is neither api_key=K nor dtype=D, where D is one of {dtypes}")


def report_progress(sentence: str) -> None:
    """Print to standard error, with the seconds since the start."""
    print(f"· {time.perf_counter() - _BEGIN:4.0f} s  {sentence}", file=sys.stderr, flush=True)


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Every signal that ends the comparison raises KeyboardInterrupt, so that all processes are ended first."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


if __name__ == "__main__":
    raise SystemExit(main())
