"""A prompt that is read as a whole, in a captured length, gives what the eager one gives."""

import pytest
import torch

from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.prefill import PromptReader
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
    reader.read(torch.full((1, 32), 3))  # one before, whose remains must not be seen
    prompt, cache = torch.tensor([[1 + 7 * place % 200 for place in range(length)]]), RowsCache()
    expected = reader.forward(prompt, cache, [0])
    read = reader.read(prompt)
    assert read is not None
    logits, captured = read
    torch.testing.assert_close(logits, expected)
    for mine, theirs in zip(captured.filled(), cache.filled(), strict=True):
        torch.testing.assert_close(mine.keys[:, :, :length], theirs.keys[:, :, :length])
        torch.testing.assert_close(mine.values[:, :, :length], theirs.values[:, :, :length])


@torch.inference_mode()
def test_a_prompt_longer_than_what_is_captured_is_not_read() -> None:
    assert make_reader().read(torch.ones((1, 33), dtype=torch.long)) is None
