from dataclasses import replace

from demo.bench.contest.report import write_markdown
from demo.bench.contest.table import write_table
from tests.bench.contest.reports import make_report

REPORT = make_report()
TEXT = "\n".join(write_markdown(REPORT))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_is_markdown_with_a_line_for_each() -> None:
    head, rule, *lines = write_table(REPORT.standings)
    assert {line.count("|") for line in (head, rule, *lines)} == {head.count("|")}
    assert [cells(line)[0] for line in lines] == ["**ours** 1.0, HTTP", "peer 1.0, HTTP"]


def test_each_number_has_its_ratio_to_ours_and_ours_has_none() -> None:
    _, _, ours, peer = (cells(line) for line in write_table(REPORT.standings))
    assert ours[2] == "100"
    assert peer[2] == "80.0 (1.25×)"
    assert peer[4] == peer[5] == "—"


def test_the_last_column_is_the_bound_and_how_much_of_it_is_reached() -> None:
    ours = cells(write_table(REPORT.standings)[2])
    assert ours[-1] == "100 MB: 200 (50 % reached)"


def test_the_conditions_and_definitions_are_said() -> None:
    for words in (
        "Some CPU",
        "2 cores",
        "20.0 GB/s",
        "Median of 2 rounds",
        "dropped",
        "(n − 1) / (last − first token)",
    ):
        assert words in TEXT


def test_a_machine_that_was_busy_is_said() -> None:
    busy = replace(REPORT, machine=replace(REPORT.machine, load=4.2))
    assert "- BUSY: in the minute before, 4.2 other processes" in "\n".join(write_markdown(busy))
    assert "BUSY" not in TEXT


def test_who_was_left_out_and_why_is_said() -> None:
    assert "- Left out: other. It is not installed." in TEXT


def test_answers_stand_side_by_side_and_an_odd_one_is_marked() -> None:
    assert "- peer (the first 23 of 23 words as ours; sane): To make cheese" in TEXT
    odd = "\n".join(write_markdown(make_report(text="The weather is fine today and it will be fine. " * 3)))
    assert "ODD: nothing of cheese, milk, curd" in odd
    assert "| peer 1.0, HTTP, ODD ANSWERS |" in odd


def test_the_joining_streams_evenness_is_said_and_what_the_client_cost() -> None:
    assert "joined ours 0.3 s apart: the worst one's p95 gap was 1.00 times its median" in TEXT
    assert "% of one core while 8 streams ran" in TEXT


def test_the_curves_say_whether_anything_grows_quadratically() -> None:
    assert "Time per token does not grow quadratically with the context" in TEXT
    assert "Memory at its greatest does not grow quadratically with the number of streams" in TEXT
    assert "quadratically" not in "\n".join(write_markdown(make_report(None)))


def test_the_examples_stand_side_by_side_with_what_they_have_in_common() -> None:
    assert "48 tokens, from the weights as stored and in float32; 1 of 2 are the same:" in TEXT
    assert "| Why? | Because of that. | Because of this. | 2 |" in TEXT
    assert "| Who \\| what? | Me. | Me. | 1 |" in TEXT
    assert "in float32" not in "\n".join(write_markdown(replace(REPORT, examples=None)))
