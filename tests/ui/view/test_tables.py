"""The page's tables."""

from demo.metric_definitions import DEFINITIONS
from demo.ui.components.markup import write_json
from demo.ui.view import plots, prediction, savings
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from demo.ui.view.tables import list_definitions, list_example, list_runs, list_saved
from demo.ui.view.turn import Question, Turn
from tests.traces import make_trace
from tests.ui.view.test_savings import stop


def race(gap: float = 0.02, number: int = 1) -> Turn:
    return Turn(
        Question("Hi"), PaneView("streamed", "done"), PaneView("whole", "done"), make_trace(gap=gap), number=number
    )


def test_a_value_for_a_script_holds_no_markup() -> None:
    assert write_json({"a": "<script>"}) == '{"a": "\\u003cscript>"}'


def test_the_example_names_its_length_its_rate_and_the_clock() -> None:
    table = list_example(GenerationOptions(1000, pace=100), (), None)
    assert table["caption"] == "1,000 tokens at 100 tokens/s; measured on the engine's clock"
    real = list_example(GenerationOptions(1000), (), None)
    assert real["caption"] == "1,000 tokens at real speed; measured on the engine's clock"


def test_the_example_is_predicted_from_the_tabs_runs_and_measured_in_its_own() -> None:
    example, measured = GenerationOptions(4, pace=100), race(gap=0.05)
    table = list_example(example, [race(gap=0.1), measured], measured)
    assert table["columns"] == prediction.COLUMNS
    assert table["rows"] == prediction.list_moments(example, 20, measured)
    sentences = prediction.describe_measured(example, measured), prediction.describe_source(example, 20)
    assert table["sentence"] == " ".join(sentences)
    assert list_example(example, (), None)["sentence"] == prediction.describe_source(example, 100)


def test_runs_are_listed_under_a_caption() -> None:
    runs = [race(number=1), race(number=2)]
    table = list_runs(runs)
    assert (table["caption"], table["columns"]) == ("Every run of this tab, newest first", plots.COLUMNS)
    assert table["rows"] == plots.list_rows(runs)


def test_before_the_first_run_there_is_no_table_of_savings() -> None:
    assert list_saved((), 10) == {
        "sentence": savings.NO_RUN,
        "caption": "The last run of this tab, on the engine's clock",
        "columns": savings.COLUMNS,
        "rows": [],
    }


def test_the_last_run_tells_what_stopping_it_saved() -> None:
    stopped = stop(10, 40, "eos_token")
    saving = savings.measure_saving(stopped)
    assert saving is not None
    table = list_saved([race(), race(), stopped], 10)
    assert table["sentence"] == savings.describe_saving(stopped)
    assert table["rows"] == savings.list_savings(saving, 10)
    assert not list_saved([stopped, stopped, race()], 10)["rows"]


def test_each_tool_defines_the_same_names_and_after_a_run_with_its_numbers() -> None:
    before = list_definitions(())
    assert before["columns"] == ("Tool", "TTFT", "ITL", "TPOT")
    assert ", after a run, with its numbers; n tokens" in str(before["caption"])
    words = before["rows"]
    assert isinstance(words, list)
    assert [row[0] for row in words] == [each.tool for each in DEFINITIONS]
    assert all(cell for row in words for cell in row)
    trace = make_trace(("", "é", "s"), gap=0.3)  # the first token begins a character
    turn = Turn(Question("Hi"), PaneView("streamed", "done"), PaneView("whole", "done"), trace, number=4)
    table = list_definitions((turn,))
    assert "run 4" in str(table["caption"])
    rows = {row[0]: row for row in table["rows"]}  # type: ignore[attr-defined]
    assert rows["this project"][1:] == (
        "600 ms: first visible text",
        "300 ms: gaps between tokens",
        "300 ms: (last − first token) / (n − 1)",
    )
    assert rows["vLLM bench serve"][1] == "300 ms: first chunk, even an empty one"
    assert rows["aiperf, genai-perf"][3] == "not reported"
