"""The processor's instructions as GGML's build names them: `python -m demo.bench.peers.instructions` prints CMAKE_ARGS.

A build for "this processor" asks the compiler, who may assume what a virtual machine lacks (AMX) and end in an illegal
instruction. The kernel's list is what there is.
"""

from collections.abc import Set
from pathlib import Path

_OPTIONS = {
    "GGML_SSE42": {"sse4_2"},
    "GGML_AVX": {"avx"},
    "GGML_AVX2": {"avx2"},
    "GGML_BMI2": {"bmi2"},
    "GGML_FMA": {"fma"},
    "GGML_F16C": {"f16c"},
    "GGML_AVX_VNNI": {"avx_vnni"},
    "GGML_AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"},
    "GGML_AVX512_VBMI": {"avx512vbmi"},
    "GGML_AVX512_VNNI": {"avx512_vnni"},
    "GGML_AVX512_BF16": {"avx512_bf16"},
    "GGML_AMX_TILE": {"amx_tile"},
    "GGML_AMX_INT8": {"amx_int8"},
    "GGML_AMX_BF16": {"amx_bf16"},
}
_LEAN = "-DLLAVA_BUILD=OFF"  # no pictures are asked about


def name_options(flags: Set[str]) -> str:
    """The arguments for a processor with these flags of /proc/cpuinfo; where there are none, GGML chooses."""
    if not flags:
        return _LEAN
    choices = [f"-D{option}={'ON' if needed <= flags else 'OFF'}" for option, needed in _OPTIONS.items()]
    return " ".join([_LEAN, "-DGGML_NATIVE=OFF", *choices])


def read_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """What the kernel says that an x86 processor can do; nothing elsewhere."""
    if not cpuinfo.is_file():
        return set()
    lines = cpuinfo.read_text().splitlines()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


if __name__ == "__main__":
    print(name_options(read_flags()))
