"""Opens a GGUF file or a folder of safetensors, or says why the CPU kernels cannot run its model. Reads no weights."""

from pathlib import Path

from safetensors import SafetensorError

from demo.engines.local.runners.cpu_llama.kernels.simd import LANES
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, find_head
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile

FREQUENCIES = {"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"}
HEAD_NORMS = ("attn_q_norm", "attn_k_norm")
UNREADABLE = (OSError, ValueError, TypeError, RuntimeError, SafetensorError)


def find_unsupported_reason(place: Path) -> str:
    """Why this file or folder cannot be run as it is stored on this machine; empty where it can."""
    return open_checkpoint(place)[1]


def open_checkpoint(place: Path) -> tuple[Checkpoint | None, str]:
    """The model in this file or folder; or None, and why it cannot be run as it is stored on this machine.

    Raises ModelError where a part of a split file is missing: no other runner can load it either.
    """
    try:
        checkpoint = _open(place)
        reason = checkpoint.find_unsupported_reason() or _find_misfit(checkpoint)
    except KeyError as error:
        return None, f"the file has no {error.args[0]}"
    except UNREADABLE as error:
        first_sentence = " ".join(str(error).partition(". ")[0].split()).rstrip(".")
        return None, f"the file can't be read as it is ({first_sentence})"
    return (None, reason) if reason else (checkpoint, "")


def _open(place: Path) -> Checkpoint:
    if not place.is_dir():
        return GgufFile(place)
    # Imported here, since it imports transformers, which takes a second: a GGUF file does without.
    from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder

    return LlamaFolder(place)


def _find_misfit(checkpoint: Checkpoint) -> str:
    """What differs from a plain Llama, or can't be split into the kernels' vectors; empty where nothing does."""
    shapes = _list_shapes(checkpoint)
    for name, expected in shapes.items():
        found, stored_name = checkpoint.tensor_shape(name), checkpoint.tensor_name(name)
        if found is None:
            return f"it has no {stored_name}"
        if found != expected:
            return f"the shape of its {stored_name} is not the one that its metadata name"
    tensors = checkpoint.tensors if isinstance(checkpoint, GgufFile) else {}  # of a folder, transformers ignores others
    if unused := tensors.keys() - {checkpoint.tensor_name(name) for name in shapes} - FREQUENCIES:
        return f"it has {min(unused)}, which is no part of a plain {checkpoint.architecture.gguf}"
    shape = checkpoint.shape
    sizes = {"hidden vectors": shape.hidden, "heads": shape.heads * shape.head_size, "feed-forward vectors": shape.mlp}
    for name, length in sizes.items():
        if length % LANES:
            return f"its {name} have {length} numbers, which is no multiple of {LANES}"
    return ""


def _list_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """The shape that each weight must have."""
    shape = checkpoint.shape
    hidden, queries, keys = shape.hidden, shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    table = (shape.vocabulary, hidden)
    matrices = {
        "attn_q": (queries, hidden),
        "attn_k": (keys, hidden),
        "attn_v": (keys, hidden),
        "attn_output": (hidden, queries),
        "ffn_gate": (shape.mlp, hidden),
        "ffn_up": (shape.mlp, hidden),
        "ffn_down": (hidden, shape.mlp),
    }
    architecture = checkpoint.architecture
    layer: dict[str, tuple[int, ...]] = {f"{part}.weight": each for part, each in matrices.items()}
    layer |= {f"{part}.bias": matrices[part][:1] for part in architecture.biases}
    layer |= {
        f"{part}.weight": (shape.head_size if part in HEAD_NORMS else hidden,)
        for part in architecture.list_norms().values()
    }
    layers = {f"blk.{n}.{part}": each for n in range(shape.layers) for part, each in layer.items()}
    return {"token_embd.weight": table, find_head(checkpoint): table, "output_norm.weight": (hidden,)} | layers
