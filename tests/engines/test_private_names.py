"""Private names of libraries: the engines use each library's in one file, and the installed version has them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

from tests.test_layers import FILES, ROOT, read_imports

ENGINES = [path for path in FILES if path.is_relative_to(ROOT / "demo" / "engines")]
LIBRARIES = {"torch", "numba", "llvmlite", "transformers", "gguf"}
PRIVATE_PACKAGES = ("numba.core",)
LOCAL = "demo/engines/local"
GRAPHS = f"{LOCAL}/runners/transformers/cuda_graphs"
HOMES = {
    f"{GRAPHS}/grouped_attention.py": {"_attn_implementation"},
    f"{GRAPHS}/torch_private.py": {"_C", "_POOL_HANDLE", "_cuda_endAllocateToPool", "_dynamo"},
    f"{LOCAL}/runners/cpu_llama/kernels/levels.py": {"numba.core.caching"},  # its class is a setting of numba's
    f"{LOCAL}/runners/cpu_llama/kernels/simd.py": {"numba.core", "numba.core.typing.templates"},
}


def test_each_librarys_private_names_stand_in_one_file() -> None:
    found = {str(path.relative_to(ROOT)): set(list_private(path)) for path in ENGINES}
    assert {path: names for path, names in found.items() if names} == HOMES


def test_every_name_that_is_imported_from_a_library_is_there() -> None:
    imported = ((name, path) for path in ENGINES for name in read_imports(path))
    names = {name: path for name, path in imported if name.partition(".")[0] in LIBRARIES}
    assert not [f"{path.relative_to(ROOT)} needs {name}" for name, path in names.items() if not is_there(name)]


def test_torch_still_has_the_private_names() -> None:
    import torch

    assert torch._dynamo.maybe_mark_dynamic
    # A build for the CPU leaves it out; its list of names has it.
    names = Path(torch.__file__).with_name("_C") / "__init__.pyi"
    assert "def _cuda_endAllocateToPool(device: " in names.read_text()


def list_private(path: Path) -> Iterator[str]:
    """Names that begin with an underscore, unless they are the object's own or its class's, and private packages."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls") | ast.Call(func=ast.Name(id="super"))):
                continue
            case ast.Attribute(attr=name) if is_private(name):
                yield name
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]) if is_private(name):
                yield name
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] in LIBRARIES:
                yield from (alias.name for alias in names if is_private(alias.name))
                yield from (module for package in PRIVATE_PACKAGES if f"{module}.".startswith(f"{package}."))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def is_there(name: str) -> bool:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
