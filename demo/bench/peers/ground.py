"""What every contestant stands on: the same weights, in a form that it can read, threads, a folder for its words."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import demo
from demo.bench.sample import Unmeasured

ROOT = Path(demo.__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights in one form: a file or a folder, and their bytes, each of which a token reads."""

    form: str
    place: Path
    size: int


@dataclass(frozen=True, slots=True)
class Ground:
    """The embedded model, as many threads as a model may have, and where processes leave what they say."""

    gguf: Path
    threads: int
    logs: Path

    def stored(self) -> Weights:
        """As the GGUF file packs them."""
        return Weights("as stored", self.gguf, self.gguf.stat().st_size)

    def dequantise(self) -> Weights:
        """As plain numbers. Raises Unmeasured where they can't be had."""
        folder = _convert(self.gguf)
        return Weights("float32", folder, sum(file.stat().st_size for file in folder.glob("*.safetensors")))


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
