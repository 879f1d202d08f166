from typing import Any

import pytest

from tests.space.folder import ROOT
from tests.space.front_matter import join_readme, list_faults, split_readme

FIELDS, BODY = split_readme((ROOT / "README.md").read_text("utf-8"))


def test_the_front_matter_of_the_readme_keeps_the_rules() -> None:
    assert list_faults(FIELDS) == []


def test_a_front_matter_that_is_written_is_read_as_it_was() -> None:
    assert split_readme(join_readme(FIELDS, BODY)) == (FIELDS, BODY)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("short_description", "x" * 61, "61 characters: 60 at most"),
        ("colorFrom", "orange", "colorFrom is 'orange'"),
        ("emoji", "ab", "one emoji"),
        ("emoji", "", "one emoji"),
        ("python_version", 3.11, "of the type str"),  # YAML reads 3.10 as 3.1
        ("python_version", "3", "must match"),
        ("sdk", "streamlit", "must be one of gradio, docker, static"),
        ("sdk_version", "latest", "must match"),
        ("suggested_hardware", "h100", "must be one of"),
        ("suggested_hardware", "zero-a10g", "ZeroGPU runs"),
        ("header", "none", "mini"),
        ("startup_duration_timeout", "an hour", "must match"),
        ("preload_from_hub", ["someone/model"], "names no files"),
        ("preload_from_hub", ["someone/model a.json, b.json"], "does not match"),
        ("preload_from_hub", ["someone/model a.json main"], "does not match"),
        ("models", ["model"], "does not match"),
        ("colourFrom", "red", "not a parameter"),
        ("sdk", "static", "python_version is for gradio alone"),
    ],
)
def test_what_the_hub_refuses_is_said(name: str, value: Any, words: str) -> None:
    assert any(words in fault for fault in list_faults({**FIELDS, name: value}))


@pytest.mark.parametrize("name", ["emoji", "sdk_version"])
def test_a_missing_field_is_said(name: str) -> None:
    assert f"{name} is missing" in list_faults({key: value for key, value in FIELDS.items() if key != name})


def test_a_text_without_front_matter_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin"):
        split_readme("# Title\n")
