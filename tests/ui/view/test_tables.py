"""Tables as markup."""

from demo.ui.view.options import GenerationOptions
from demo.ui.view.tables import write_example, write_saved, write_table


def test_a_cell_is_text_whatever_it_holds() -> None:
    markup = write_table("A & B", ["<i>"], [["<script>alert(1)</script>"]])
    assert "<script>" not in markup
    assert "&lt;script&gt;" in markup
    assert 'aria-label="A &amp; B"' in markup


def test_the_example_names_its_length_its_rate_and_the_clock() -> None:
    markup = write_example(GenerationOptions(1000, pace=100), (), None)
    assert "1,000 tokens at 100 tokens/s; measured on the engine&#x27;s clock" in markup
    assert "real speed" in write_example(GenerationOptions(1000, pace=None), (), None)


def test_before_the_first_run_there_is_no_table_of_savings() -> None:
    assert "<table>" not in write_saved((), 10)
