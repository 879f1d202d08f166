"""The page shows the README's programs, all of them, to the letter."""

import asyncio
from typing import Any

import httpx2

from demo.ui.files import build_files
from demo.ui.snippets import README, Snippet, read_snippets
from tests.clients import snippets


def test_a_snippet_is_the_fence_after_its_comment_and_other_fences_are_none() -> None:
    markdown = (
        "```sh\nno\n```\n<!-- snippet: a-1 -->\n```js\n`one`\n\n  two\n```\n<!-- snippet: b -->\ntext\n```js\nno\n```\n"
    )
    assert read_snippets(markdown) == [Snippet("a-1", "js", "`one`\n\n  two")]


def test_the_page_reads_what_the_tests_of_the_clients_run() -> None:
    run = [(each.name, each.language, each.source) for each in snippets.read_snippets()]
    assert [(each.name, each.language, each.text) for each in read_snippets(README.read_text("utf-8"))] == run


def test_they_are_served_as_they_are_written() -> None:
    async def fetch() -> Any:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build_files()), base_url="http://test") as client:
            return (await client.get("/snippets.json")).json()

    assert [Snippet(**each) for each in asyncio.run(fetch())] == read_snippets(README.read_text("utf-8"))
