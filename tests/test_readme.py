"""The READMEs say what code and files say."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import yaml
from packaging.version import Version

from demo.settings import Settings, format_flag
from demo.snippets import FOLDER
from tests import way
from tests.api.script import AnsweringEngine, open_api
from tests.readme import CHOSEN, FIGURES, MARKED, PARTS, README, READMES, ROOT, renew
from tests.test_requirements import read_requirements

CHANGELOG: Final = ROOT / "CHANGELOG.md"
COMPARISON: Final = ROOT / "tests" / "comparison" / "README.md"
TEXTS: Final = {path: path.read_text("utf-8") for path in (*READMES, CHANGELOG)}
_, FRONT_MATTER, BODY = TEXTS[README].split("---\n", 2)
SPACE: Final = yaml.safe_load(FRONT_MATTER)
MAX_BYTES: Final = 12_000
MAX_LINES: Final = 1_000
MAX_INSIDE: Final = 500  # of these in the engine
OTHERS: Final = {"--concurrency"}  # flags of `python -m demo.bench`


def find_all(pattern: str) -> Iterator[tuple[Path, str]]:
    """What the first group of a pattern finds in all READMEs, with the file."""
    return ((path, found) for path, text in TEXTS.items() for found in re.findall(pattern, text))


def test_what_is_made_from_code_and_files_is_as_they_are_now() -> None:
    stale = [path.relative_to(ROOT).as_posix() for path in READMES if renew(TEXTS[path]) != TEXTS[path]]
    assert stale == [], "run: python -m tests.readme"


def test_every_mark_begins_and_ends_a_part_and_every_kind_of_part_is_somewhere() -> None:
    found = [part[2] for path in READMES for part in MARKED.finditer(TEXTS[path])]
    assert len(found) * 2 == sum(text.count("<!-- ") for text in TEXTS.values())
    assert set(found) == PARTS.keys()


def test_it_is_read_in_one_sitting() -> None:
    assert len(BODY.encode()) <= MAX_BYTES


def test_a_space_gets_the_versions_that_the_requirements_name() -> None:
    assert SPACE["sdk"] == "gradio"
    assert Version(str(SPACE["sdk_version"])) in read_requirements("requirements.txt")["gradio"].specifier
    assert (ROOT / SPACE["app_file"]).is_file()


def test_the_preloaded_models_are_the_defaults_on_a_hub() -> None:
    from demo.engines.local.loading.source import HUB_ID_ON_CPU, HUB_ID_ON_GPU

    preloaded = [each.split()[0] for each in SPACE["preload_from_hub"]]
    assert preloaded == SPACE["models"] == [HUB_ID_ON_CPU, HUB_ID_ON_GPU]


def test_what_they_link_to_is_there() -> None:
    links = find_all(r"\]\((?!http)([^)]+)\)")
    assert [(path, link) for path, link in links if not leads_somewhere(path, link)] == []


def leads_somewhere(path: Path, link: str) -> bool:
    """Whether the file exists, and in it the heading, if the link names one."""
    name, _, heading = link.partition("#")
    target = path.parent / name if name else path
    headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE) if heading else []
    return target.exists() and (not heading or heading in map(write_anchor, headings))


def write_anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_files_that_they_name_exist() -> None:
    named = find_all(r"`([\w./-]+/[\w.-]+\.(?:py|js|html|json|txt|toml))`")
    named = ((path, name) for path, name in named if path != CHANGELOG and "NAME" not in name)
    assert [
        (path, name) for path, name in named if not any((each / name).exists() for each in (ROOT, path.parent))
    ] == []


def test_the_make_targets_and_the_modules_that_they_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {target for _, target in find_all(r"(?m)(?:`|^)make ([a-z-]+)")}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    modules = {name for path, name in find_all(r"`python -m ([a-z_.]+)") if path != CHANGELOG}
    assert [name for name in modules if find_spec(name) is None] == []


def test_the_settings_that_they_name_exist() -> None:
    flags = {format_flag(each) for each in fields(Settings)}
    written = "".join(MARKED.sub("", text) for path, text in TEXTS.items() if path not in (COMPARISON, CHANGELOG))
    named = set(re.findall(r"`(--[a-z-]+)", written))
    assert named - flags - OTHERS == set()


def test_the_readme_of_the_api_names_its_every_route() -> None:
    table = TEXTS[ROOT / "demo" / "api" / "README.md"].split("## ")[1]
    named = set(re.findall(r"`(?:[A-Z]+ )?(/[^`]*)`", table))
    assert set(open_api(AnsweringEngine(), has_rooms=True).openapi()["paths"]) | {"/docs", "/openapi.json"} == named


def test_every_program_and_configuration_is_shown() -> None:
    shown = {name for _, name in find_all(r"<!-- snippet: (\S+) -->")}
    assert shown == {path.name for path in FOLDER.iterdir() if path.suffix != ".toml"}


def test_every_folder_at_the_top_and_in_demo_is_on_the_map_and_every_folder_of_the_map_exists() -> None:
    named = set(re.findall(r"^\| \[?`([a-z_/]+)/`", BODY, re.MULTILINE))
    assert [folder for folder in named if not (ROOT / folder).is_dir()] == []
    packages = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("demo/*/__init__.py")}
    assert named >= {"demo", "assets", "tests", *packages}


def test_every_chosen_figure_is_one_that_was_measured() -> None:
    rows = TEXTS[FIGURES].splitlines()
    assert [sum(row.startswith(f"| {each}") for row in rows) for each in CHOSEN] == [1] * len(CHOSEN)


def test_its_example_prompts_are_those_of_the_page() -> None:
    prompts = json.loads((ROOT / "assets" / "prompts.json").read_text())
    for prompt in ("What is Deep Learning?", "Write a story about a dragon"):
        assert prompt in prompts
        assert prompt in BODY


def test_the_stations_of_a_tokens_way_are_numbered_in_order_and_can_be_read_in_one_sitting() -> None:
    stations = way.find_stations()
    assert stations
    assert [station.number for station in stations] == list(range(1, len(stations) + 1))
    assert way.count_lines(stations) <= MAX_LINES
    assert sum(way.measure_inside().values()) <= MAX_INSIDE
