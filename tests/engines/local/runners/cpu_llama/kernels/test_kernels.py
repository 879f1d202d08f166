"""The kernels' requirements, and that they compute the same on processors with longer and shorter vectors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels, has_feature
from tests.engines.local.following import follow, make_ids, open_runner
from tests.engines.local.tiny_files import Recipe, write_gguf

# Prints the logits of a model with matrices of all quantization types, after a prompt and a few steps.
FOLLOW = """
import sys
from pathlib import Path
from tests.engines.local.following import follow, make_ids, open_runner
print(follow(open_runner(Path(sys.argv[1])), make_ids(90), make_ids(4, seed=1)).numpy().tobytes().hex())
"""
HASWELL = "+sse2,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2"  # the first with all that is needed
FORMS = {"attn_q": "Q8_0", "attn_k": "F16", "attn_v": "BF16", "ffn_up": "F32", "output": "Q6_K"}


def test_a_processor_with_shorter_vectors_computes_the_same_bits(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "mixed.gguf", Recipe(form="Q4_1", forms=FORMS, hidden=256))
    here = follow(open_runner(file), make_ids(90), make_ids(4, seed=1))
    environment = os.environ | {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": HASWELL}
    ran = subprocess.run([sys.executable, "-c", FOLLOW, str(file)], env=environment, capture_output=True, check=True)
    assert ran.stdout.decode().strip() == here.numpy().tobytes().hex()


@pytest.mark.parametrize(("lacking", "name"), [("avx2", "AVX2"), ("fma", "FMA"), ("f16c", "F16C")])
def test_what_a_processor_lacks_is_named(lacking: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features = ",".join(feature for feature in HASWELL.split(",") if feature != f"+{lacking}")
    monkeypatch.setattr("numba.config.CPU_FEATURES", features)
    assert not has_feature(lacking)
    assert find_missing_kernels() == f"this processor has no {name}"


def test_other_systems_than_linux_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_missing_kernels() == "its kernels are made for Linux, not for darwin"
