"""A prompt that is read as a whole, in a captured length, gives what the eager one gives."""

import pytest
import torch

from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.prefill import CapturedPrefill, PromptReader
from demo.engines.local.runners.transformers.forward import NetworkPrefill
from demo.engines.local.runners.transformers.padded_kv import RowsCache
from tests.engines.local.tiny import make_network

CAPTURED = (8, 32)


def make_reader(architecture: str = "llama") -> PromptReader:
    network = make_network(architecture)
    reader = PromptReader(network)
    assert list(reader.capture(GraphCapturer(network.device), CAPTURED)) == [32, 8]
    return reader


@pytest.mark.parametrize("architecture", ["llama", "fused QKV"])
@pytest.mark.parametrize("length", [1, 8, 9, 32])
@torch.inference_mode()
def test_logits_keys_and_values_equal_the_eager_ones(architecture: str, length: int) -> None:
    reader = make_reader(architecture)
    # One before, whose remains must not be seen.
    CapturedPrefill(reader, [3] * 32).read(512)
    prompt = [1 + 7 * place % 200 for place in range(length)]
    general, captured = NetworkPrefill(reader.forward, RowsCache(), prompt), CapturedPrefill(reader, prompt)
    torch.testing.assert_close(captured.read(512), general.read(512))
    assert captured.length == length
    for mine, theirs in zip(layers_of(captured), layers_of(general), strict=True):
        torch.testing.assert_close(mine[:, :, :length], theirs[:, :, :length])


def layers_of(prefill: NetworkPrefill) -> list[torch.Tensor]:
    assert isinstance(prefill.cache, RowsCache)
    return [each for layer in prefill.cache.filled() for each in (layer.keys, layer.values)]


@torch.inference_mode()
def test_a_prompt_longer_than_what_is_captured_is_read_in_chunks() -> None:
    prefill = CapturedPrefill(make_reader(), list(range(1, 51)))
    assert prefill.read(20) is None
    assert prefill.length == 20
    assert prefill.read(20) is None
    assert prefill.read(20) is not None
    assert prefill.length == 50


@torch.inference_mode()
def test_a_prompt_that_is_scored_is_read_as_on_the_eager_path() -> None:
    reader, prompt = make_reader(), [5, 6, 7, 8]
    general, captured = NetworkPrefill(reader.forward, RowsCache(), prompt), CapturedPrefill(reader, prompt)
    expected, found = general.score(), captured.score()
    assert expected is not None
    assert found is not None
    assert torch.equal(found, expected)
    assert captured.logprobs == general.logprobs
