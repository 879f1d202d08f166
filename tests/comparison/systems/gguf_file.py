"""A GGUF file of 544 weights in the three quantization types of the embedded one."""

from pathlib import Path

import gguf
import numpy as np

Q4_1, Q8_0, F32 = (gguf.GGMLQuantizationType[name] for name in ("Q4_1", "Q8_0", "F32"))


def write_gguf(folder: Path) -> Path:
    """The file: a matrix, embeddings and a norm."""
    path = folder / "tiny.Q4_1.gguf"
    draw = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_1)
    writer.add_token_list(["one", "zwei", "三"])
    writer.add_rope_freq_base(10000.0)
    for name, rows, form in (("blk.0.attn_q.weight", 8, Q4_1), ("token_embd.weight", 8, Q8_0)):
        values = draw.normal(size=(rows, 32)).astype(np.float32)
        writer.add_tensor(name, gguf.quantize(values, form), raw_dtype=form)
    writer.add_tensor("output_norm.weight", draw.normal(size=32).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
