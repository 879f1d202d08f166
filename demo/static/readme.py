"""The README of the folder: a Space's front matter, what the page is, and how a server is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from demo.errors import SettingError
from demo.static.recordings import Machine

README: Final = Path(__file__).resolve().parents[2] / "README.md"
FRONT_MATTER: Final = """---
title: Token streaming, recorded
emoji: 🏁
colorFrom: blue
colorTo: red
sdk: static
app_file: index.html
header: mini
disable_embedding: false
tags:
  - token-streaming
  - text-generation
license: apache-2.0
short_description: One answer, streamed and whole, side by side, recorded.
---
"""
TEXT: Final = """
# Token streaming, recorded

A race of one answer, streamed token by token and sent whole at the end, played from recordings of real runs. This
folder needs no server: open `index.html` from disk, put it on any file server, or push it to a Space (`sdk: static`).

Recorded:

{machines}

## Run it

With a model behind it, the page answers your own prompts, and its other stations measure a real server. In the
repository that this folder was built from:
{section}"""


def write_readme(machines: Sequence[Machine]) -> str:
    """The README over the runs of these machines."""
    listed = "\n".join(f"- {each.name}: {len(each.traces)} runs" for each in machines)
    return FRONT_MATTER + TEXT.format(machines=listed, section=_read_section(README.read_text("utf-8"), "## Run it"))


def _read_section(text: str, heading: str) -> str:
    _, found, rest = text.partition(f"\n{heading}\n")
    if not found:
        raise SettingError(f"{README} has no section {heading!r}: restore it.")
    return rest.partition("\n## ")[0].rstrip() + "\n"
