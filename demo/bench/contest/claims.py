"""What may be claimed of a comparison, and what each contestant keeps of earlier prompts, in sentences. Pure."""

from collections.abc import Iterator, Sequence

from demo.bench.contest.result import Standing, find_best
from demo.bench.contest.table import COLUMNS, write_value


def write_keeps(standings: Sequence[Standing]) -> Iterator[str]:
    """What each reuses of earlier prompts, those that do the same on one line."""
    yield "Kept of earlier prompts, and what is done about it:"
    names: dict[str, list[str]] = {}
    for standing in standings:
        names.setdefault(standing.identity.keeps, []).append(standing.identity.name)
    for keeps, those in names.items():
        yield f"- {', '.join(those)}: {keeps}."


def write_claims(standings: Sequence[Standing]) -> Iterator[str]:
    """For each peer, this server's numbers over those of the form of the weights in which the peer does better."""
    peers = dict.fromkeys(each.identity.peer for each in standings if each.ratios and not each.identity.is_ours)
    if peers:
        yield "This server, of the weights as stored, over each peer in the form in which that peer does better:"
    for peer in peers:
        yield f"- {peer}: {'; '.join(_say_claims([each for each in standings if each.identity.peer == peer]))}."


def _say_claims(forms: Sequence[Standing]) -> Iterator[str]:
    """One for each column of the table."""
    for title, key, _ in COLUMNS:
        best = find_best(forms, key)
        if best is not None:
            name = title.rpartition(", ")[0]  # without its unit
            yield f"{name} {write_value(best.ratios[key].median)} times ({best.identity.weights})"
