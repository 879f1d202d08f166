"""Products with matrices as they are stored, against products with their weights as gguf's own reader unpacks them."""

from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from torch import Tensor
from torch.nn.functional import linear

from demo.engines.local.runners.cpu_llama.kernels import entry
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP, GROUP_BYTES, quantize_q8
from demo.engines.local.runners.cpu_llama.kernels.matmul import BFLOAT16, FLOAT16, FLOAT32, Q4, Q8, Q8_OFFSET, matmul
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix
from tests.engines.local.tiny_files import Recipe, write_gguf
from tests.engines.local.tiny_weights import (
    EIGHT_BIT_FORMS,
    EXACT_FORMS,
    FIVE_BIT_FORMS,
    FOUR_BIT_FORMS,
    PLAIN_FORMS,
    ROUNDED_FORMS,
)

NAME = "blk.0.ffn_gate.weight"
FORMS = {"F32": FLOAT32, "F16": FLOAT16, "BF16": BFLOAT16}
PACKED = {Q4: FOUR_BIT_FORMS, Q8_OFFSET: FIVE_BIT_FORMS, Q8: EIGHT_BIT_FORMS}
ROUNDING = 0.01  # of vectors to eight bits, beside a product with them


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forms")


def read_matrix(folder: Path, form: str, name: str = NAME) -> tuple[Matrix, Tensor]:
    """A matrix [512, 256] of that quantization type: as the kernels have it, and in float32."""
    path = folder / f"{form}.gguf"
    if not path.exists():
        write_gguf(path, Recipe(form=form, hidden=256))
    (stored,) = (tensor for tensor in GGUFReader(path).tensors if tensor.name == name)
    exact = torch.from_numpy(dequantize(stored.data, stored.tensor_type).copy())
    return GgufFile(path).pack(name), exact


def make_vectors(rows: int) -> Tensor:
    return torch.randn(rows, 256, generator=torch.Generator().manual_seed(rows))


@entry
def call_matmul(
    qtype: int, tiles: int, count: int, size: int, columns: int, inputs: int, stride: int, tokens: int, out: int
) -> None:
    for x in range(inputs, inputs + stride * tokens, stride):
        quantize_q8(x, columns, x + 4 * columns)
    for number in range(count):
        at = out + 4 * LANES * number
        matmul(qtype, tiles + size * number, columns, inputs, stride, tokens, at, 4 * LANES * count)


def multiply_by(matrix: Matrix, x: Tensor) -> Tensor:
    """float32 [tokens, rows]."""
    qtype, padded, columns, tiles, size, _ = matrix.describe()
    groups = torch.empty(len(x), columns // GROUP * GROUP_BYTES // 4)
    inputs = torch.cat([x, groups], dim=1)
    out = torch.full((len(x), padded), torch.nan)
    stride = 4 * inputs.stride(0)
    call_matmul(qtype, tiles, padded // LANES, size, columns, inputs.data_ptr(), stride, len(x), out.data_ptr())
    return out[:, : matrix.rows]


def distance(ours: Tensor, exact: Tensor) -> float:
    """How far it is, beside how large it is."""
    return float((ours - exact).norm() / exact.norm())


def round_vectors(x: Tensor) -> Tensor:
    """Vectors, quantized to 8 bits and back."""
    groups = x.unflatten(-1, (-1, GROUP))
    scales = groups.abs().amax(dim=-1, keepdim=True) / 127
    rounded: Tensor = ((groups / scales).round() * scales).flatten(1)
    return rounded


@pytest.mark.parametrize("form", EXACT_FORMS)
def test_packed_values_are_multiplied_as_stored(form: str, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    assert form in PACKED[matrix.qtype]
    x = make_vectors(9)
    assert distance(multiply_by(matrix, x), linear(x, exact)) < ROUNDING
    # Scales and minima of these forms are products, which are rounded to float16.
    assert distance(multiply_by(matrix, x), linear(round_vectors(x), exact)) < (1e-3 if form.endswith("_K") else 1e-5)


@pytest.mark.parametrize("form", ROUNDED_FORMS)
def test_other_packed_forms_are_rounded_to_eight_bits_a_group(form: str, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    assert matrix.qtype == Q8
    x = make_vectors(9)
    # Half a step of 1/127 of a group's greatest weight, at most, and the scale in float16.
    groups = exact.unflatten(-1, (-1, GROUP))
    steps = groups.abs().amax(dim=-1, keepdim=True).expand_as(groups) / 127
    assert (
        distance(multiply_by(matrix, x), linear(round_vectors(x), exact))
        < float(steps.norm() / exact.norm()) / 2 + 1e-3
    )


@pytest.mark.parametrize("form", PLAIN_FORMS)
@pytest.mark.parametrize("tokens", [1, 8, 101])
def test_plain_numbers_are_multiplied_as_exactly_as_float32_allows(form: str, tokens: int, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    assert matrix.qtype == FORMS[form]
    x = make_vectors(tokens)
    assert distance(multiply_by(matrix, x), linear(x, exact)) < 1e-6


@pytest.mark.parametrize("form", ["Q4_1", "Q5_1", "Q8_0", *PLAIN_FORMS])  # one of each quantization type of the kernels
def test_a_vector_gets_the_same_alone_and_among_others(form: str, folder: Path) -> None:
    matrix, _ = read_matrix(folder, form)
    for tokens in (2, 3, 4, 9):
        x = make_vectors(tokens)
        together = multiply_by(matrix, x)
        for token in range(tokens):
            assert torch.equal(multiply_by(matrix, x[token : token + 1])[0], together[token])


@pytest.mark.parametrize("form", ["Q4_K", "Q5_1", "Q6_K", "Q8_0", "BF16"])
def test_a_matrix_with_an_incomplete_tile_is_multiplied_in_full(form: str, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form, "output.weight")
    assert len(exact) % LANES != 0
    x = make_vectors(3)
    assert multiply_by(matrix, x).shape == (3, len(exact))
    assert distance(multiply_by(matrix, x), linear(x, exact)) < 2 * ROUNDING


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("form", ["Q4_1", "Q5_1", "Q8_0", *PLAIN_FORMS])
@pytest.mark.parametrize("tokens", [1, 6])
def test_the_product_of_a_vector_that_is_not_finite_is_not_finite_and_changes_no_other(
    number: float, form: str, tokens: int, folder: Path
) -> None:
    matrix, _ = read_matrix(folder, form)
    x = make_vectors(tokens)
    expected = multiply_by(matrix, x)
    x[-1, 200] = number
    broken = multiply_by(matrix, x)
    assert not broken[-1].isfinite().any()
    assert torch.equal(broken[:-1], expected[:-1])


@pytest.mark.parametrize("form", ["Q4_1", "Q5_1", "Q8_0"])
def test_a_vector_of_zeros_gives_zeros(form: str, folder: Path) -> None:
    matrix, _ = read_matrix(folder, form)
    assert torch.equal(multiply_by(matrix, torch.zeros(5, 256)), torch.zeros(5, 512))
