"""What a phone loads, and how it finds the way: the page, the QR code and the address in it."""

import gzip
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageDraw
from starlette.requests import Request

from demo.room.phone_page import PhonePage
from demo.room.public_address import PublicAddress, draw_qr_code, find_own_address
from demo.settings import Settings
from tests.api.visit import make_scope
from tests.room.classroom import Classroom

MAX_BYTES = 60_000


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/room", "/room/K7M2QX", "/room/none"])
async def test_the_page_is_one_small_document_for_any_code(path: str) -> None:
    reply = await Classroom().ask("GET", path)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(reply.content) < MAX_BYTES
    assert not re.search(rb'(src|href)="(?!data:)', reply.content)


@pytest.mark.anyio
async def test_a_slow_line_gets_it_compressed() -> None:
    room = Classroom()
    whole = await room.ask("GET", "/room")
    small = await room.ask("GET", "/room", None, {"accept-encoding": "gzip, deflate, br"})
    assert (small.headers["content-encoding"], small.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(small.content) == whole.content
    assert len(small.content) < len(whole.content) / 2


@pytest.mark.anyio
async def test_a_slash_at_the_end_is_no_other_page() -> None:
    room = Classroom(settings=Settings())
    assert (await room.ask("GET", "/room/")).content == (await room.ask("GET", "/room")).content


def test_its_policy_allows_its_own_scripts_and_styles_and_nothing_else() -> None:
    page = PhonePage()
    parts = re.findall(r"<(?:script|style)(?![^>]*json)[^>]*>(.*?)</(?:script|style)>", page.text, re.DOTALL)
    hashes = {b64encode(sha256(part.encode()).digest()).decode() for part in parts}
    assert set(re.findall(r"'sha256-([^']+)'", page.policy)) == hashes
    assert page.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in page.policy


def test_parts_are_put_in_as_they_are_and_data_can_not_end_its_script(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("p { color: red }")
    (tmp_path / "a.js").write_text(r"f('\1\n');")
    (tmp_path / "a.json").write_text('{"a": "</script>"}')
    document = tmp_path / "a.html"
    document.write_text(
        '<link rel="stylesheet" href="a.css"><script src="a.js"></script>'
        '<script type="application/json" src="a.json" id="texts"></script>'
    )
    assert PhonePage(document).text == (
        r"<style>p { color: red }</style><script>f('\1\n');</script>"
        r'<script type="application/json" id="texts">{"a": "<\/script>"}</script>'
    )


@pytest.mark.parametrize(
    "address", ["http://192.168.1.7:7860/room/K7M2QX", "https://someone-token-streaming.hf.space/demo/room/ABCDEF"]
)
def test_the_qr_code_is_read_as_the_address(address: str) -> None:
    (found,) = zxingcpp.read_barcodes(paint(draw_qr_code(address)))
    assert (found.text, found.format) == (address, zxingcpp.BarcodeFormat.QRCode)


def paint(svg: str) -> Image.Image:
    """The picture of an SVG whose last path is strokes from left to right: M to a point, m by some, h for a stroke."""
    side = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
    scale = int(re.findall(r"scale\((\d+)\)", svg)[0])
    image = Image.new("L", (side, side), 255)
    draw, x, y = ImageDraw.Draw(image), 0.0, 0.0
    (strokes,) = re.findall(r'stroke="#000"[^>]* d="([^"]+)"', svg)
    for command, text in re.findall(r"([Mmh])([^Mmh]*)", strokes):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        if command == "h":
            top = (y - 0.5) * scale
            draw.rectangle((x * scale, top, (x + numbers[0]) * scale - 1, top + scale - 1), fill=0)
            x += numbers[0]
        else:
            x, y = (numbers[0], numbers[1]) if command == "M" else (x + numbers[0], y + numbers[1])
    return image


def find(address: PublicAddress, host: str, root: str = "") -> tuple[str, bool]:
    return address.find(Request({**make_scope(f"{root}/rooms", headers={"host": host}), "root_path": root}))


def test_the_address_is_the_one_that_is_set_else_the_spaces_else_the_one_that_was_asked() -> None:
    space = PublicAddress.choose(None, 7860, True, {"SPACE_HOST": "some.hf.space"})
    assert find(PublicAddress("https://class.test/demo/", 7860, False), "x") == ("https://class.test/demo", True)
    assert find(space, "10.0.0.1") == ("https://some.hf.space", True)
    assert find(PublicAddress(None, 7860, True), "192.168.1.7:7860") == ("http://192.168.1.7:7860", True)
    assert find(PublicAddress(None, 7860, False), "demo.test", "/demo") == ("http://demo.test/demo", True)


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860"])
def test_an_address_of_this_machine_alone_is_replaced_by_the_one_on_its_network(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.room.public_address.find_own_address", lambda: "10.1.2.3")
    assert find(PublicAddress(None, 7860, True), host) == ("http://10.1.2.3:7860", True)
    assert find(PublicAddress(None, 7860, True), host, "/demo") == ("http://10.1.2.3:7860/demo", True)
    assert find(PublicAddress(None, 7860, False), host) == (f"http://{host}", False)


def test_the_own_address_is_none_of_loopback() -> None:
    assert not (find_own_address() or "").startswith("127.")


@pytest.mark.anyio
async def test_the_code_in_the_picture_is_the_rooms_own_address() -> None:
    room = (await Classroom().open()).room
    assert room["url"] == f"http://room.test/room/{room['code']}"
    assert zxingcpp.read_barcodes(paint(room["qr"]))[0].text == room["url"]
