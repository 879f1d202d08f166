"""The page's tables."""

from demo.ui.components.markup import write_json
from demo.ui.view.options import GenerationOptions
from demo.ui.view.tables import list_example, list_saved


def test_a_value_for_a_script_holds_no_markup() -> None:
    assert write_json({"a": "<script>"}) == '{"a": "\\u003cscript>"}'


def test_the_example_names_its_length_its_rate_and_the_clock() -> None:
    table = list_example(GenerationOptions(1000, pace=100), (), None)
    assert table["caption"] == "1,000 tokens at 100 tokens/s; measured on the engine's clock"
    assert "real speed" in str(list_example(GenerationOptions(1000), (), None)["caption"])


def test_before_the_first_run_there_is_no_table_of_savings() -> None:
    assert list_saved((), 10)["rows"] == []
