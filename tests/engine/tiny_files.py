"""Random two-layer Llamas on disk: as a folder, and as a GGUF file with tokenizer and chat template inside."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

from tests.engine.tiny import EOS, TEMPLATE, make_network, make_tokenizer

HIDDEN, HEADS, KV_HEADS, MLP, LAYERS, CONTEXT = 32, 4, 2, 64, 2, 512
MERGED = "ab"  # transformers asks for one merge at least


def save_folder(folder: Path, with_template: bool = True) -> Path:
    """A folder as `save_pretrained` leaves it."""
    tokenizer = make_tokenizer()
    if not with_template:
        tokenizer.chat_template = None
    make_network().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_gguf(path: Path, seed: int = 0) -> Path:
    """Write the file; other seeds give other weights."""
    writer = GGUFWriter(path, "llama")
    _add_shape(writer)
    words = _add_vocabulary(writer)
    _add_weights(writer, words, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_shape(writer: GGUFWriter) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(10000.0)


def _add_vocabulary(writer: GGUFWriter) -> int:
    ids = make_tokenizer().get_vocab()
    words = [*sorted(ids, key=lambda word: ids[word]), MERGED]
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL if word.startswith("<|") else TokenType.NORMAL for word in words])
    writer.add_token_merges([" ".join(MERGED)])
    writer.add_bos_token_id(ids[EOS])
    writer.add_eos_token_id(ids[EOS])
    writer.add_chat_template(TEMPLATE)
    return len(words)


def _add_weights(writer: GGUFWriter, words: int, random: np.random.Generator) -> None:
    kv = KV_HEADS * HIDDEN // HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd": (words, HIDDEN),
        "output_norm": (HIDDEN,),
        "output": (words, HIDDEN),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm": (HIDDEN,),
            f"blk.{layer}.attn_q": (HIDDEN, HIDDEN),
            f"blk.{layer}.attn_k": (kv, HIDDEN),
            f"blk.{layer}.attn_v": (kv, HIDDEN),
            f"blk.{layer}.attn_output": (HIDDEN, HIDDEN),
            f"blk.{layer}.ffn_norm": (HIDDEN,),
            f"blk.{layer}.ffn_gate": (MLP, HIDDEN),
            f"blk.{layer}.ffn_up": (MLP, HIDDEN),
            f"blk.{layer}.ffn_down": (HIDDEN, MLP),
        }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(size=shape).astype(np.float32))
