"""The embedded model's tokenizer as the hub's cache holds it: tools load one, by the model's name, before they ask.

What they count comes from the server's `usage`; without this they would fetch the tokenizer.
"""

import json
from pathlib import Path
from typing import Final

from demo.engines.local.loading.gguf_split import read_model
from demo.engines.local.loading.gguf_tokenizer import GgufTokenizer, load_tokenizer

REVISION: Final = "embedded"
CONFIG: Final = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}


def write_hub_cache(folder: Path, model: str, gguf: Path) -> dict[str, str]:
    """Write the tokenizer of the file `gguf` under the name `model`; the environment in which it is found."""
    place = folder / f"models--{model.replace('/', '--')}"
    snapshot = place / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(REVISION)
    tokenizer = load_tokenizer(gguf, read_model(gguf).metadata)
    assert isinstance(tokenizer, GgufTokenizer), "the embedded model has another tokenizer"
    config = {**CONFIG, "chat_template": tokenizer.chat_template}
    (snapshot / "tokenizer.json").write_text(tokenizer.serialized)
    (snapshot / "tokenizer_config.json").write_text(json.dumps(config))
    (snapshot / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return {"HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1"}
