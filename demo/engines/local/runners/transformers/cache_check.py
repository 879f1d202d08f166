"""Whether a model keeps all of a sequence in its cache, found by computing a few tokens of two sequences.

Some architectures keep a part of it in their modules, and one computes its tokens without any cache that transformers
names: what they would answer beside another sequence is nonsense, which no error shows.
"""

from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from demo.engines.local.runners.transformers.forward import Forward
from demo.errors import ModelError

PROMPT: Final = (1, 2, 3, 4)
OTHER: Final = (5, 6, 7)
TOLERANCE: Final = {torch.float32: 1e-3}  # of the range of the logits; for other dtypes COARSE
COARSE: Final = 0.05


class CacheCheck:
    """Computes the logits after PROMPT in several ways."""

    def __init__(self, network: PreTrainedModel) -> None:
        self._forward = Forward(network)
        self._config = network.config
        self._tolerance = TOLERANCE.get(network.dtype, COARSE)
        self._whole = self._read(PROMPT, self._make_cache(), 0)

    @torch.inference_mode()
    def works(self, in_turns: bool) -> bool:
        """Whether a sequence is continued as it was, where another has been read before it, or `in_turns` within it."""
        cache, begun = self._make_cache(), len(PROMPT) - 1
        if in_turns:
            self._read(PROMPT[:begun], cache, 0)
        self._read(OTHER, self._make_cache(), 0)
        if not in_turns:
            self._read(PROMPT[:begun], cache, 0)
        logits = self._read(PROMPT[begun:], cache, begun)
        spread = float(self._whole.max() - self._whole.min())
        return float((logits - self._whole).abs().max()) <= self._tolerance * spread

    def _make_cache(self) -> Cache:
        return DynamicCache(config=self._config)

    @torch.inference_mode()
    def _read(self, ids: tuple[int, ...], cache: Cache, length: int) -> Tensor:
        return self._forward(torch.tensor([ids]), cache, [length])[0, -1].float()


def find_max_num_seqs(network: PreTrainedModel) -> int | None:
    """None where sequences may be computed in turns, 1 where only one after the other.

    Raises ModelError where not even that gives the logits of a whole prompt.
    """
    check = CacheCheck(network)
    if check.works(in_turns=True):
        return None
    if check.works(in_turns=False):
        return 1
    raise ModelError(
        f"A {network.config.model_type} model cannot be continued token by token here: its cache does not hold what it "
        "has read. Give another model."
    )
