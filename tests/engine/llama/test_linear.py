"""Products with matrices as they are stored, against the same with all that is stored unpacked by gguf's own reader."""

from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from torch import Tensor
from torch.nn.functional import linear

from demo.engine.llama.gguf import GgufFile
from demo.engine.llama.linear import (
    UNPACKED,
    Dense,
    EightBit,
    FourBit,
    Linear,
    SixteenBit,
    find_missing_kernels,
    pack_plain,
)
from tests.engine.tiny_files import Recipe, write_gguf
from tests.engine.tiny_weights import EIGHT_BIT_FORMS, FOUR_BIT_FORMS, PLAIN_FORMS

NAME = "blk.0.ffn_gate.weight"
SIXTEEN_BIT_FORMS = ["F16", "BF16"]
PACKED_FORMS = [*FOUR_BIT_FORMS, *EIGHT_BIT_FORMS]
ROUNDING = 2.0**-9  # bfloat16's, at most, of what is rounded

pytestmark = pytest.mark.skipif(find_missing_kernels() != "", reason=find_missing_kernels())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forms")


def read_matrix(folder: Path, form: str) -> tuple[Linear, Tensor]:
    """A matrix [512, 256] of that form: as the fast path packs it, and in float32."""
    path = folder / f"{form}.gguf"
    if not path.exists():
        write_gguf(path, Recipe(form=form, hidden=256))
    (stored,) = (tensor for tensor in GGUFReader(path).tensors if tensor.name == NAME)
    exact = torch.from_numpy(dequantize(stored.data, stored.tensor_type).copy())
    return GgufFile(path).pack(NAME), exact


def make_vectors(rows: int) -> Tensor:
    return torch.randn(rows, 256, generator=torch.Generator().manual_seed(rows))


def distance(ours: Tensor, exact: Tensor) -> float:
    """How far it is, beside how large it is."""
    return float((ours.float() - exact).norm() / exact.norm())


@pytest.mark.parametrize("form", FOUR_BIT_FORMS)
def test_four_bit_values_are_multiplied_as_stored_but_for_bfloat16_s_rounding(form: str, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    assert isinstance(matrix, FourBit)
    x = make_vectors(8)
    # What is rounded: the vector, each group's scale and zero, and the product.
    assert distance(matrix(x, []), linear(x, exact)) < 4 * ROUNDING


@pytest.mark.parametrize("form", FOUR_BIT_FORMS)
def test_four_bit_values_are_unpacked_to_what_is_stored(form: str, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    x = make_vectors(100)
    allowed = 3 * ROUNDING if UNPACKED.in_bfloat16 else 1e-3  # of Q4_K, scales and minima are rounded to float16
    assert distance(matrix(x, [len(x)]), linear(x, exact)) < allowed


@pytest.mark.parametrize("form", EIGHT_BIT_FORMS)
@pytest.mark.parametrize("rows", [8, 100])
def test_other_packed_forms_are_rounded_to_eight_bits_a_row(form: str, rows: int, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    assert isinstance(matrix, EightBit)
    x = make_vectors(rows)
    product = matrix(x, [rows] if rows > UNPACKED.few else [])
    # Half a step of 1/127 of a row's greatest weight, at most; and what bfloat16 rounds.
    steps = exact.abs().amax(dim=1, keepdim=True) / 127
    allowed = float(steps.expand_as(exact).norm() / exact.norm()) / 2 + 3 * ROUNDING
    assert distance(product, linear(x, exact)) < allowed


def test_plain_numbers_are_multiplied_as_they_are(folder: Path) -> None:
    matrix, exact = read_matrix(folder, "F32")
    assert isinstance(matrix, Dense)
    for rows in (1, 8, 100):
        x = make_vectors(rows)
        assert torch.equal(matrix(x, []), linear(x, exact))
        assert torch.equal(matrix(x, [len(x)]), linear(x, exact))


@pytest.mark.parametrize("form", SIXTEEN_BIT_FORMS)
@pytest.mark.parametrize("rows", [1, 8, 100])
def test_sixteen_bits_are_multiplied_as_exactly_as_if_they_were_thirty_two(form: str, rows: int, folder: Path) -> None:
    matrix, exact = read_matrix(folder, form)
    assert isinstance(matrix, SixteenBit)
    x = make_vectors(rows)
    assert distance(matrix(x, []), linear(x, exact)) < 1e-6
    assert torch.equal(matrix(x, [rows]), matrix(x, []))


@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_numbers_that_float16_cannot_hold_are_multiplied_in_float32(scale: float) -> None:
    stored = (scale * make_vectors(16)).bfloat16()
    matrix, x = pack_plain(stored), make_vectors(3)
    assert isinstance(matrix, Dense)
    assert torch.equal(matrix(x, []), linear(x, stored.float()))


@pytest.mark.parametrize("form", [*PACKED_FORMS, *SIXTEEN_BIT_FORMS])
def test_a_row_gets_the_same_alone_and_among_others(form: str, folder: Path) -> None:
    matrix, _ = read_matrix(folder, form)
    for rows in (2, 3, 8, 33):
        x = make_vectors(rows)
        together = matrix(x, [])
        for row in range(rows):
            assert torch.equal(matrix(x[row : row + 1], [])[0], together[row])


@pytest.mark.parametrize("form", [*PACKED_FORMS, *PLAIN_FORMS])
def test_a_part_gets_what_it_gets_by_itself(form: str, folder: Path) -> None:
    matrix, _ = read_matrix(folder, form)
    parts = [30, 1, 100, 36]
    x = make_vectors(sum(parts))
    for part, product in zip(x.split(parts), matrix(x, parts).split(parts), strict=True):
        assert torch.equal(product, matrix(part, [len(part)]))


@pytest.mark.parametrize("form", FOUR_BIT_FORMS)
def test_a_number_of_rows_that_the_kernel_does_not_take_is_multiplied_all_the_same(form: str, folder: Path) -> None:
    path = folder / f"{form}.gguf"
    read_matrix(folder, form)
    file, x = GgufFile(path), make_vectors(3)
    assert len(file.read("output.weight")) % 16 != 0
    for parts in ([], [3]):
        product = file.pack("output.weight")(x, parts)
        assert distance(product, linear(x, file.read("output.weight"))) < 4 * ROUNDING


@pytest.mark.parametrize("forms", [("Q4_K", "Q6_K", "Q8_0"), ("Q4_0", "F16", "Q5_K"), ("F32", "BF16", "Q4_1")])
def test_matrices_of_different_forms_stand_below_each_other(forms: tuple[str, str, str], folder: Path) -> None:
    path = folder / f"{'-'.join(forms)}.gguf"
    names = [f"blk.0.attn_{part}.weight" for part in "qkv"]
    mixed = dict(zip(("attn_q", "attn_k", "attn_v"), forms, strict=True))
    file = GgufFile(write_gguf(path, Recipe(forms=mixed, hidden=256)))
    exact = torch.cat([file.read(name) for name in names])
    for rows in (5, 100):
        x = make_vectors(rows)
        together = file.pack(*names)
        assert distance(together(x, []), linear(x, exact)) < 0.01
        assert distance(together(x, [len(x)]), linear(x, exact)) < 0.01
