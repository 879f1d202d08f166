"""The page's tables."""

from dataclasses import replace

import pytest

from demo.events import FinishReason
from demo.metric_definitions import DEFINITIONS
from demo.metrics import Timeline
from demo.request import Message, Request
from demo.ui.components.markup import write_json
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from demo.ui.view.tables import (
    NO_RUN,
    NOT_STOPPED,
    Amount,
    Saving,
    describe_measured,
    describe_saving,
    describe_source,
    find_rate,
    list_amounts,
    list_definitions,
    list_example,
    list_moments,
    list_rows,
    list_runs,
    list_saved,
    measure_saving,
)
from demo.ui.view.turn import Question, Turn
from tests.traces import make_trace
from tests.ui.view.test_plots import race, turn

THOUSAND = GenerationOptions(1000, pace=100)
REAL = GenerationOptions(300, pace=None)


def run(rate: float, pace: float | None = None, count: int = 10, late: float = 0.0) -> Turn:
    """A run of `count` tokens at `rate`, each of them `late` by so many seconds."""
    trace = make_trace(["a"] * count, gap=1 / rate, pace=pace)
    times = tuple(token.time + late for token in trace.tokens)
    streamed = PaneView("streamed", "done", timeline=Timeline(0.0, times[0], times, times[-1]))
    whole = PaneView("whole", "done", timeline=Timeline(0.0, times[-1], (times[-1],) * count, times[-1]))
    return Turn(Question("Once", "example"), streamed, whole, trace)


def stop(read: int, generated: int, reason: FinishReason) -> Turn:
    """The streamed side was stopped after `read` tokens at 10 tokens/s; the run generated `generated` of up to 100."""
    request = Request((Message("user", "Why?"),), 100)
    trace = make_trace(["a"] * generated, gap=0.1, reason=reason, request=request)
    times = tuple(token.time for token in trace.tokens[:read])
    streamed = PaneView("streamed", "stopped", timeline=Timeline(0.0, times[0], times, times[-1]))
    return Turn(Question("Why?"), streamed, PaneView("whole", "done"), trace)


def test_a_value_for_a_script_holds_no_markup() -> None:
    assert write_json({"a": "<script>"}) == '{"a": "\\u003cscript>"}'


def test_runs_are_listed_under_a_caption_the_newest_first_and_a_row_for_each_side() -> None:
    table = list_runs([turn(5, 1), turn(20, 2)])
    assert table["caption"] == "Every run of this tab, newest first"
    assert table["columns"] == ("Run", "Delivery", "TTFT", "Total", "Tokens", "Tokens/s", "Ended")
    rows = table["rows"]
    assert rows == list_rows([turn(5, 1), turn(20, 2)])
    assert isinstance(rows, list)
    sides = [("2", "Streaming"), ("2", "Non-streaming"), ("1", "Streaming"), ("1", "Non-streaming")]
    assert [row[:2] for row in rows] == sides
    assert rows[0] == ("2", "Streaming", "600 ms", "2.60 s", "20", "10.0", "done")


def test_a_slowed_or_recorded_run_and_cached_tokens_are_marked_in_the_table() -> None:
    streamed, whole = (replace(view, label="recorded", cached=(8, 10)) for view in race(3))
    slowed = replace(whole, label="slowed to 30 tokens/s", cached=None)
    rows = list_rows([Turn(Question("Hello"), streamed, slowed)])
    assert [row[0] for row in rows] == ["1 · recorded · 8 of 10 prompt tokens remembered", "1 · slowed to 30 tokens/s"]


def test_the_example_names_its_length_its_rate_and_the_clock() -> None:
    captions = [list_example(GenerationOptions(1000, pace=pace), (), None)["caption"] for pace in (100, None)]
    assert captions == [
        "1,000 tokens at 100 tokens/s; measured on the engine's clock",
        "1,000 tokens at real speed; measured on the engine's clock",
    ]


def test_the_example_is_predicted_from_the_tabs_runs_and_measured_in_its_own() -> None:
    example, measured = GenerationOptions(4, pace=100), run(20, count=4)
    table = list_example(example, [run(10), measured], measured)
    assert table["columns"] == ("Seen by the reader of", "First text", "Half of the text", "All of it")
    assert table["rows"] == list_moments(example, 20, measured)
    assert table["sentence"] == f"{describe_measured(example, measured)} {describe_source(example, 20)}"
    assert list_example(example, (), None)["sentence"] == describe_source(example, 100)


