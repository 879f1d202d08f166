"""The page's tables."""

from demo.metric_definitions import DEFINITIONS
from demo.ui.components.markup import write_json
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from demo.ui.view.tables import list_definitions, list_example, list_saved
from demo.ui.view.turn import Question, Turn
from tests.traces import make_trace


def test_a_value_for_a_script_holds_no_markup() -> None:
    assert write_json({"a": "<script>"}) == '{"a": "\\u003cscript>"}'


def test_the_example_names_its_length_its_rate_and_the_clock() -> None:
    table = list_example(GenerationOptions(1000, pace=100), (), None)
    assert table["caption"] == "1,000 tokens at 100 tokens/s; measured on the engine's clock"
    assert "real speed" in str(list_example(GenerationOptions(1000), (), None)["caption"])


def test_before_the_first_run_there_is_no_table_of_savings() -> None:
    assert list_saved((), 10)["rows"] == []


def test_each_tool_defines_the_same_names_and_after_a_run_with_its_numbers() -> None:
    words = list_definitions(())["rows"]
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
