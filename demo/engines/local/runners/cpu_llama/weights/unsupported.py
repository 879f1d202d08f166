"""Opens a GGUF file or a folder of safetensors, or says why the CPU kernels cannot run its model. Reads no weights."""

from pathlib import Path

from safetensors import SafetensorError

from demo.engines.local.runners.cpu_llama.architectures.architecture import Unsupported
from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, find_head
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile

FREQUENCIES = {"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"}
HEAD_NORMS = ("attn_q_norm", "attn_k_norm")
UNREADABLE = (OSError, ValueError, TypeError, RuntimeError, SafetensorError)


def open_checkpoint(place: Path) -> tuple[Checkpoint | None, str]:
    """The model in this file or folder; or None, and why it cannot be run as it is stored on this machine.

    Raises ModelError where a part of a split file is missing: no other runner can load it either.
    """
    try:
        checkpoint = _open(place)
        checkpoint.check()
        if missing := find_missing_kernels():
            raise Unsupported(missing)
        _check_shapes(checkpoint)
    except Unsupported as error:
        return None, str(error)
    except KeyError as error:
        return None, f"the file has no {error.args[0]}"
    except UNREADABLE as error:
        first_sentence = " ".join(str(error).partition(". ")[0].split()).rstrip(".")
        return None, f"the file can't be read as it is ({first_sentence})"
    return checkpoint, ""


def _open(place: Path) -> Checkpoint:
    if not place.is_dir():
        return GgufFile(place)
    # Imported here, since it imports transformers, which takes a second: a GGUF file does without.
    from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder

    return LlamaFolder(place)


def _check_shapes(checkpoint: Checkpoint) -> None:
    """Raise Unsupported where a tensor differs from a plain Llama's, or can't be split into the kernels' vectors."""
    shapes = _list_shapes(checkpoint)
    for name, expected in shapes.items():
        found, stored_name = checkpoint.tensor_shape(name), checkpoint.tensor_name(name)
        if found is None:
            raise Unsupported(f"it has no {stored_name}")
        if found != expected:
            raise Unsupported(f"the shape of its {stored_name} is not the one that its metadata name")
    tensors = checkpoint.tensors if isinstance(checkpoint, GgufFile) else {}  # of a folder, transformers ignores others
    if unused := tensors.keys() - {checkpoint.tensor_name(name) for name in shapes} - FREQUENCIES:
        raise Unsupported(f"it has {min(unused)}, which is no part of a plain {checkpoint.architecture.gguf}")
    shape = checkpoint.shape
    sizes = {"hidden vectors": shape.hidden, "heads": shape.heads * shape.head_size, "feed-forward vectors": shape.mlp}
    for name, length in sizes.items():
        if length % LANES:
            raise Unsupported(f"its {name} have {length} numbers, which is no multiple of {LANES}")


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
    layer |= {f"{norm}.weight": (shape.head_size if norm in HEAD_NORMS else hidden,) for norm in architecture.norms}
    layers = {f"blk.{n}.{part}": each for n in range(shape.layers) for part, each in layer.items()}
    return {"token_embd.weight": table, find_head(checkpoint): table, "output_norm.weight": (hidden,)} | layers
