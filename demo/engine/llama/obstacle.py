"""What stands in the way of answering from a GGUF file as it is stored, in words. Reads no weights."""

import struct
from pathlib import Path

from demo.engine.llama.gguf import GgufFile, read_shape
from demo.engine.llama.linear import find_missing_kernels


def find_obstacle(gguf: Path) -> str:
    """What stands in the way of the fast path for this file on this machine; empty where nothing."""
    try:
        file = GgufFile(gguf)
        return _find_stranger(file) or _find_misfit(file) or (find_missing_kernels() if file.is_packed else "")
    except KeyError as error:
        return f"the file does not say its {error.args[0]}"
    except (OSError, ValueError, TypeError, RuntimeError, struct.error) as error:
        return f"the file can't be read as it is ({_shorten(error)})"


def _find_stranger(file: GgufFile) -> str:
    """What is no part of the Llamas that `build_llama` builds."""
    if (architecture := file.metadata["general.architecture"]) != "llama":
        return f"{architecture} is not of the Llama family"
    if file.metadata.get("llama.rope.scaling.type", "none") != "none":
        return "it scales its rotary embeddings"
    if file.metadata.get("llama.expert_count", 0):
        return "it is a mixture of experts"
    if any(name.endswith(".bias") for name in file.shapes()):
        return "its projections have biases"
    if "tokenizer.chat_template" not in file.metadata:
        return "it has no chat template"
    return ""


def _find_misfit(file: GgufFile) -> str:
    """What is missing or has another shape than the metadata say."""
    shapes = file.shapes()
    for name, shape in _list_shapes(file).items():
        if name not in shapes:
            return f"it has no {name}"
        if shapes[name] != shape:
            return f"its {name} is not of the shape that its metadata tell"
    return "" if file.is_whole else "the file ends before its weights do"


def _list_shapes(file: GgufFile) -> dict[str, tuple[int, ...]]:
    """The shape that each tensor must have."""
    shape, mlp = read_shape(file.metadata), file.metadata["llama.feed_forward_length"]
    hidden, queries, keys = shape.hidden, shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    table = (len(file.metadata["tokenizer.ggml.tokens"]), hidden)
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (hidden,),
        "attn_q": (queries, hidden),
        "attn_k": (keys, hidden),
        "attn_v": (keys, hidden),
        "attn_output": (hidden, queries),
        "ffn_norm": (hidden,),
        "ffn_gate": (mlp, hidden),
        "ffn_up": (mlp, hidden),
        "ffn_down": (hidden, mlp),
    }
    layers = {f"blk.{n}.{part}.weight": each for n in range(shape.layers) for part, each in layer.items()}
    head = {"output.weight": table} if "output.weight" in file else {}
    return {"token_embd.weight": table, "output_norm.weight": (hidden,)} | head | layers


def _shorten(error: Exception) -> str:
    """The first sentence of what is said."""
    return str(error).partition(". ")[0].rstrip(".")
