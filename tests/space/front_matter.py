"""The front matter of a README: YAML between two lines of dashes, before the text."""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

PARTS: Final = re.compile(r"---\n(.*?)^---\n(.*)", re.DOTALL | re.MULTILINE)


def split_readme(text: str) -> tuple[dict[str, Any], str]:
    """The fields, and the text after them. Raises ValueError where there is no front matter."""
    if (found := PARTS.fullmatch(text)) is None:
        raise ValueError("The README does not begin with YAML between two lines of ---.")
    fields: dict[str, Any] = yaml.safe_load(found[1])
    return fields, found[2]


def join_readme(fields: Mapping[str, Any], body: str) -> str:
    block = yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True, width=200)
    return f"---\n{block}---\n{body}"
