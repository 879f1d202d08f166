"""The processor's instruction sets as GGML's build options: `python -m tests.comparison.systems.instructions`
prints CMAKE_ARGS.

A native build asks the compiler, which may assume what a virtual machine lacks (AMX): the program then ends with an
illegal instruction. The kernel lists what there is.
"""

from collections.abc import Set
from pathlib import Path

# The options that are named like the kernel's flags.
_NAMED = (
    *("avx", "avx2", "bmi2", "fma", "f16c", "avx_vnni", "avx512_vnni", "avx512_bf16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
)
_OPTIONS = {
    "GGML_SSE42": {"sse4_2"},
    "GGML_AVX512_VBMI": {"avx512vbmi"},
    "GGML_AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"},
    **{f"GGML_{flag.upper()}": {flag} for flag in _NAMED},
}
_NO_IMAGES = "-DLLAVA_BUILD=OFF"


def list_options(flags: Set[str]) -> str:
    """The arguments for a processor with these flags of /proc/cpuinfo; without flags, GGML chooses."""
    if not flags:
        return _NO_IMAGES
    choices = [f"-D{option}={'ON' if needed <= flags else 'OFF'}" for option, needed in _OPTIONS.items()]
    return " ".join([_NO_IMAGES, "-DGGML_NATIVE=OFF", *choices])


def read_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """The flags of an x86 processor; empty elsewhere."""
    if not cpuinfo.is_file():
        return set()
    lines = cpuinfo.read_text().splitlines()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


if __name__ == "__main__":
    print(list_options(read_flags()))
