"""The page is sent every program of `assets/snippets`, to the letter."""

import asyncio
from typing import Any

import httpx

from demo.snippets import FOLDER, LANGUAGES, PROGRAMS, Snippet, read_snippets
from demo.ui.files import build_files


def test_every_program_in_the_folder_has_its_place_in_the_order() -> None:
    assert sorted(PROGRAMS) == sorted(path.name for path in FOLDER.iterdir() if path.suffix in LANGUAGES)


def test_they_are_served_as_they_are_written() -> None:
    async def fetch() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(build_files()), base_url="http://test") as client:
            return (await client.get("/snippets.json")).json()

    served = [Snippet(**each) for each in asyncio.run(fetch())]
    assert served == read_snippets()
    assert [f"{each.text}\n" for each in served] == [(FOLDER / name).read_text("utf-8") for name in PROGRAMS]
