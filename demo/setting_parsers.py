"""How settings are read from text: each parser raises ValueError where a text is not allowed."""

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parser:
    """How a setting is read from its text: `parse` raises ValueError where the text is not `allowed`."""

    parse: Callable[[str], Any]
    allowed: str


def checked(read: Callable[[str], Any], holds: Callable[[Any], object], allowed: str) -> Parser:
    """What `read` makes of the text, where that `holds`."""

    def parse(text: str) -> Any:
        value = read(text)
        _require(bool(holds(value)))
        return value

    return Parser(parse, allowed)


def number(low: int, high: int = 2**31 - 1, allowed: str = "") -> Parser:
    """A whole number from `low` to `high`."""
    return checked(int, lambda number: low <= number <= high, allowed or f"a whole number from {low}")


def seconds() -> Parser:
    """A duration of more than nothing."""
    return checked(float, lambda duration: 0 < duration < math.inf, "seconds, such as 2 or 0.5")


def match(pattern: str, allowed: str) -> Parser:
    """A text that the whole `pattern` matches."""
    return checked(str, re.compile(pattern).fullmatch, allowed)


def separated(pattern: str, allowed: str) -> Parser:
    """Texts separated by commas, each matched by `pattern`."""
    item = match(pattern, allowed)
    return Parser(lambda text: tuple(item.parse(part.strip()) for part in text.split(",")), allowed)


def line(allowed: str) -> Parser:
    """One line of text, without the spaces around it."""

    def parse(text: str) -> str:
        (line,) = text.strip().splitlines()
        return line

    return Parser(parse, allowed)


def parse_truth(text: str) -> bool:
    _require(text.lower() in ("true", "1", "false", "0"))
    return text.lower() in ("true", "1")


def parse_bytes(text: str) -> int:
    """A number of bytes, also with a unit: 500MB, 2GiB."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(i?)B?)?", text.strip(), re.IGNORECASE)
    number, prefix, binary = match.groups() if match else ("0", None, None)
    size = int(float(number) * (1024 if binary else 1000) ** (1 + "KMGT".index(prefix.upper()) if prefix else 0))
    _require(size >= 1)
    return size


def parse_batch_sizes(text: str) -> tuple[int, ...]:
    """Batch sizes in ascending order; none for the text 0."""
    sizes = tuple(sorted({int(part) for part in text.split(",")}))
    _require(sizes == (0,) or (sizes[0] >= 1 and sizes[-1] <= 1024))
    return () if sizes == (0,) else sizes


def parse_networks(text: str) -> tuple[str, ...]:
    """Addresses and ranges of addresses, separated by commas."""
    parts = tuple(part.strip() for part in text.split(","))
    for part in parts:
        ipaddress.ip_network(part)
    return parts


def _require(allowed: bool) -> None:
    if not allowed:
        raise ValueError
