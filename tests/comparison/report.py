"""The report: Markdown for people, figures on a page, one JSON document for programs."""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.comparison import table
from tests.comparison.curves import Curves
from tests.comparison.figures import draw_curves, draw_results, write_page
from tests.comparison.machine import Machine
from tests.comparison.results import Example, Result


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured. `client`: by measure, the greatest share of one core that the client used."""

    machine: Machine
    rounds: int
    seed: int
    results: Sequence[Result]
    left_out: Mapping[str, str]
    client: Mapping[str, float]
    curves: Curves | None
    examples: Sequence[Example] | None
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def write_report(report: Report, folder: Path) -> str:
    """Write report.md, report.html and report.json. Returns the text, whose last line is the JSON document."""
    text = "\n".join(write_markdown(report))
    document = json.dumps(asdict(report), allow_nan=False, ensure_ascii=False)
    (folder / "report.md").write_text(text + "\n")
    (folder / "report.json").write_text(document + "\n")
    (folder / "report.html").write_text(write_html(report, text))
    written = f"Written: report.md, report.html (figures; a button saves each as PNG) and report.json in {folder}"
    return f"{text}\n\n{written}\n{document}"


def write_markdown(report: Report) -> list[str]:
    findings = table.write_findings(report.results, report.left_out, report.client.get("many"), report.machine)
    sections = [
        table.write_table(report.results),
        [table.write_conditions(report.machine, report.rounds, report.date)],
        table.write_list(findings),
        list(table.write_claims(report.results)),
        list(table.write_prefix_caching(report.results)),
        list(table.write_answers(report.results)),
        list(table.write_curves(report.curves)) if report.curves else [],
        list(table.write_examples(report.examples)) if report.examples else [],
    ]
    return [line for section in sections if section for line in (*section, "")][:-1]


def write_html(report: Report, text: str) -> str:
    """The figures, and the text below them."""
    title = f"{report.machine.processor}, {report.machine.cores} cores, {report.date[:10]}"
    figures = [draw_results(report.results, f"SmolLM2-135M, the same weights: {title}")]
    if report.curves:
        figures.append(draw_curves(report.curves, f"Cost of a token and its memory in this server: {title}"))
    return write_page(figures, html.escape(text))