def test_before_the_first_run_there_is_no_table_of_savings() -> None:
    assert list_saved((), 10) == {
        "sentence": NO_RUN,
        "caption": "The last run of this tab, on the engine's clock",
        "columns": ("", "Tokens", "Seconds", "Price"),
        "rows": [],
    }
    assert "press Stop" in NO_RUN


def test_the_last_run_tells_what_stopping_it_saved() -> None:
    stopped = stop(10, 40, "eos_token")
    saving = measure_saving(stopped)
    assert saving is not None
    table = list_saved([run(10), run(10), stopped], 10)
    assert table["sentence"] == describe_saving(saving)
    assert table["rows"] == list_amounts(saving, 10)
    read = list_saved([stopped, stopped, run(10)], 10)
    assert (read["sentence"], read["rows"]) == (NOT_STOPPED, [])
    assert "nothing was saved" in NOT_STOPPED


def test_each_tool_defines_the_same_names_and_after_a_run_with_its_numbers() -> None:
    before = list_definitions(())
    assert before["columns"] == ("Tool", "TTFT", "ITL", "TPOT")
    assert ", after a run, with its numbers; n tokens" in str(before["caption"])
    words = before["rows"]
    assert isinstance(words, list)
    assert [row[0] for row in words] == [each.tool for each in DEFINITIONS]
    assert all(cell for row in words for cell in row)
    trace = make_trace(("", "é", "s"), gap=0.3)  # the first token begins a character
    table = list_definitions((replace(run(10), trace=trace, number=4),))
    assert "run 4" in str(table["caption"])
    rows = {row[0]: row for row in table["rows"]}  # type: ignore[attr-defined]
    assert rows["this project"][1:] == (
        "600 ms: first visible text",
        "300 ms: gaps between tokens",
        "300 ms: (last − first token) / (n − 1)",
    )
    assert rows["vLLM bench serve"][1] == "300 ms: first chunk, even an empty one"
    assert rows["aiperf, genai-perf"][3] == "not reported"


def test_a_thousand_tokens_at_a_hundred_a_second_are_half_there_after_five_seconds() -> None:
    rows = list_moments(THOUSAND, find_rate([], THOUSAND), None)
    assert rows[0] == ("Streaming, predicted", "at once", "5.00 s", "10.0 s")
    assert rows[2] == ("Non-streaming, predicted", "10.0 s", "10.0 s", "10.0 s")
    assert rows[1][1:] == rows[3][1:] == ("–", "–", "–")


def test_what_was_measured_stands_beside_the_prediction() -> None:
    rows = list_moments(GenerationOptions(10, pace=100), 100, run(10, pace=100))
    assert rows[1] == ("Streaming, measured", "100 ms", "500 ms", "1.00 s")
    assert rows[3] == ("Non-streaming, measured", "1.00 s", "1.00 s", "1.00 s")
    assert list_moments(GenerationOptions(5), 100, run(10, count=5))[1][2] == "300 ms"


def test_a_slower_machine_is_named_and_predicted_from() -> None:
    rate = find_rate([run(20)], THOUSAND)
    assert rate == pytest.approx(20)
    assert list_moments(THOUSAND, rate, None)[0][2:] == ("25.0 s", "50.0 s")
    assert "generates 20.0 tokens/s, fewer than the requested 100" in describe_source(THOUSAND, rate)


def test_a_machine_that_keeps_up_is_predicted_from_the_requested_rate() -> None:
    assert find_rate([run(200)], THOUSAND) == 100
    assert find_rate([run(99, pace=100)], THOUSAND) == 100
    assert "from the requested rate, 100 tokens/s" in describe_source(THOUSAND, 100)


def test_the_measured_decode_rate_stands_beside_the_requested_one() -> None:
    late = run(80, pace=100, late=5)
    assert describe_measured(GenerationOptions(10, pace=100), late) == (
        "Requested 100 tokens/s, measured 80.0: 9 tokens in the 112 ms after the first."
    )
    fast = describe_measured(GenerationOptions(10, pace=None), run(280))
    assert fast.startswith("At real speed, measured 280.0: 9 tokens")


