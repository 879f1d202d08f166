import sys
from pathlib import Path

from tests.space.folder import ROOT
from tests.space.front_matter import split_readme
from tests.space.platform import find_python, write_environment
from tests.space.variants import write_torch

OTHERS = {"HOME", "PATH", "SYSTEM", "ACCELERATOR", "CPU_CORES", "MEMORY"}
FIELDS, _ = split_readme((ROOT / "README.md").read_text("utf-8"))


def test_a_python_that_is_not_here_is_replaced_by_one_that_is() -> None:
    python, is_wanted = find_python("3.99.1")
    assert Path(python).name == "python3"
    assert not is_wanted


def test_a_space_gets_the_platforms_variables_and_none_of_this_process(tmp_path: Path) -> None:
    environment = write_environment(FIELDS, tmp_path, Path(sys.executable))
    assert environment["HOME"] == str(tmp_path)
    assert environment["SYSTEM"] == "spaces"
    assert all(name.startswith(("SPACE_", "GRADIO_", "TQDM_", "PYTHON")) for name in environment.keys() - OTHERS)


def test_another_torch_replaces_the_one_line_that_names_it() -> None:
    assert write_torch("accelerate>=1\ntorch>=2.8\ntorchao>=1\n", "torch==2.13.0") == (
        "accelerate>=1\ntorch==2.13.0\ntorchao>=1\n"
    )
