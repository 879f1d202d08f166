"""The likeliest ids are those that ranking all logits gives, for every size of vocabulary."""

import pytest
import torch

from demo.engine.llama.likeliest import BLOCK, find_likeliest


@pytest.mark.parametrize("vocabulary", [5, 64, 64 * BLOCK, 64 * BLOCK + 1, 200 * BLOCK, 49_152])
@pytest.mark.parametrize("rows", [1, 3])
def test_they_are_those_that_ranking_all_gives(vocabulary: int, rows: int) -> None:
    logits = torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(vocabulary))
    found = find_likeliest(logits, 64).sort(dim=-1).values
    assert found.equal(logits.topk(min(64, vocabulary)).indices.sort(dim=-1).values)


def test_a_row_has_the_same_ones_alone() -> None:
    logits = torch.randn(4, 49_152, generator=torch.Generator().manual_seed(0)).bfloat16().float()  # with many ties
    together = find_likeliest(logits, 64)
    assert all(together[row].equal(find_likeliest(logits[row : row + 1], 64)[0]) for row in range(4))
