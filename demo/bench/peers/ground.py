"""What every contestant stands on: the same weights, in a form that it can read, threads, a folder for its words."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import demo
from demo.bench.peers.requantize import FORM, STORED, requantize
from demo.bench.sample import Unmeasured

ROOT = Path(demo.__file__).parent.parent
AS_STORED: Final = f"{STORED}, as stored"
NOT_NAMED: Final = "not named"
# Bytes of one weight in each form that a server may be said to read.
WEIGHT_BYTES: Final[Mapping[str, float]] = {"float32": 4, "float16": 2, "bfloat16": 2, "Q8_0": 34 / 32}
DTYPES: Final = ("stored", FORM, *WEIGHT_BYTES)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights in one form: a file or a folder, and their bytes, each of which a token reads; None: not known."""

    form: str
    place: Path
    size: int | None


@dataclass(frozen=True, slots=True)
class Ground:
    """The embedded model, as many threads as a model may have, and where processes leave what they say."""

    gguf: Path
    threads: int
    logs: Path

    def stored(self) -> Weights:
        """As the GGUF file packs them."""
        return Weights(AS_STORED, self.gguf, self.gguf.stat().st_size)

    def requantize(self) -> Weights:
        """In Q4_0, made from those."""
        file = requantize(self.gguf, self.logs)
        return Weights(FORM, file, file.stat().st_size)

    def dequantise(self) -> Weights:
        """As plain numbers. Raises Unmeasured where they can't be had."""
        folder = _convert(self.gguf)
        return Weights("float32", folder, sum(file.stat().st_size for file in folder.glob("*.safetensors")))

    def prepare(self, form: str) -> Weights:
        """In one of the forms in which a peer is started: stored, Q4_0 or float32."""
        return {"stored": self.stored, FORM: self.requantize, "float32": self.dequantise}[form]()

    def describe(self, dtype: str | None) -> Weights:
        """What a server reads that was started elsewhere, by the name of its form; without a name nothing is known."""
        if dtype is None:
            return Weights(NOT_NAMED, self.gguf, None)
        if dtype in WEIGHT_BYTES:
            return Weights(dtype, self.gguf, round(WEIGHT_BYTES[dtype] * _count_weights(self.gguf)))
        return self.prepare(dtype)


@cache
def _count_weights(gguf: Path) -> int:
    from gguf import GGUFReader

    return sum(int(tensor.n_elements) for tensor in GGUFReader(gguf).tensors)


@cache
def _convert(gguf: Path) -> Path:
    """The folder in the app's own cache; converted by transformers where it is not there yet.

    The conversion is the engine's, of which the benchmark knows nothing: a process of its own runs it.
    """
    command = [sys.executable, "-m", "demo.engines.local.loading.conversion", str(gguf)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unmeasured(f"The weights can't be converted for transformers: {last[0]}")
    return Path(ended.stdout.splitlines()[-1])
