"""Llama kernels for x86-64, JIT-compiled by numba. They take raw addresses and scalars.

The machine code is kept in a folder of the app's cache, keyed by the sources of this package, unless it was compiled
ahead of time (`levels`).
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import binding

from demo.engines.local.loading.cache_dir import cache_dir
from demo.engines.local.runners.cpu_llama.kernels.levels import find_level, level_dir, use_level

Function = TypeVar("Function", bound=Callable[..., Any])

NEEDED = {"avx2": "AVX2", "fma": "FMA", "f16c": "F16C"}  # LLVM's names and Intel's

_njit: Any = numba.njit
_config: Any = numba.config
_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

# Compiles a function that only compiled functions call.
compiled: Callable[[Function], Function] = _njit(**_OPTIONS, no_cpython_wrapper=True)
# Compiles a function into each of its callers, which takes less time than a function of its own.
inlined: Callable[[Function], Function] = _njit(**_OPTIONS, inline="always")


def find_missing_kernels() -> str:
    """Why the kernels cannot run on this machine; empty where they can."""
    if sys.platform != "linux":
        return f"its kernels are made for Linux, not for {sys.platform}"
    missing = [name for feature, name in NEEDED.items() if not has_feature(feature)]
    return f"this processor has no {missing[0]}" if missing else ""


def has_feature(name: str) -> bool:
    """Whether numba compiles for a processor with this feature; `name` is LLVM's."""
    features = binding.get_host_cpu_features().flatten() if _config.CPU_FEATURES is None else _config.CPU_FEATURES
    return f"+{name}" in features.split(",")


def entry(function: Function) -> Function:
    """Compile a function that Python calls. It runs without the GIL."""
    made: Function
    try:
        made = _njit(**_OPTIONS, cache=True)(function)
    except RuntimeError:  # numba can write to no cache folder
        made = _njit(**_OPTIONS)(function)
    return made


def kernel_cache_dir() -> Path:
    """The folder of the machine code that is compiled at the first start."""
    return cache_dir() / f"compiled-{digest_sources()}"


def digest_sources() -> str:
    """A digest of this package's files: numba itself notices changes in the file of an entry function alone."""
    sources = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16]


def _choose_cache() -> None:
    _config.CACHE_DIR = str(kernel_cache_dir())
    features = {name for name, present in binding.get_host_cpu_features().items() if present}
    if (level := find_level(features)) and (folder := level_dir(level, digest_sources())).is_dir():
        use_level(level, folder)


if not _config.CACHE_DIR:
    _choose_cache()
