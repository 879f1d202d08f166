import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.comparison.curves import Curves, Point
from tests.comparison.figures import OTHERS, OURS, draw_curves, draw_results
from tests.comparison.machine import Machine
from tests.comparison.report import Report, write_html, write_markdown, write_report
from tests.comparison.results import Example, summarize
from tests.comparison.rounds import Comparison
from tests.comparison.scripted_system import TEXT as ANSWER
from tests.comparison.scripted_system import ScriptedSystem, make_identity
from tests.comparison.table import write_table

MACHINE = Machine("Some CPU", 2, "Linux x86_64, Python 3.11", 0.1, 2e10)
EXAMPLES = (Example("Why?", "Because of\nthat.", "Because of this."), Example("Who | what?", "Me.", "Me."))


def make_points(*sizes: int) -> tuple[Point, ...]:
    return tuple(Point(size, 0.01 + size * 1e-6, 0.1, 10**9 + size * 1000) for size in sizes)


CURVES = Curves(make_points(64, 1000, 2000, 8000), make_points(1, 2, 4, 8))


def make_report(text: str = ANSWER) -> Report:
    """This server, a peer that answers one request at a time, and linear cost curves."""
    ours = ScriptedSystem(make_identity("ours", is_ours=True), rate=100)
    peer = ScriptedSystem(make_identity("peer", concurrent=False), rate=80, text=text)
    outcome = Comparison([ours, peer], lambda sentence: None).run(2, 0)
    results = summarize([ours.identity, peer.identity], outcome, MACHINE.bandwidth, {"ours": 500_000_000})
    left_out = {"other": "It is not installed."}
    return Report(MACHINE, 2, 0, results, left_out, outcome.client, CURVES, EXAMPLES, "2026-01-01")


REPORT = make_report()
TEXT = "\n".join(write_markdown(REPORT))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_is_markdown_with_a_row_for_each_system() -> None:
    head, rule, *lines = write_table(REPORT.results)
    assert {line.count("|") for line in (head, rule, *lines)} == {head.count("|")}
    assert [cells(line)[0] for line in lines] == ["**ours** 1.0, HTTP", "peer 1.0, HTTP"]


def test_each_number_of_a_peer_has_its_ratio_to_ours() -> None:
    _, _, ours, peer = (cells(line) for line in write_table(REPORT.results))
    assert ours[2] == "100"
    assert peer[2] == "80.0 (1.25×)"
    assert peer[4] == peer[5] == "—"


def test_the_last_column_is_the_bound_and_the_share_of_it_reached() -> None:
    ours = cells(write_table(REPORT.results)[2])
    assert ours[-1] == "100 MB: 200 (50 % reached)"


@pytest.mark.parametrize(
    "words",
    [
        "- Left out: other. It is not installed.",
        "- peer (the first 23 of 23 words as ours; sane): To make cheese",
        "joined ours 0.3 s apart: the worst one's p95 gap was 1.00 times its median",
        "% of one core while 8 streams ran",
        "Time per token does not grow quadratically with the context",
        "Peak memory does not grow quadratically with the number of streams",
        "48 tokens, from the weights as stored and in float32; 1 of 2 are the same:",
        "| Why? | Because of that. | Because of this. | 2 |",
        "| Who \\| what? | Me. | Me. | 1 |",
        *("Some CPU", "2 cores", "20.0 GB/s", "Median of 2 rounds", "dropped", "(n − 1) / (last − first token)"),
    ],
)
def test_conditions_definitions_and_findings_are_in_the_report(words: str) -> None:
    assert words in TEXT


def test_a_busy_machine_is_reported() -> None:
    busy = replace(REPORT, machine=replace(REPORT.machine, load=4.2))
    assert "- BUSY: in the minute before, 4.2 other processes" in "\n".join(write_markdown(busy))
    assert "BUSY" not in TEXT


def test_an_odd_answer_is_marked_in_the_list_and_the_table() -> None:
    odd = "\n".join(write_markdown(make_report(text="The weather is fine today and it will be fine. " * 3)))
    assert "ODD: nothing of cheese, milk, curd" in odd
    assert "| peer 1.0, HTTP, ODD ANSWERS |" in odd


def test_curves_and_examples_that_were_not_measured_are_absent() -> None:
    short = "\n".join(write_markdown(replace(REPORT, curves=None, examples=None)))
    assert "quadratically" not in short
    assert "in float32" not in short


def test_the_last_line_is_the_json_document_and_the_files_hold_the_same(tmp_path: Path) -> None:
    text = write_report(REPORT, tmp_path)
    document = json.loads(text.splitlines()[-1])
    assert document == json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(asdict(REPORT)))
    assert document["results"][1]["ratios"]["rate"]["n"] == 2
    assert (tmp_path / "report.md").read_text().splitlines() == "\n".join(write_markdown(REPORT)).splitlines()


def test_the_page_needs_no_network_and_each_figure_can_be_saved_as_png() -> None:
    page = write_html(REPORT, "a < b")
    assert "<script src" not in page
    assert page.count('"format":"png"') + page.count('"format": "png"') == 2
    assert "a &lt; b" in page
    assert page.count("plotly.js v") == 1


def test_every_panel_has_a_bar_for_each_system_with_the_number_and_ours_has_its_own_colour() -> None:
    figure = draw_results(REPORT.results, "title")
    rate, bound, ttft, many, long = figure.data
    titles = [annotation.text.split(",")[0] for annotation in figure.layout.annotations]
    assert titles == ["One stream", "Time to first token", "8 streams at once", "Time to first token of 1"]
    assert (rate.y[0], ttft.y[0], bound.y[0]) == pytest.approx((100, 500, 200))
    assert list(rate.x) == list(ttft.x) == list(long.x) == ["ours", "peer"]
    assert list(rate.marker.color) == [OURS, OTHERS]
    assert list(many.x) == ["ours"]
    assert list(bound.y) == [200, 200]


def test_the_curves_are_drawn_in_milliseconds_and_megabytes() -> None:
    tpots, memory, *_ = draw_curves(CURVES, "title").data
    assert list(tpots.x) == [64, 1000, 2000, 8000]
    assert tpots.y[-1] == pytest.approx(18)
    assert memory.y[-1] == 1008
