"""Kernels compiled ahead of time, for x86-64 processors of two levels, in files beside the sources.

A Space and a container start on processors that are not known when they are built, and lose what they compile when they
restart. numba keeps machine code by the exact processor and by the path of its source; here it is kept by level and
content. Knows no kernel: `python -m demo.engines.local.runners.cpu_llama.kernels ahead` compiles them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numba
from numba.core.caching import UserProvidedCacheLocator

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE / "compiled"
_config: Any = numba.config


@dataclass(frozen=True, slots=True)
class Level:
    """A group of processors; LLVM's names of a processor and its features."""

    name: str
    cpu: str
    features: tuple[str, ...]


_AVX2: Final = (
    *("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt"),
    *("sse", "sse2", "sse3", "ssse3", "sse4.1", "sse4.2"),
)
_AVX512: Final = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vnni")
# The fastest first. "x86-64-v3" and "v4" are the levels of the x86-64 psABI; VNNI is not in "v4".
LEVELS: Final = (Level("avx512vnni", "x86-64-v4", (*_AVX2, *_AVX512)), Level("avx2", "x86-64-v3", _AVX2))


def find_level(features: Set[str]) -> Level | None:
    """The fastest level that a processor with these features belongs to."""
    return next((level for level in LEVELS if features >= set(level.features)), None)


def level_dir(level: Level, digest: str) -> Path:
    """Where the machine code of sources with this digest is, by what else it depends on."""
    python = f"{sys.implementation.cache_tag}-numba-{numba.__version__}"
    return FOLDER / f"{digest}-{python}-{level.name}"


def use_level(level: Level, folder: Path) -> None:
    """Let numba take the kernels from `folder`, and compile whatever else for the same processor."""
    _config.CPU_NAME, _config.CPU_FEATURES = level.cpu, write_features(level)
    AheadOfTime.folder = folder
    _config.CACHE_LOCATOR_CLASSES = f"{AheadOfTime.__module__}.{AheadOfTime.__qualname__},UserProvidedCacheLocator"


def write_features(level: Level) -> str:
    """As LLVM takes them: `+avx,+avx2`."""
    return ",".join(f"+{each}" for each in level.features)


class AheadOfTime(UserProvidedCacheLocator):
    """Where numba finds the machine code of this package's functions: in a folder that is only read."""

    folder = FOLDER

    def get_cache_path(self) -> str:
        """The folder of the machine code, wherever the sources are."""
        return str(self.folder)

    def ensure_cache_path(self) -> None:
        """Nothing: the folder belongs to whoever installed the app."""

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "AheadOfTime | None":
        """A locator of a function of this package; None for others."""
        return cls(function, file) if Path(file).parent == HERE else None


def compile_ahead(module: str, digest: str) -> None:
    """Compile `module`'s kernels for every level, each in a process of its own: numba has one target a process."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for level in LEVELS:
        folder = level_dir(level, digest)
        folder.mkdir(parents=True)
        with TemporaryDirectory() as cache:
            target = {"NUMBA_CPU_NAME": level.cpu, "NUMBA_CPU_FEATURES": write_features(level)}
            environment = {**os.environ, **target, "NUMBA_CACHE_DIR": cache}
            subprocess.run([sys.executable, "-m", module], env=environment, check=True)
            for path in Path(cache).rglob("*.nb[ci]"):
                shutil.copy(path, folder)
