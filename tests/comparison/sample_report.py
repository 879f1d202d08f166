"""A report for tests: this server, a peer that answers one request at a time, and linear cost curves."""

from tests.comparison.curves import Curves, Point
from tests.comparison.examples import Example
from tests.comparison.machine import Machine
from tests.comparison.report import Report
from tests.comparison.results import summarize
from tests.comparison.rounds import Comparison
from tests.comparison.scripted_system import TEXT, ScriptedSystem, make_identity

MACHINE = Machine("Some CPU", 2, "Linux x86_64, Python 3.11", 0.1, 2e10)
EXAMPLES = (Example("Why?", "Because of\nthat.", "Because of this."), Example("Who | what?", "Me.", "Me."))


def make_points(*sizes: int) -> tuple[Point, ...]:
    return tuple(Point(size, 0.01 + size * 1e-6, 0.1, 10**9 + size * 1000) for size in sizes)


CURVES = Curves(make_points(64, 1000, 2000, 8000), make_points(1, 2, 4, 8))


def make_report(text: str = TEXT) -> Report:
    ours = ScriptedSystem(make_identity("ours", is_ours=True), rate=100)
    peer = ScriptedSystem(make_identity("peer", concurrent=False), rate=80, text=text)
    outcome = Comparison([ours, peer], lambda sentence: None).run(2, 0)
    results = summarize([ours.identity, peer.identity], outcome, MACHINE.bandwidth, {"ours": 500_000_000})
    left_out = {"other": "It is not installed."}
    return Report(MACHINE, 2, 0, results, left_out, outcome.client, CURVES, EXAMPLES, "2026-01-01")
