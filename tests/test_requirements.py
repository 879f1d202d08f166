"""What is imported is declared, and what is declared is locked."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.test_layers import FILES, ROOT, read_imports

OURS = {"app", "demo", "tests"}
PACKAGES = packages_distributions()
BENCH = ROOT / "tests" / "comparison"
FRAMEWORKS = ROOT / "tests" / "clients" / "frameworks"  # they run in a virtual environment of their own
LOCKS = ("requirements", "requirements-test", "tests/clients/frameworks/requirements")


def read_requirements(name: str) -> dict[str, Requirement]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1].isalpha()]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def read_lock(name: str) -> dict[str, set[Version]]:
    """The versions of each package in a lock: several where they depend on Python or on the platform."""
    found: dict[str, set[Version]] = {}
    for package, version in re.findall(r"^([a-z0-9-]+)==([^ ;\n]+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(Version(version))
    return found


def list_packages(path: Path) -> Iterator[str]:
    """The packages that a file imports from, by their names in a registry."""
    for module in {module.partition(".")[0] for module in read_imports(path)} - OURS - sys.stdlib_module_names:
        yield from map(canonicalize_name, PACKAGES.get(module, [module]))


def list_undeclared(files: list[Path], *declarations: str) -> list[str]:
    """Each file with a package that it imports and that no declaration names."""
    declared = {package for name in declarations for package in read_requirements(name)}
    return [
        f"{path.relative_to(ROOT)}: {each}" for path in files for each in list_packages(path) if each not in declared
    ]


def test_every_package_that_the_app_imports_is_declared() -> None:
    assert not list_undeclared(FILES, "requirements.txt")


def test_every_package_that_the_tests_import_is_declared() -> None:
    files = [path for path in (ROOT / "tests").rglob("*.py") if not {BENCH, FRAMEWORKS} & {*path.parents}]
    assert not list_undeclared(files, "requirements.txt", "requirements-test.txt")


def test_every_package_that_the_comparison_imports_is_declared() -> None:
    files = list(BENCH.rglob("*.py"))
    assert not list_undeclared(files, "requirements.txt", "requirements-test.txt", "requirements-bench.txt")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_what_it_is_made_from(name: str) -> None:
    locked = read_lock(f"{name}.lock") | read_lock("requirements-torch.txt")
    wanted = read_requirements(f"{name}.txt")
    assert not {str(each) for name, each in wanted.items() if not all(map(each.specifier.contains, locked[name]))}


def test_the_tests_run_with_the_packages_that_the_app_runs_with() -> None:
    app, tests = read_lock("requirements.lock"), read_lock("requirements-test.lock")
    assert {name: tests[name] for name in app.keys() & tests} == {name: app[name] for name in app.keys() & tests}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry_and_has_a_hash_of_every_package(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    assert "://" not in text
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z0-9])", text)[1:])
