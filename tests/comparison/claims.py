"""The claims that the comparison supports, and each system's prefix caching, as sentences. Pure."""

from collections.abc import Iterator, Sequence

from tests.comparison.results import Result, find_best
from tests.comparison.table import COLUMNS, format_value


def write_prefix_caching(results: Sequence[Result]) -> Iterator[str]:
    """Each system's prefix caching, one line for all systems with the same."""
    yield "Prefix caching, and how it is switched off:"
    names: dict[str, list[str]] = {}
    for result in results:
        names.setdefault(result.identity.prefix_caching, []).append(result.identity.name)
    for prefix_caching, those in names.items():
        yield f"- {', '.join(those)}: {prefix_caching}."


def write_claims(results: Sequence[Result]) -> Iterator[str]:
    """For each peer, this server's numbers over those of the peer's better data type."""
    peers = dict.fromkeys(each.identity.peer for each in results if each.ratios and not each.identity.is_ours)
    if peers:
        yield "This server, with the weights as stored, over each peer with the data type that is better for it:"
    for peer in peers:
        yield f"- {peer}: {'; '.join(_list_claims([each for each in results if each.identity.peer == peer]))}."


def _list_claims(results: Sequence[Result]) -> Iterator[str]:
    """One for each column of the table."""
    for title, key, _ in COLUMNS:
        best = find_best(results, key)
        if best is not None:
            name = title.rpartition(", ")[0]  # without its unit
            yield f"{name} {format_value(best.ratios[key].median)} times ({best.identity.weights})"
