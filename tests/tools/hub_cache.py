"""The embedded model's tokenizer as the hub's cache holds it: tools load one, by the model's name, before they ask.

What they count comes from the server's `usage`; without this they would fetch the tokenizer.
"""

import json
from pathlib import Path
from typing import Final

from demo.engines.local.loading.gguf import read_model
from demo.engines.local.loading.gguf_tokenizer import GgufTokenizer, load_tokenizer
from tests.comparison.systems.requantize import require_embedded

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
CONFIG: Final = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}


def write_hub_cache(folder: Path, model: str) -> dict[str, str]:
    """Write the embedded model's tokenizer under the name `model`; the environment in which it is found."""
    gguf, snapshot = require_embedded(), make_snapshot(folder, model)
    tokenizer = load_tokenizer(gguf, read_model(gguf).metadata)
    assert isinstance(tokenizer, GgufTokenizer), "the embedded model has another tokenizer"
    config = {**CONFIG, "chat_template": tokenizer.chat_template}
    (snapshot / "tokenizer.json").write_text(tokenizer.backend.to_str())
    (snapshot / "tokenizer_config.json").write_text(json.dumps(config))
    (snapshot / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return {"HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1"}


def make_snapshot(hub: Path, model_id: str) -> Path:
    """An empty folder for a model's files, which huggingface_hub finds below `hub`."""
    repository = hub / f"models--{model_id.replace('/', '--')}"
    folder = repository / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return folder
