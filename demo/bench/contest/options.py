"""The options of `python -m demo.bench --peers`. Knows of the peers only their names."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from demo.bench.peers.ground import DTYPES
from demo.bench.peers.requantize import FOLDER
from demo.bench.peers.roster import OURS, OURS_IN_THEIR_FORM, PEERS, Running

_PEER_HELP = (
    "a server that runs already, or NAME=URL,dtype=D,api_key=K; D: the form of the weights that it reads, one of "
    f"{', '.join(DTYPES)}; K: sent as a bearer token"
)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; exits with 2 and a sentence where one is wrong."""
    names = [OURS, OURS_IN_THEIR_FORM, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(
        prog="python -m demo.bench --peers",
        description="Measure this project's own server beside its peers, on the same weights, in turns of one run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--peer", action="append", default=[], type=_parse_peer, metavar="NAME=URL", help=_PEER_HELP)
    add("--without", action="append", default=[], choices=names, help="leave this one out, in both its forms")
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


def _parse_peer(text: str) -> Running:
    """NAME=URL, and what else is said of it after commas."""
    named, *rest = text.split(",")
    name, _, url = named.partition("=")
    if not (name and url):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL, as in llama-server=http://localhost:8080")
    said = dict(_parse_detail(each) for each in rest)
    return Running(name, url, said.get("dtype"), said.get("api_key"))


def _parse_detail(text: str) -> tuple[str, str]:
    """`dtype=D` or `api_key=K`."""
    key, _, value = text.partition("=")
    if key == "dtype" and value in DTYPES:
        return key, value
    if key == "api_key" and value.isascii() and value.isprintable() and value:
        return key, value
    if key == "api_key":
        raise argparse.ArgumentTypeError("the api_key is empty or holds what no header can: was it copied whole?")
    forms = ", ".join(DTYPES)
    raise argparse.ArgumentTypeError(f"{text!r} is neither api_key=K nor dtype=D, where D is one of {forms}")


def _parse_rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
