"""README.md says what the code says."""

import json
import re

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.readme import README, ROOT, renew

TEXT = README.read_text()
FRONT_MATTER = yaml.safe_load(TEXT.split("---")[1])


def test_the_file_map_and_the_settings_are_those_of_the_code() -> None:
    assert renew(TEXT) == TEXT, "run: python -m tests.readme"


def test_a_space_gets_the_versions_that_the_requirements_name() -> None:
    requirements = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1].isalpha()]
    wanted = {requirement.name: requirement for requirement in map(Requirement, requirements)}
    assert FRONT_MATTER["sdk"] == "gradio"
    assert Version(str(FRONT_MATTER["sdk_version"])) in wanted["gradio"].specifier
    assert (ROOT / FRONT_MATTER["app_file"]).is_file()


def test_the_preloaded_models_are_the_defaults_on_a_hub() -> None:
    from demo.engines.local.loading.source import HUB_ID_ON_CPU, HUB_ID_ON_GPU

    assert FRONT_MATTER["preload_from_hub"] == FRONT_MATTER["models"] == [HUB_ID_ON_CPU, HUB_ID_ON_GPU]


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http|#)([^)]+)\)", TEXT))
def test_what_it_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z]+)", TEXT))))
def test_the_make_targets_it_names_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_its_example_prompts_are_those_of_the_page() -> None:
    prompts = json.loads((ROOT / "assets" / "prompts.json").read_text())
    for prompt in ("What is Deep Learning?", "Write a poem about the sea"):
        assert prompt in prompts
        assert prompt in TEXT
