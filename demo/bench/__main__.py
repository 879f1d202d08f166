"""`python -m demo.bench URL`: options, measurement, report."""

import os
import platform
import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from demo.bench.client import TIMEOUT, Client
from demo.bench.dialects import DIALECTS, Request
from demo.bench.leave import measure_leaving
from demo.bench.load import LIMITS, measure_level, schedule_arrivals, summarize_open_loop
from demo.bench.pairs import measure_pairs, order_pairs
from demo.bench.report import Conditions, write_load_report, write_report
from demo.bench.sample import Sample
from demo.bench.self_test import STREAMS, Bias, measure_bias
from demo.bench.software import recognise_software
from demo.bench.target import Target, choose_dialect, choose_model
from demo.errors import DemoError

PROMPT = "Once upon a time, in a small village by the sea,"  # a model without a chat template can continue it too


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. The exit code: 0, or 2 where the server can't be measured."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    leaves = given[:1] == ["leave"]
    options = parse_leaving(given[1:]) if leaves else parse_arguments(given)
    try:
        print(measure_server(options, leaves))
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure_server(options: Namespace, leaves: bool) -> str:
    """The report on the server. What the options leave open, the server is asked for."""
    client = Client(options.url, options.api_key, options.timeout)
    software, version = recognise_software(client.get_json)
    dialect, model = choose_dialect(client, options.dialect), options.model or choose_model(client)
    request = Request(model, options.prompt, options.new_tokens, software.write_cache_parameters)
    target = Target(client, dialect, request)
    if leaves:
        return measure_leaving(target, f"{software.name} {version}", options.settle)
    return (measure_modes if options.rate is None else measure_load)(target, software.prefix_caching, options)


def measure_modes(target: Target, prefix_caching: str, options: Namespace) -> str:
    """The report on streamed against whole responses, in pairs, and on concurrent streams."""
    order = order_pairs(options.warm_up + options.pairs, options.seed)
    pairs = measure_pairs(target.measure, order)[options.warm_up :]
    # One stream at a time is what the pairs measure.
    levels = [measure_level(target.measure_together, streams) for streams in options.concurrency if streams > 1]
    measured = (
        f"{options.pairs} pairs in random order (seed {options.seed}) after {options.warm_up} warm-up pairs, dropped"
    )
    conditions = describe_conditions(target, prefix_caching, measured)
    return write_report(conditions, pairs, levels, measure_own_bias(options))


def measure_load(target: Target, prefix_caching: str, options: Namespace) -> str:
    """The report on an open loop at the rate asked for."""
    for _ in range(options.warm_up):
        target.measure("streamed")
    outcomes = target.measure_on_schedule(schedule_arrivals(options.requests, options.rate, options.seed))
    loop = summarize_open_loop(options.rate, options.seed, options.slo, outcomes)
    streams = [each.chunks for each in outcomes if isinstance(each, Sample)]
    measured = f"open loop after {options.warm_up} warm-up requests, dropped"
    conditions = describe_conditions(target, prefix_caching, measured)
    return write_load_report(conditions, loop, streams, measure_own_bias(options))


def measure_own_bias(options: Namespace) -> Bias | None:
    """The benchmark's own error, unless it is left out."""
    return measure_bias(options.self_test) if options.self_test else None


def describe_conditions(target: Target, prefix_caching: str, measured: str) -> Conditions:
    return Conditions(
        url=target.client.url,
        dialect=target.dialect.name,
        prefix_caching=prefix_caching,
        model=target.request.model,
        prompt_characters=len(target.request.prompt),
        new_tokens=target.request.new_tokens,
        measured=measured,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    )


def parse_arguments(arguments: Sequence[str]) -> Namespace:
    """The options; exits with 2 and a sentence where one is wrong."""
    parser = make_parser(
        "python -m demo.bench",
        "Measure a streaming text-generation server over HTTP, by the client's clock: streamed against "
        "whole responses in pairs, and the time that HTTP adds; with --rate, an open loop instead. Greedy, with the "
        "same prompt in every request. `python -m demo.bench leave URL` counts what a server computes after its "
        "client has left. In a checkout, `python -m tests.comparison` measures this project's server beside others.",
        new_tokens=64,
    )
    add = parser.add_argument
    add("--pairs", type=at_least(2), default=30, help="pairs of a streamed and a whole request")
    add("--warm-up", type=at_least(0), default=2, help="pairs, or with --rate requests, before those, dropped")
    add("--rate", type=_parse_rate, help="requests a second, arriving as a Poisson process, instead of pairs")
    add("--requests", type=at_least(1), default=100, help="how many, with --rate")
    add("--self-test", type=at_least(0), default=STREAMS, metavar="STREAMS", help="its streams; 0 leaves it out")
    add("--slo", type=parse_limits, default="", metavar="ttft=0.5,tpot=0.05", help="limits in seconds, for the goodput")
    add("--concurrency", type=_parse_levels, default="1", help="concurrent streams, as in 1,4,16; 1 is the pairs alone")
    add("--seed", type=int, default=0, help="seed of the order within the pairs, and of the arrivals")
    return parser.parse_args(arguments)


def parse_leaving(arguments: Sequence[str]) -> Namespace:
    """The options of `leave`; exits with 2 and a sentence where one is wrong."""
    parser = make_parser(
        "python -m demo.bench leave",
        "Leave requests in each way, and count what the server computed after that, from its metrics. "
        "Nobody else must use the server meanwhile. The prompt's answer must not be short.",
        new_tokens=128,
    )
    settled = "seconds to wait, after those of a whole answer, before counting"
    parser.add_argument("--settle", type=float, default=0.5, help=settled)
    return parser.parse_args(arguments)


def make_parser(program: str, description: str, new_tokens: int) -> ArgumentParser:
    """The options that every measurement has: which server, and what is asked of it."""
    parser = ArgumentParser(program, description=description, formatter_class=ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("url", metavar="URL", help="the server, for example http://localhost:7860, without /v1")
    add("--dialect", choices=["auto", *DIALECTS], default="auto", help="API to use; auto: native where /info is TGI's")
    add("--model", help="the model's name in requests; if not given, the first of /v1/models, else tgi")
    add("--prompt", default=PROMPT, help="the prompt of every request")
    add("--new-tokens", type=at_least(1), default=new_tokens, help="tokens to request; fewer may come")
    add("--api-key", help="sent as a bearer token")
    add("--timeout", type=at_least(1), default=int(TIMEOUT), help="seconds of silence after which to give up")
    return parser


def at_least(least: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` on, for argparse."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return parse


def parse_limits(text: str) -> dict[str, float]:
    """`ttft=0.5,tpot=0.05` in seconds, for argparse."""
    limits = {}
    for part in text.split(",") if text else ():
        name, _, value = part.strip().partition("=")
        if name not in LIMITS:
            raise ArgumentTypeError(
                f"{part.strip()!r} is not a limit: give some of {', '.join(LIMITS)}, as in ttft=0.5,tpot=0.05"
            )
        try:
            limits[name] = float(value)
        except ValueError:
            limits[name] = -1.0
        if not 0 < limits[name] < float("inf"):
            raise ArgumentTypeError(f"{value!r} is not a number of seconds: give {name}=0.5, for example")
    return limits


def _parse_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise ArgumentTypeError(f"{text!r} is not a rate: give requests a second, as in 2.5")
    return rate


def _parse_levels(text: str) -> list[int]:
    return [at_least(1)(part.strip()) for part in text.split(",")]


if __name__ == "__main__":
    raise SystemExit(main())
