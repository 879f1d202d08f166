"""How this works can be read without a network: every link of `demo/README.md` is answered by this server."""

import asyncio
import re

import httpx2

from demo.ui.files import ROOT, build_how_it_works

README = (ROOT / "demo" / "README.md").read_text("utf-8")


def fetch(*paths: str) -> list[httpx2.Response]:
    async def fetch_all() -> list[httpx2.Response]:
        app = httpx2.ASGITransport(build_how_it_works())
        async with httpx2.AsyncClient(transport=app, base_url="http://test") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(fetch_all())


def test_the_page_loads_its_own_script_and_style_and_the_readme() -> None:
    page, script, style, parser, readme = fetch("/demo/", "/show.js", "/style.css", "/marked.js", "/demo/README.md")
    assert [each.status_code for each in (page, script, style, parser, readme)] == [200] * 5
    assert 'from "./marked.js"' in script.text
    assert page.headers["Content-Type"].startswith("text/html")
    assert "javascript" in script.headers["Content-Type"]
    assert 'src="../show.js"' in page.text
    assert 'href="../style.css"' in page.text
    assert readme.text == README
    assert readme.headers["Content-Type"].startswith("text/plain")


def test_every_file_that_the_readme_links_to_is_served_as_text() -> None:
    links = [f"/demo/{link}" for link in re.findall(r"\]\((?!http|#)([^)#]+)", README)]
    replies = fetch(*links)
    assert [reply.url.path for reply in replies if reply.status_code != 200] == []
    assert all(reply.headers["Content-Type"] == "text/plain; charset=utf-8" for reply in replies)


def test_nothing_else_is_served() -> None:
    assert [each.status_code for each in fetch("/requirements.txt", "/demo/../app.py", "/%2e%2e/etc/passwd")] == [
        404
    ] * 3
