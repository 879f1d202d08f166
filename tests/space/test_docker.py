"""The Dockerfile, read without docker; and built where a docker daemon answers."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from demo.settings import Settings, format_variable
from tests.space.folder import ROOT
from tests.space.variants import SERVED

BUILD_SECONDS: Final = 1500
# Each instruction with its arguments, lines that a backslash joins being one.
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
FOUND: Final = re.findall(r"^([A-Z]+) (.*)$", DOCKERFILE, re.MULTILINE)
INSTRUCTIONS: Final = [(name, " ".join(rest.split())) for name, rest in FOUND]


def find(name: str) -> list[str]:
    """The arguments of every instruction of this name."""
    return [arguments for each, arguments in INSTRUCTIONS if each == name]


def list_copied() -> list[str]:
    return [name for each in find("COPY") if not each.startswith("--from=") for name in each.split()[:-1]]


def has_docker() -> bool:
    """Whether a daemon answers; a client alone builds nothing."""
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def test_what_the_image_copies_is_there_and_is_not_ignored() -> None:
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(list_copied()) == sorted(allowed)
    assert all((ROOT / name).exists() for name in allowed)


def test_the_image_has_every_file_that_a_server_needs() -> None:
    assert {*SERVED, "README.md"} <= set(list_copied())


def test_the_image_installs_what_make_installs() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\n.venv/run.stamp:")[2].partition("\n\n")[0]
    installed = " ".join(each for each in find("RUN") if "pip install" in each)
    for text in (recipe, installed):
        assert set(re.findall(r"--requirement ([\w.-]+)", text)) == {
            "requirements.lock",
            "requirements-model.txt",
            "requirements-torch.txt",
        }


def test_the_image_has_a_python_that_the_app_runs_on() -> None:
    versions = {re.fullmatch(r"python:(3)\.(\d+)-slim(?: AS \w+)?", image) for image in find("FROM")}
    assert all(found and 11 <= int(found[2]) <= 14 for found in versions)  # as the Makefile


def test_the_server_does_not_run_as_root_nor_as_a_child_of_a_shell() -> None:
    (user,) = find("USER")
    assert any(re.search(rf"useradd .*--uid [1-9]\d* {user}$", each) for each in find("RUN"))
    (entry,) = find("ENTRYPOINT")
    assert json.loads(entry) == ["python", "app.py"]  # it gets the signals itself
    order = [name for name, _ in INSTRUCTIONS]
    assert order.index("USER") > max(place for place, name in enumerate(order) if name in ("COPY", "RUN"))


def test_the_port_is_the_default_and_is_the_one_whose_health_is_asked() -> None:
    variables = dict(each.split("=", 1) for line in find("ENV") for each in line.split())
    port = format_variable(Settings.__dataclass_fields__["port"])
    assert find("EXPOSE") == [variables[port]] == [str(Settings().port)]
    (health,) = find("HEALTHCHECK")
    assert port in health
    assert "/health" in health
    compile(json.loads(health.partition("CMD ")[2])[2], "HEALTHCHECK", "exec")


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_image_is_built_and_becomes_healthy(tmp_path: Path) -> None:
    if not has_docker():
        return  # nothing here can build it: the tests above read it
    subprocess.run(["docker", "build", "--quiet", "--iidfile", tmp_path / "id", ROOT], check=True)
    container = run_docker("run", "--detach", "--rm", (tmp_path / "id").read_text())
    try:
        while (health := run_docker("inspect", "--format", "{{.State.Health.Status}}", container)) == "starting":
            time.sleep(1)
        assert health == "healthy"
    finally:
        run_docker("kill", container)


def run_docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()
