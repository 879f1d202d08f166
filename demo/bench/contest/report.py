"""The contest's report: Markdown for people, figures on a page, one JSON document for programs."""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from demo.bench.contest.claims import write_claims, write_keeps
from demo.bench.contest.curves import Curves
from demo.bench.contest.examples import Example
from demo.bench.contest.figure import draw_contest, draw_curves, write_page
from demo.bench.contest.machine import Machine
from demo.bench.contest.result import Standing
from demo.bench.contest.table import (
    say_all,
    write_answers,
    write_conditions,
    write_curves,
    write_examples,
    write_list,
    write_table,
)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found. `client`: the share of one core that the client used, by measure, at most."""

    machine: Machine
    rounds: int
    seed: int
    standings: Sequence[Standing]
    left_out: Mapping[str, str]
    client: Mapping[str, float]
    curves: Curves | None
    examples: Sequence[Example] | None
    date: str = field(default_factory=_now)


def write_report(report: Report, folder: Path) -> str:
    """Write report.md, report.html and report.json; give the text, its last line being the document."""
    text = "\n".join(write_markdown(report))
    document = json.dumps(asdict(report), allow_nan=False, ensure_ascii=False)
    (folder / "report.md").write_text(text + "\n")
    (folder / "report.json").write_text(document + "\n")
    (folder / "report.html").write_text(write_html(report, text))
    where = f"Written: report.md, report.html (figures; a button saves each as PNG) and report.json in {folder}"
    return f"{text}\n\n{where}\n{document}"


def write_markdown(report: Report) -> list[str]:
    """Table, sentences, answers, curves and examples."""
    sections = [
        write_table(report.standings),
        [write_conditions(report.machine, report.rounds, report.date)],
        write_list(say_all(report.standings, report.left_out, report.client.get("many"), report.machine)),
        list(write_claims(report.standings)),
        list(write_keeps(report.standings)),
        list(write_answers(report.standings)),
        list(write_curves(report.curves)) if report.curves else [],
        list(write_examples(report.examples)) if report.examples else [],
    ]
    return [line for section in sections if section for line in (*section, "")][:-1]


def write_html(report: Report, text: str) -> str:
    """The figures, and below them the same text."""
    title = f"{report.machine.processor}, {report.machine.cores} cores, {report.date[:10]}"
    figures = [draw_contest(report.standings, f"SmolLM2-135M, the same weights: {title}")]
    if report.curves:
        figures.append(draw_curves(report.curves, f"What a token and its memory cost this server: {title}"))
    return write_page(figures, html.escape(text))
