import json
from dataclasses import asdict
from pathlib import Path

from tests.comparison.report import write_html, write_markdown, write_report
from tests.comparison.sample_report import make_report

REPORT = make_report()


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
