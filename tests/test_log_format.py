"""What a client sends can neither start a line of the log nor move a terminal's cursor."""

import logging

import pytest

from demo.log_format import PrintableFormatter, escape_unprintable


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\0", "\x7f", "\x9b", "\u2028", "\u202e", "\ud800"])
def test_what_cannot_be_printed_is_escaped(character: str) -> None:
    escaped = escape_unprintable(f"a{character}b")
    assert escaped.isprintable()
    assert escaped == f"a\\u{ord(character):04x}b"


def test_what_can_be_printed_stays() -> None:
    assert escape_unprintable("Käse ist 奶酪 🧀") == "Käse ist 奶酪 🧀"


def test_a_record_is_one_line_and_a_traceback_keeps_its_lines() -> None:
    record = logging.LogRecord("demo", logging.INFO, "file", 1, "%s", ("first\nsecond\x1b[2J",), None)
    assert PrintableFormatter().format(record) == "first\\u000asecond\\u001b[2J"
    try:
        raise ValueError("one\x1btwo")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    lines = PrintableFormatter().format(record).splitlines()
    assert len(lines) > 3
    assert lines[-1] == "ValueError: one\\u001btwo"
