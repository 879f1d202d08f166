"""The options of `python -m tests.comparison`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from demo.bench.__main__ import at_least
from tests.comparison.systems.environment import DTYPES
from tests.comparison.systems.registry import OURS, OURS_IN_Q4_0, PEERS, Running
from tests.comparison.systems.requantize import FOLDER

_PEER_HELP = (
    "a server that runs already, or NAME=URL,dtype=D,api_key=K; D: the data type of its weights, one of "
    f"{', '.join(DTYPES)}; K: sent as a bearer token"
)


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
    """NAME=URL, and details after commas."""
    first, *rest = text.split(",")
    name, _, url = first.partition("=")
    if not (name and url):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL, as in llama-server=http://localhost:8080")
    details = dict(_parse_detail(each) for each in rest)
    return Running(name, url, details.get("dtype"), details.get("api_key"))


def _parse_detail(text: str) -> tuple[str, str]:
    """`dtype=D` or `api_key=K`."""
    key, _, value = text.partition("=")
    if (key == "dtype" and value in DTYPES) or (key == "api_key" and value):
        return key, value
    dtypes = ", ".join(DTYPES)
    raise argparse.ArgumentTypeError(f"{text!r} is neither api_key=K nor dtype=D, where D is one of {dtypes}")
