"""`python -m demo.bench URL`: options, measurement, report."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime

from demo.bench.client import TIMEOUT, Client
from demo.bench.dialects import DIALECTS, Request
from demo.bench.levels import measure_level
from demo.bench.pairs import measure_pairs, order_pairs
from demo.bench.report import Conditions, write_report
from demo.bench.software import recognise_software
from demo.bench.target import Target, choose_dialect, choose_model
from demo.errors import DemoError

PROMPT = "Once upon a time, in a small village by the sea,"  # a model without a chat template can continue it too


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. The exit code: 0, or 2 where the server can't be measured."""
    options = parse_arguments(arguments)
    try:
        with closing(Client(options.url, options.api_key, options.timeout)) as client:
            print(measure_server(client, options))
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure_server(client: Client, options: argparse.Namespace) -> str:
    """The report on the server. What the options leave open, the server is asked for."""
    software, _ = recognise_software(client.get_json)
    dialect, model = choose_dialect(client, options.dialect), options.model or choose_model(client)
    target = Target(
        client, dialect, Request(model, options.prompt, options.new_tokens, software.write_cache_parameters)
    )
    order = order_pairs(options.warm_up + options.pairs, options.seed)
    pairs = measure_pairs(target.measure, order)[options.warm_up :]
    # One stream at a time is what the pairs measure.
    levels = [measure_level(target.measure_together, streams) for streams in options.concurrency if streams > 1]
    return write_report(describe_conditions(target, software.prefix_caching, options), pairs, levels)


def describe_conditions(target: Target, prefix_caching: str, options: argparse.Namespace) -> Conditions:
    """The conditions of the measurement."""
    return Conditions(
        url=target.client.url,
        dialect=target.dialect.name,
        prefix_caching=prefix_caching,
        model=target.request.model,
        prompt_characters=len(target.request.prompt),
        new_tokens=target.request.new_tokens,
        pairs=options.pairs,
        warm_up=options.warm_up,
        seed=options.seed,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    )


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; exits with 2 and a sentence where one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.bench",
        description="Measure a streaming text-generation server over HTTP, by the client's clock: streamed against "
        "whole responses in pairs, and the time that HTTP adds. Greedy, with the same prompt in every request. "
        "In a checkout, `python -m tests.comparison` measures this project's server beside others.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="the server, for example http://localhost:7860, without /v1")
    add("--dialect", choices=["auto", *DIALECTS], default="auto", help="API to use; auto: native where /info is TGI's")
    add("--model", help="the model's name in requests; if not given, the first of /v1/models, else tgi")
    add("--prompt", default=PROMPT, help="the prompt of every request")
    add("--new-tokens", type=at_least(1), default=64, help="tokens to request; fewer may come")
    add("--pairs", type=at_least(2), default=30, help="pairs of a streamed and a whole request")
    add("--warm-up", type=at_least(0), default=2, help="pairs before those, dropped")
    add("--concurrency", type=_parse_levels, default="1", help="concurrent streams, as in 1,4,16; 1 is the pairs alone")
    add("--api-key", help="sent as a bearer token")
    add("--seed", type=int, default=0, help="seed of the order within the pairs")
    add("--timeout", type=at_least(1), default=int(TIMEOUT), help="seconds of silence after which to give up")
    return parser.parse_args(arguments)


def at_least(least: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` on, for argparse."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return parse


def _parse_levels(text: str) -> list[int]:
    return [at_least(1)(part.strip()) for part in text.split(",")]


if __name__ == "__main__":
    raise SystemExit(main())
