"""A report as tests make it: this server, a peer that answers one at a time, and cost curves of a straight line."""

from demo.bench.contest.curves import Curves, Point
from demo.bench.contest.examples import Example
from demo.bench.contest.machine import Machine
from demo.bench.contest.measures import list_measures
from demo.bench.contest.report import Report
from demo.bench.contest.result import sum_up
from demo.bench.contest.turns import Contest
from tests.bench.contest.contestants import TEXT, Scripted, make_identity

MACHINE = Machine("Some CPU", 2, "Linux x86_64, Python 3.11", 0.1, 2e10)


def make_points(*sizes: int) -> tuple[Point, ...]:
    return tuple(Point(size, 0.01 + size * 1e-6, 0.1, 10**9 + size * 1000) for size in sizes)


EXAMPLES = (Example("Why?", "Because of\nthat.", "Because of this."), Example("Who | what?", "Me.", "Me."))
CURVES = Curves(make_points(64, 1000, 2000, 8000), make_points(1, 2, 4, 8))


def make_report(curves: Curves | None = CURVES, text: str = TEXT) -> Report:
    ours = Scripted(make_identity("ours", is_ours=True), rate=100)
    peer = Scripted(make_identity("peer", together=False), rate=80, text=text)
    played = Contest([ours, peer], list_measures(), lambda sentence: None).play(2, 0)
    standings = sum_up([ours.identity, peer.identity], played, MACHINE.bandwidth, {"ours": 500_000_000})
    left_out = {"other": "It is not installed."}
    return Report(MACHINE, 2, 0, standings, left_out, played.client, curves, EXAMPLES, "2026-01-01")
