"""The environment of every system under test: the same weights, the number of threads, a folder for logs."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gguf import GGUFReader

from demo.bench.sample import MeasurementError
from tests.comparison.systems.process import ROOT
from tests.comparison.systems.requantize import Q4_0, Q4_1, requantize

AS_STORED: Final = f"{Q4_1}, as stored"
NOT_NAMED: Final = "not named"
# Bytes of one weight in each data type that `--peer` can name.
WEIGHT_BYTES: Final[Mapping[str, float]] = {"float32": 4, "float16": 2, "bfloat16": 2, "Q8_0": 34 / 32}
DTYPES: Final = ("stored", Q4_0, *WEIGHT_BYTES)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights in one data type: a file or a folder, and its size in bytes; None: not known."""

    dtype: str
    path: Path
    size: int | None


@dataclass(frozen=True, slots=True)
class Environment:
    """The embedded model, the threads of each system, and the folder of the logs."""

    gguf: Path
    threads: int
    logs: Path

    def prepare(self, dtype: str) -> Weights:
        """The weights for a system that is started here: stored, Q4_0 or float32."""
        if dtype == "stored":
            return Weights(AS_STORED, self.gguf, self.gguf.stat().st_size)
        if dtype == Q4_0:
            file = requantize(self.gguf, self.logs)
            return Weights(Q4_0, file, file.stat().st_size)
        folder = _convert(self.gguf)
        return Weights("float32", folder, sum(file.stat().st_size for file in folder.glob("*.safetensors")))

    def describe(self, dtype: str | None) -> Weights:
        """The weights of a server that was started elsewhere; without a data type their size is not known."""
        if dtype is None:
            return Weights(NOT_NAMED, self.gguf, None)
        if dtype in WEIGHT_BYTES:
            return Weights(dtype, self.gguf, round(WEIGHT_BYTES[dtype] * _count_weights(self.gguf)))
        return self.prepare(dtype)


@cache
def _count_weights(gguf: Path) -> int:
    return sum(int(tensor.n_elements) for tensor in GGUFReader(gguf).tensors)


@cache
def _convert(gguf: Path) -> Path:
    """The folder in the app's own cache; converted by transformers if it is missing.

    In a subprocess, so that the client does not hold torch and transformers in memory while it measures.
    """
    command = [sys.executable, "-m", "demo.engines.local.loading.conversion", str(gguf)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise MeasurementError(f"The weights can't be converted for transformers: {last[0]}")
    return Path(ended.stdout.splitlines()[-1])
