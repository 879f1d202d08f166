"""The document's tags, its policy and what browsers keep, without Gradio and without a browser.

And how this works can be read without a network: every link of `demo/README.md` is answered by this server.
"""

import re
from base64 import b64encode
from hashlib import sha256

import httpx2
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.testclient import TestClient

from demo.ui.document import MANIFEST, STRICT, DocumentMiddleware
from demo.ui.files import ASSETS, FOLDERS, HOW_IT_WORKS, PLACE, ROOT, STYLES, mount_files

INLINE = "window.config = 1;"
HEAD = f'<script>{INLINE}</script>{MANIFEST.decode()}<script type="module" src="./a.js"></script>'
PAGE = f"<html><head>{HEAD}</head></html>"
README = (ROOT / "demo" / "README.md").read_text("utf-8")


def build_client(root_path: str = "") -> TestClient:
    app = FastAPI()
    app.get("/", response_class=HTMLResponse)(lambda: PAGE)
    app.get("/assets/a-1.js")(lambda: "1")
    mount_files(app)
    app.add_middleware(DocumentMiddleware)
    return TestClient(app, root_path=root_path)


def test_our_scripts_come_before_gradios_and_our_styles_are_fetched_at_once() -> None:
    text = build_client().get("/").text
    ours = text.index(f'<script type="module" src=".{PLACE}/page/main.js"></script>')
    assert ours < text.index(INLINE) < text.index("./a.js")
    assert all(f'<link rel="preload" as="style" href=".{PLACE}/{name}">' in text for name in STYLES)
    assert MANIFEST.decode() not in text
    assert '<link rel="icon"' in text


def test_the_document_may_run_its_own_inline_scripts_and_load_from_no_other_host_and_be_framed_anywhere() -> None:
    policy = build_client().get("/").headers["Content-Security-Policy"]
    directives = {each.split()[0]: each.split()[1:] for each in policy.split(";")}
    digest = b64encode(sha256(INLINE.encode()).digest()).decode()
    assert directives["default-src"] == ["'self'"]
    assert directives["script-src"] == ["'self'", "'unsafe-eval'", f"'sha256-{digest}'"]
    assert directives["frame-ancestors"] == ["*"]
    assert not re.search(r"https?:|\*\.", policy)


def test_files_of_ours_have_a_strict_policy_and_are_kept_for_as_long_as_their_hash_is_asked_for() -> None:
    for client, root in ((build_client(), ""), (build_client("/demo"), "/demo")):
        for name in ("page/main.js", "lesson/pairs/pairs.html", "constants.js", "snippets.json", *STYLES):
            reply = client.get(f"{root}{PLACE}/{name}")
            assert reply.status_code == 200, name
            assert reply.headers["Content-Security-Policy"] == STRICT
            assert "immutable" in reply.headers["Cache-Control"]
        gone = client.get(f"{root}/assets-0123456789abcdef/page/main.js")
        missing = client.get(f"{root}{PLACE}/page/other.js")
        assert [each.status_code for each in (gone, missing)] == [404, 404]
        assert "Cache-Control" not in missing.headers


def test_plotly_is_sent_whole() -> None:
    assert len(build_client().get(f"{PLACE}/plotly.min.js").text) > 1_000_000


def test_every_import_leads_to_a_file_and_no_script_of_ours_evaluates_text() -> None:
    scripts = [path for folder in FOLDERS if folder != "vendor" for path in (ASSETS / folder).rglob("*.js")]
    assert len(scripts) > 30
    for script in scripts:
        text = script.read_text("utf-8")
        assert not re.search(r"\beval\(|new Function|AsyncFunction|\.constructor\(|innerHTML", text), script
        for target in re.findall(r'(?:from|import) "(\.[^"]+)"', text):
            path = (script.parent / target).resolve()
            assert path.is_file() or path.relative_to(ASSETS).as_posix() == "constants.js", f"{script}: {target}"


def fetch(*paths: str) -> list[httpx2.Response]:
    client = build_client()
    return [client.get(f"{HOW_IT_WORKS}{path}") for path in paths]


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
    replies = fetch("/requirements.txt", "/demo/../app.py", "/%2e%2e/etc/passwd")
    assert [each.status_code for each in replies] == [404] * 3
