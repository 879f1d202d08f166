"""The GPU figures run on a CPU too, with a tiny network; without a GPU the error is one sentence."""

import pytest
import torch

from tests.engines.local.tiny import LLAMA
from tests.figures import gpu
from tests.figures.gpu import Scale, count_bytes, make_network, measure

TINY = Scale(rows=(1, 2), short=4, tokens=6, long=12, rounds=1, buffer=1 << 20, paged_memory=0.02, paged_tokens=64)


def test_every_figure_is_measured_for_every_number_of_rows() -> None:
    figures = {each.name: each for each in measure(make_network(LLAMA, "cpu", torch.float32), TINY, False)}
    expected = {"memory bandwidth", "captured, TTFT of 12 tokens", "bare forward of 12 tokens"}
    for rows in TINY.rows:
        expected |= {f"captured, {rows} rows, {what}" for what in ("decode", "bytes over bandwidth", "with prompts")}
        expected |= {f"transformers {what}, {rows} rows" for what in ("generate, eager", "continuous batching")}
    assert expected <= figures.keys()
    assert all(figure.value > 0 for figure in figures.values())
    rate, bound, share = (
        figures[f"captured, 2 rows, {what}"].value for what in ("decode", "bytes over bandwidth", "share of it reached")
    )
    assert share == pytest.approx(100 * rate / bound)


def test_a_step_reads_each_weight_once_and_the_keys_and_values_of_each_row() -> None:
    network = make_network(LLAMA, "cpu", torch.bfloat16)
    weights = 2 * sum(parameter.numel() for parameter in network.parameters())
    of_a_token = 2 * 2 * 2 * 8 * 2  # keys and values, layers, heads, size, bytes
    assert count_bytes(network, rows=3, columns=10) == weights + 30 * of_a_token


def test_without_a_gpu_the_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="need a GPU that CUDA can use: run them on a machine that has one"):
        gpu.main()
