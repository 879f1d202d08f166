"""The phone's page as one document: its style, script and texts are in it, and its policy allows nothing else."""

import gzip
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse

FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "room"
DOCUMENT: Final = FOLDER / "phone.html"
STYLE: Final = re.compile(r'<link rel="stylesheet" href="([\w.-]+\.css)">')
SCRIPT: Final = re.compile(r'<script([^>]*?) src="([\w.-]+\.(?:js|json))"([^>]*)></script>')
INLINE: Final = re.compile(r"<(style|script)([^>]*)>(.*?)</\1>", re.DOTALL)


class PhonePage:
    """Read once, on construction."""

    def __init__(self, document: Path = DOCUMENT) -> None:
        self.text = inline_parts(document)
        self.policy = write_policy(self.text)
        self._compressed = gzip.compress(self.text.encode(), mtime=0)  # a third, which a slow line feels

    def respond(self, accepted: str) -> HTMLResponse:
        """The page, in the best content coding `accepted`. It is sent anew each time: no phone keeps an old one."""
        headers = {
            "Content-Security-Policy": self.policy,
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Encoding",
        }
        if "gzip" not in accepted.lower():
            return HTMLResponse(self.text, headers=headers)
        return HTMLResponse(self._compressed, headers={**headers, "Content-Encoding": "gzip"})


def inline_parts(document: Path) -> str:
    """The document with the style sheets, scripts and data that it names in place of their addresses."""
    folder = document.parent

    def read(name: str) -> str:
        return (folder / name).read_text("utf-8")

    def write_script(found: "re.Match[str]") -> str:
        before, name, after = found.groups()
        text = read(name).replace("</", "<\\/") if name.endswith(".json") else read(name)
        return f"<script{before}{after}>{text}</script>"

    styled = STYLE.sub(lambda found: f"<style>{read(found[1])}</style>", document.read_text("utf-8"))
    return SCRIPT.sub(write_script, styled)


def write_policy(text: str) -> str:
    """The page's own styles and scripts, by their hashes, and requests to this server."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for tag, attributes, content in INLINE.findall(text):
        if "application/json" not in attributes:
            hashes[tag].append(f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'")
    styles, scripts = (" ".join(found) or "'none'" for found in hashes.values())
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