def test_an_early_end_is_told_and_one_token_has_no_rate() -> None:
    assert describe_measured(THOUSAND, run(100, pace=100)).endswith(" It ended before 1,000 tokens.")
    assert describe_measured(THOUSAND, run(100, count=1)) == "Requested 100 tokens/s: too few tokens to measure a rate."


def test_a_slowed_run_tells_nothing_of_what_the_machine_can_do() -> None:
    assert find_rate([run(20), run(10, pace=10)], THOUSAND) == pytest.approx(20)
    assert find_rate([run(10, pace=10)], THOUSAND) == 100


def test_at_real_speed_nothing_is_predicted_before_the_first_run() -> None:
    assert find_rate([], REAL) is None
    assert list_moments(REAL, None, None)[0][1:] == ("–", "–", "–")
    assert "not known before its first run" in describe_source(REAL, None)
    assert "50.0 tokens/s of this machine's last run" in describe_source(REAL, find_rate([run(50)], REAL))


def test_a_recorded_run_or_one_that_failed_tells_nothing_of_this_machine() -> None:
    recorded = replace(run(20), question=Question("Once", "recording"))
    assert find_rate([recorded, replace(run(20), trace=None), run(20, count=1)], THOUSAND) == 100


@pytest.mark.parametrize(
    ("generated", "reason", "all_tokens", "all_seconds"), [(40, "eos_token", 40, 4.0), (10, "cancelled", 100, 10.0)]
)
def test_the_saving_is_exact_where_the_run_ended_and_else_at_most_the_requested_length(
    generated: int, reason: FinishReason, all_tokens: int, all_seconds: float
) -> None:
    saving = measure_saving(stop(10, generated, reason))
    assert saving is not None
    assert (saving.read.tokens, saving.all.tokens, saving.exact) == (10, all_tokens, reason == "eos_token")
    assert [saving.read.seconds, saving.all.seconds] == pytest.approx([1.0, all_seconds])


def test_money_is_tokens_times_the_price_and_waiting_saves_nothing() -> None:
    saving = Saving(Amount(10, 1.0), Amount(40, 4.0), exact=True)
    assert list_amounts(saving, price=10) == [
        ("Streaming: read until you stopped", "10", "1.00 s", "$0.000100"),
        ("The whole answer", "40", "4.00 s", "$0.000400"),
        ("Saved by streaming", "30", "3.00 s", "$0.000300"),
        ("Saved without streaming: you can only decide at the end", "0", "0 ms", "$0.000000"),
    ]
    assert list_amounts(saving, price=100)[2][3] == "$0.003000"


def test_an_upper_bound_is_marked_as_one() -> None:
    rows = list_amounts(Saving(Amount(10, 1.0), Amount(40, 4.0), exact=False), price=10)
    assert rows[1] == (
        "The whole answer, at the requested length",
        *("at most 40", "at most 4.00 s", "at most $0.000400"),
    )
    assert rows[2][1:] == ("at most 30", "at most 3.00 s", "at most $0.000300")


def test_a_reader_later_than_the_engine_has_not_saved_less_than_no_time() -> None:
    assert list_amounts(Saving(Amount(10, 4.2), Amount(40, 4.0), exact=True), price=10)[2][2] == "0 ms"


def test_an_answer_read_to_its_end_saved_nothing() -> None:
    assert measure_saving(run(10)) is None
    assert measure_saving(replace(stop(10, 40, "eos_token"), trace=None)) is None


def test_a_cancelled_run_without_a_length_or_a_rate_tells_nothing_of_the_rest() -> None:
    stopped = stop(10, 10, "cancelled")
    assert stopped.trace is not None
    endless = replace(stopped.trace, request=replace(stopped.trace.request, max_new_tokens=None))
    assert measure_saving(replace(stopped, trace=endless)) is None
    assert measure_saving(stop(1, 1, "cancelled")) is None


def test_the_saving_is_told_in_a_sentence() -> None:
    exact, bound = (Saving(Amount(10, 1.0), Amount(length, 4.0), exact=length == 40) for length in (40, 100))
    assert describe_saving(exact) == "You stopped after 10 tokens and saved 75% of the answer."
    assert "up to 90%" in describe_saving(bound)
