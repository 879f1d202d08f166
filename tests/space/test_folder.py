import ast
from dataclasses import replace
from pathlib import Path

import pytest

from demo.engines.local.loading.hub import is_complete
from demo.engines.local.loading.source import HUB_ID_ON_CPU, HUB_ID_ON_GPU
from tests.space.folder import BINARIES, MAX_BYTES, ROOT, build_folder, check_folder, list_served
from tests.space.front_matter import list_faults, split_readme
from tests.space.variants import CPU, FILES, GPU, VARIANTS, ZEROGPU, Variant, write_fields, write_requirements
from tests.test_layers import read_imports

README, _ = split_readme((ROOT / "README.md").read_text("utf-8"))
REQUIREMENTS = (ROOT / "requirements.txt").read_text("utf-8")


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_front_matter_of_every_variant_keeps_the_rules(variant: Variant) -> None:
    assert list_faults(write_fields(variant, README)) == []


def test_each_variant_preloads_the_one_model_that_it_takes() -> None:
    models = {each.name: write_fields(each, README).get("models") for each in VARIANTS if each.has_server}
    assert models == {"zerogpu": [HUB_ID_ON_GPU], "cpu": [HUB_ID_ON_CPU], "gpu": [HUB_ID_ON_GPU]}


def test_what_is_preloaded_is_all_that_a_start_needs_and_none_of_the_other_formats(tmp_path: Path) -> None:
    for name in FILES.split(","):
        (tmp_path / name).touch()
    assert is_complete(tmp_path)
    assert not [name for name in FILES.split(",") if name.endswith((".onnx", ".bin"))]


def test_zerogpu_gets_a_torch_that_it_has_and_its_package() -> None:
    lines = write_requirements(ZEROGPU, REQUIREMENTS).splitlines()
    assert "torch>=2.8,<2.12" in lines
    assert any(line.startswith("spaces") for line in lines)


def test_what_is_resolved_for_zerogpu_is_what_its_variant_asks_for() -> None:
    resolved = (ROOT / "tests" / "zerogpu-requirements.txt").read_text("utf-8").splitlines()
    assert [ZEROGPU.torch, *ZEROGPU.packages] == [line for line in resolved if not line.startswith("#")]


def test_kernels_compiled_ahead_come_with_the_numba_that_compiled_them() -> None:
    assert "\nnumba==" in write_requirements(CPU, REQUIREMENTS)
    assert "\nnumba==" not in write_requirements(GPU, REQUIREMENTS)


def test_requirements_without_the_line_that_a_variant_changes_are_refused() -> None:
    with pytest.raises(ValueError, match="has 0 lines for torch"):
        write_requirements(ZEROGPU, "numpy\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server, without its kernels: to compile them takes 20 seconds."""
    path = tmp_path_factory.mktemp("space") / "cpu"
    build_folder(replace(CPU, compiles=False), path)
    return path


def test_a_folder_is_ready_to_be_pushed(folder: Path) -> None:
    assert check_folder(folder) == []


def test_a_folder_has_every_module_that_its_modules_import(folder: Path) -> None:
    modules = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py")}
    missing = [
        f"{path.relative_to(folder)} imports {name}"
        for path in folder.rglob("*.py")
        for name in read_imports(path)
        if name.partition(".")[0] in ("app", "demo", "tests") and not _is_there(name, modules)
    ]
    assert missing == []


def _is_there(module: str, modules: set[str]) -> bool:
    path = module.replace(".", "/")  # of a module, of a package, or of a name in one of them
    return bool({path, f"{path}/__init__", path.rpartition("/")[0], f"{path.rpartition('/')[0]}/__init__"} & modules)


def test_a_folder_has_no_tests_and_every_file_that_a_server_reads(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in list_served() if not name.endswith(".py")} <= names
    assert not [name for name in names if name.startswith("tests/") and not name.endswith("README.md")]
    assert all(ast.parse((folder / name).read_text("utf-8")) for name in names if name.endswith(".py"))


def test_a_binary_file_that_lfs_does_not_hold_is_said(folder: Path) -> None:
    path = folder / "weights.bin"
    path.write_bytes(bytes(8))
    try:
        assert check_folder(folder) == ["weights.bin is binary: add it to LFS"]
    finally:
        path.unlink()


def test_every_kind_of_binary_has_a_pattern(folder: Path) -> None:
    patterns = (folder / ".gitattributes").read_text("utf-8")
    assert all(f"*{ending} filter=lfs" in patterns for ending in BINARIES)


def test_a_folder_that_is_too_large_or_lacks_its_app_is_said(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text((ROOT / "README.md").read_text("utf-8"), "utf-8")
    (tmp_path / "large.txt").write_text("x" * (MAX_BYTES + 1))
    missing, large = check_folder(tmp_path)
    assert "app_file is app.py, which is missing" in missing
    assert "bytes: 10,000,000 at most" in large
