"""What stands in the way of answering from a GGUF file or a folder of safetensors as it is, in words.

Reads no weights.
"""

from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from demo.engines.local.runners.cpu_llama.kernels.simd import LANES
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, find_head
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile

UNREADABLE = (OSError, ValueError, TypeError, RuntimeError, SafetensorError, StrictDataclassError)


def find_unsupported_reason(place: Path) -> str:
    """What stands in the way of the fast path for this file or folder on this machine; empty where nothing.

    Raises ModelError where a part of a split file is missing: no other path can load it either.
    """
    try:
        checkpoint = _open_folder(place) if place.is_dir() else GgufFile(place)
        return (
            checkpoint.find_unsupported_reason()
            or _find_misfit(checkpoint)
            or _find_unused(checkpoint)
            or _find_odd_size(checkpoint.shape)
        )
    except KeyError as error:
        return f"the file does not say its {error.args[0]}"
    except UNREADABLE as error:
        return f"the file can't be read as it is ({_shorten(error)})"


def _open_folder(place: Path) -> Checkpoint:
    # Here, since it takes a second that a GGUF file does without.
    from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder

    return LlamaFolder(place)


def _find_misfit(checkpoint: Checkpoint) -> str:
    """What is missing or has another shape than the metadata say."""
    for name, shape in _list_shapes(checkpoint).items():
        found, stored_name = checkpoint.tensor_shape(name), checkpoint.tensor_name(name)
        if found is None:
            return f"it has no {stored_name}"
        if found != shape:
            return f"its {stored_name} is not of the shape that its metadata tell"
    return ""


def _find_unused(checkpoint: Checkpoint) -> str:
    """What a GGUF file holds besides: of a folder, transformers leaves it out too."""
    if not isinstance(checkpoint, GgufFile):
        return ""
    unused = checkpoint.tensors.keys() - _list_shapes(checkpoint).keys() - {"rope_freqs.weight"}
    return f"it has {min(unused)}, which is no part of a plain Llama" if unused else ""


def _find_odd_size(shape: Shape) -> str:
    """What the kernels can't cut into whole lanes."""
    lengths = {
        "hidden vectors": shape.hidden,
        "heads": shape.heads * shape.head_size,
        "feed-forward vectors": shape.mlp,
    }
    for name, length in lengths.items():
        if length % LANES:
            return f"its {name} have {length} numbers, which is no multiple of {LANES}"
    return ""


def _list_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """The shape that each weight must have."""
    shape = checkpoint.shape
    hidden, queries, keys = shape.hidden, shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    table = (shape.vocabulary, hidden)
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (hidden,),
        "attn_q": (queries, hidden),
        "attn_k": (keys, hidden),
        "attn_v": (keys, hidden),
        "attn_output": (hidden, queries),
        "ffn_norm": (hidden,),
        "ffn_gate": (shape.mlp, hidden),
        "ffn_up": (shape.mlp, hidden),
        "ffn_down": (hidden, shape.mlp),
    }
    layers = {f"blk.{n}.{part}.weight": each for n in range(shape.layers) for part, each in layer.items()}
    return {"token_embd.weight": table, find_head(checkpoint): table, "output_norm.weight": (hidden,)} | layers


def _shorten(error: Exception) -> str:
    """The first sentence of what is said."""
    return " ".join(str(error).partition(". ")[0].split()).rstrip(".")
