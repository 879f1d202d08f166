"""`python -m demo.bench URL`, or `--peers`: arguments, composition, output. Knows no details of any of them."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx2

from demo.bench.client import (
    Target,
    check_url,
    choose_dialect,
    choose_model,
    get_json,
    measure_request,
    open_client,
)
from demo.bench.contest import command
from demo.bench.dialects import DIALECTS, Ask
from demo.bench.levels import Level, measure_level
from demo.bench.pairs import measure_pairs, order_pairs
from demo.bench.report import Conditions, write_report
from demo.bench.software import Software, recognise_software
from demo.errors import DemoError

PROMPT = "Once upon a time, in a small village by the sea,"  # a model without a chat template goes on with it too


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. The exit code: 0, or 2 where the server can't be measured."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if "--peers" in given:
        given.remove("--peers")
        return command.main(given)
    options = parse_arguments(given)
    try:
        with open_client(options.api_key, options.timeout) as http:
            print(measure_server(http, options))
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure_server(http: httpx2.Client, options: argparse.Namespace) -> str:
    """The report on the server that the options name."""
    url = check_url(options.url)
    software, _ = recognise_software(lambda path: get_json(http, url + path))
    target = choose_target(http, url, software, options)
    order = order_pairs(options.warm_up + options.pairs, options.seed)
    pairs = measure_pairs(lambda mode: measure_request(http, target, mode), order)[options.warm_up :]
    levels = measure_levels(http, target, options.concurrency)
    return write_report(state_conditions(target, software, options), pairs, levels)


def choose_target(http: httpx2.Client, url: str, software: Software, options: argparse.Namespace) -> Target:
    """What is measured, asking the server for what the options leave open."""
    dialect = choose_dialect(http, url, options.dialect)
    model = options.model or choose_model(http, url)
    return Target(url, dialect, Ask(model, options.prompt, options.new_tokens, software.write_no_reuse))


def measure_levels(http: httpx2.Client, target: Target, concurrencies: Sequence[int]) -> list[Level]:
    """Each level above one stream at a time, which the pairs have measured."""
    return [
        measure_level(lambda: measure_request(http, target, "streamed"), concurrency)
        for concurrency in concurrencies
        if concurrency > 1
    ]


def state_conditions(target: Target, software: Software, options: argparse.Namespace) -> Conditions:
    """Everything that a reader of the numbers must know."""
    return Conditions(
        url=target.url,
        dialect=target.dialect.name,
        keeps=software.keeps,
        model=target.ask.model,
        prompt_characters=len(target.ask.prompt),
        new_tokens=target.ask.new_tokens,
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
        description="Measure a streaming text-generation server over HTTP, from its client's clock: "
        "streaming against whole in pairs, and what HTTP adds. Greedy; the same prompt every time. "
        "With --peers, another benchmark: this project's server beside others (--peers --help).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="the server, for example http://localhost:7860, without /v1")
    add("--dialect", choices=["auto", *DIALECTS], default="auto", help="how to ask; auto: native where /info is TGI's")
    add("--model", help="the model's name in requests; not given: the first of /v1/models, else tgi")
    add("--prompt", default=PROMPT, help="what every request asks")
    add("--new-tokens", type=_at_least(1), default=64, help="tokens to ask for; fewer may come")
    add("--pairs", type=_at_least(2), default=30, help="pairs of a streamed and a whole request")
    add("--warm-up", type=_at_least(0), default=2, help="pairs before those, dropped")
    add("--concurrency", type=_parse_levels, default="1", help="streams at once, as in 1,4,16; 1 is the pairs alone")
    add("--api-key", help="sent as a bearer token")
    add("--seed", type=int, default=0, help="of the order within the pairs")
    add("--timeout", type=_at_least(1), default=120, help="seconds of silence after which to give up")
    return parser.parse_args(arguments)


def _at_least(least: int) -> Callable[[str], int]:
    """A reader of whole numbers that are no smaller."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return parse


def _parse_levels(text: str) -> list[int]:
    return [_at_least(1)(part.strip()) for part in text.split(",")]


if __name__ == "__main__":
    raise SystemExit(main())
