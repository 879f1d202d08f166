"""The folder of the static page: what it holds, what it links to, and how large it is."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.static.document import TOLD
from demo.static.folder import REPLACED, write_folder
from demo.static.recordings import list_paces, read_all
from demo.ui.files import LESSON
from demo.ui.listeners.lesson import EXAMPLE
from demo.ui.view.words import CONSTANTS
from tests.recordings import read_openings
from tests.space.folder import check_folder
from tests.static.building import build_small
from tests.test_layers import ROOT

FIRST_RACE = ("index.html", "theme.js", "page.css", "page.js", "runs/1-1-30.js", "runs/1-1-trace.js")
MAX_BYTES = 400_000  # of a first race, before charts
ADDRESS = re.compile(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("static") / "page")


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("src", "href"):
                (self.linked if tag == "a" else self.loaded).append(value or "")


def test_a_first_race_loads_less_than_400_kb_before_charts(folder: Path) -> None:
    assert sum((folder / name).stat().st_size for name in FIRST_RACE) < MAX_BYTES


def test_nothing_is_loaded_from_another_host_or_by_an_absolute_address(folder: Path) -> None:
    for path in folder.rglob("*"):
        # Plotly and the licence hold addresses that nothing loads; recorded answers and notes of origin are text.
        if not path.is_file() or path.suffix not in (".html", ".css", ".js") or path.name == "plotly.min.js":
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"""(?:src|href|url\(|import|fetch\()\s*[=(]?\s*["']?(?:https?:)?//""", text), path.name
    document = Links((folder / "index.html").read_text("utf-8"))
    for address in document.loaded:
        parts = urlsplit(address)
        assert parts.scheme in ("", "data")
        assert parts.scheme or (folder / parts.path).is_file()


def test_every_link_leads_to_a_file_or_a_place_on_the_page(folder: Path) -> None:
    document = Links((folder / "index.html").read_text("utf-8"))
    for address in document.linked:
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("", "")
        if parts.query:
            assert parts.query.removeprefix("lang=") in CONSTANTS["languages"]
        else:
            assert (folder / parts.path).is_file() if parts.path else parts.fragment in document.ids, address
    assert re.search("^## Run it$", (folder / "README.md").read_text("utf-8"), re.MULTILINE)


def test_every_id_is_there_once_and_those_that_teachers_script_are_there(folder: Path) -> None:
    ids = Links((folder / "index.html").read_text("utf-8")).ids
    assert len(ids) == len(set(ids))
    section = (ROOT / "demo" / "ui" / "README.md").read_text("utf-8").partition("## Ids")[2].partition("```js")[0]
    told = set(re.findall(r"`([a-z-]+)`", section)) - {"station-", "streamed", "whole"}
    names = {f"station{name}" if name.startswith("-") else name for name in told}
    assert names <= set(ids)


def test_a_folder_can_be_pushed_to_a_static_space(folder: Path) -> None:
    assert check_folder(folder) == []


def test_the_scripts_are_the_servers_own(folder: Path) -> None:
    script = (folder / "page.js").read_text("utf-8")
    names = re.findall(r'^define\("([^"]+)"', script, re.MULTILINE)
    for name in set(names) - set(REPLACED) - {"constants.js", "static/recordings.js"}:
        assert (ROOT / "assets" / name).is_file()
    shown = {path.stem for path in (ROOT / "assets" / "page").glob("*.js")}
    assert {Path(name).stem for name in names if name.startswith("page/")} == shown


def test_stations_that_need_a_server_say_so_and_lead_to_one(folder: Path, tmp_path: Path) -> None:
    text = (folder / "index.html").read_text("utf-8")
    assert text.count("this needs a server") == text.count('href="README.md#run-it"') > 0
    served = (build_small(tmp_path / "page", "https://demo.example/") / "index.html").read_text("utf-8")
    assert 'href="https://demo.example/#station=3"' in served
    assert 'href="https://demo.example/how-it-works/demo/"' in served
    assert "README.md#run-it" not in served


def test_every_text_that_differs_from_the_servers_page_is_on_that_page_once() -> None:
    texts = [path.read_text("utf-8") for path in LESSON.glob("*/*.html")]
    for pattern, _ in TOLD:
        assert sum(len(re.findall(pattern, text, re.DOTALL)) for text in texts) == 1, pattern


def test_a_speed_that_a_recording_does_not_reach_is_not_offered(folder: Path) -> None:
    assert list_paces(20.0) == (None,)
    assert list_paces(50.0) == (None, 30)
    script = (folder / "page.js").read_text("utf-8")
    found = re.search(r'define\("static/recordings.js".*?const _default = (\{.*?\});\n', script, re.DOTALL)
    assert found
    fast, slow = json.loads(found[1])["machines"]
    assert [value for _, value in fast["speeds"]] == [0, 100, 30]
    assert ([value for _, value in slow["speeds"]], slow["pace"]) == ([0], 0)
    assert slow["name"] == "slow-model, float32, on cpu"


def test_an_earlier_build_is_replaced_and_a_folder_of_anything_else_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "runs" / "old.js").touch()
    build_small(folder)
    assert not (folder / "runs" / "old.js").exists()
    (tmp_path / "letter.txt").write_text("Dear reader")
    with pytest.raises(FileExistsError, match="choose a folder"):
        write_folder(tmp_path, read_all())
    assert (tmp_path / "letter.txt").exists()


def test_the_recordings_that_ship_with_the_demo_are_whole() -> None:
    recordings = read_all()
    assert len(recordings.example.tokens) == max(EXAMPLE["lengths"])
    assert all(trace.question.endswith(text) for trace, text in zip(recordings.stories, read_openings(), strict=True))
