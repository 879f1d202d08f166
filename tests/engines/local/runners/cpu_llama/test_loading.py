"""A GGUF file is loaded without transformers' models."""

import subprocess
import sys
from pathlib import Path

from tests.engines.local.tiny_files import Recipe, write_gguf

ROOT = Path(__file__).parents[5]
CODE = """
import sys
from demo.engines.local.loading.model import load_model
from demo.request import Message
from demo.settings import Settings

model = load_model(Settings(model_id=sys.argv[1], device="cpu"), lambda loading: None)
assert model.tokenize((Message("user", "hi"),))[0].endswith("<|assistant|>")
assert model.card.dtype == "Q4_1"
print(*(module for module in ("transformers.modeling_utils", "sympy", "torch._dynamo") if module in sys.modules))
"""


def test_a_gguf_file_is_loaded_without_importing_what_takes_seconds(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", Recipe(form="Q4_1", forms={"token_embd": "Q8_0"}, tied=True))
    command = [sys.executable, "-c", CODE, str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "\n"), ended.stderr
