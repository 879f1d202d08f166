"""Random two-layer Llamas on disk: as a folder, and as a GGUF file with tokenizer and chat template."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from transformers import PreTrainedModel

from demo.engines.local.loading.model import load_model
from demo.engines.local.model import Model
from demo.settings import Settings
from tests.engines.local.tiny import EOS, TEMPLATE, make_network, make_tokenizer
from tests.engines.local.tiny_weights import make_weights

HEADS, KV_HEADS, LAYERS, CONTEXT, EPSILON = 4, 2, 2, 512, 1e-5
MERGED = "ab"  # transformers asks for one merge at least


@dataclass(frozen=True)
class Recipe:
    """The content of a GGUF file. `forms` are GGML's quantization types of single matrices, `form` that of the others.

    Types with blocks of 256 weights need a `hidden` of at least 256. The weights depend on the seed.
    """

    seed: int = 0
    form: str = "F32"
    forms: Mapping[str, str] = field(default_factory=dict)
    hidden: int = 32
    context: int = CONTEXT
    tied: bool = False
    rope_freqs: tuple[float, ...] = ()
    architecture: str = "llama"
    template: str = TEMPLATE
    biases: bool = False
    rotated: int | None = None  # dimensions of each head; None rotates all
    left_out: str = ""
    max_tensors: int = 0  # in each of several files; 0 writes one file
    change: Callable[[GGUFWriter], None] = lambda writer: None

    @property
    def head_size(self) -> int:
        return self.hidden // HEADS


def save_folder(
    folder: Path, network: PreTrainedModel | None = None, template: Any = TEMPLATE, max_shard_size: str = "1GB"
) -> Path:
    """A folder as `save_pretrained` writes it, of a random Llama if no network is given."""
    tokenizer = make_tokenizer(template)
    (network or make_network()).save_pretrained(folder, max_shard_size=max_shard_size)
    tokenizer.save_pretrained(folder)
    return folder


def load(model_id: Path | str, dtype: str = "auto", **settings: Any) -> Model:
    """The model of a file, a folder or the hub, on a CPU."""
    return load_model(Settings(model_id=str(model_id), device="cpu", dtype=dtype, **settings), lambda loading: None)


def change_json(file: Path, **changes: object) -> None:
    """Set some names in a file of JSON; None removes a name."""
    held = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in held.items() if value is not None}))


def keep(share: float) -> Callable[[bytes], bytes]:
    """The beginning of a file's content."""
    return lambda whole: whole[: int(len(whole) * share)]


def damage_file(path: Path, damage: Callable[[bytes], bytes] | None) -> None:
    """Replace a file's content; None removes the file."""
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))


def write_gguf(path: Path, recipe: Recipe | None = None) -> Path:
    recipe = recipe or Recipe()
    writer = GGUFWriter(path, recipe.architecture, split_max_tensors=recipe.max_tensors)
    _add_shape(writer, recipe)
    words = add_vocabulary(writer, recipe.template)
    _add_weights(writer, words, recipe)
    recipe.change(writer)
    write_file(writer)
    return path


def write_file(writer: GGUFWriter) -> None:
    """Write what has been added, and close the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: GGUFWriter, recipe: Recipe) -> None:
    writer.add_context_length(recipe.context)
    writer.add_embedding_length(recipe.hidden)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * recipe.hidden)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(recipe.rotated or recipe.head_size)
    writer.add_rope_freq_base(10000.0)


def add_vocabulary(writer: GGUFWriter, template: str = TEMPLATE) -> int:
    """The words of a tiny model's tokenizer, and its chat template if there is one. Returns how many words."""
    ids = make_tokenizer().get_vocab()
    words = [*sorted(ids, key=lambda word: ids[word]), MERGED]
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL if word.startswith("<|") else TokenType.NORMAL for word in words])
    writer.add_token_merges([" ".join(MERGED)])
    writer.add_bos_token_id(ids[EOS])
    writer.add_eos_token_id(ids[EOS])
    if template:
        writer.add_chat_template(template)
    return len(words)


def _add_weights(writer: GGUFWriter, words: int, recipe: Recipe) -> None:
    random = np.random.default_rng(recipe.seed)
    for name, (rows, columns) in _list_matrices(words, recipe).items():
        form = recipe.forms.get(name.rpartition(".")[2], recipe.form)
        weights = make_weights(form, rows, columns, random)
        writer.add_tensor(f"{name}.weight", weights, raw_dtype=GGMLQuantizationType[form])
        if recipe.biases:
            writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))
    norms = [f"blk.{layer}.{norm}" for layer in range(LAYERS) for norm in ("attn_norm", "ffn_norm")]
    for name in [*norms, "output_norm"]:
        writer.add_tensor(f"{name}.weight", random.normal(1, 0.2, recipe.hidden).astype(np.float32))
    if recipe.rope_freqs:
        writer.add_tensor("rope_freqs.weight", np.array(recipe.rope_freqs, np.float32))


def _list_matrices(words: int, recipe: Recipe) -> dict[str, tuple[int, int]]:
    hidden, mlp, kv = recipe.hidden, 2 * recipe.hidden, KV_HEADS * recipe.head_size
    shapes = {"token_embd": (words, hidden)} | ({} if recipe.tied else {"output": (words, hidden)})
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_q": (hidden, hidden),
            f"blk.{layer}.attn_k": (kv, hidden),
            f"blk.{layer}.attn_v": (kv, hidden),
            f"blk.{layer}.attn_output": (hidden, hidden),
            f"blk.{layer}.ffn_gate": (mlp, hidden),
            f"blk.{layer}.ffn_up": (mlp, hidden),
            f"blk.{layer}.ffn_down": (hidden, mlp),
        }
    return {name: shape for name, shape in shapes.items() if name != recipe.left_out}
