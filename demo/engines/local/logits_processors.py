"""From logits to the distribution that a token is drawn from: penalties for one row, warpers for many at once.

Order and meaning follow text-generation-inference: repetition and frequency penalty, temperature, top-k,
top-p, typical-p. No step waits for a device, and none makes a row depend on the rows beside it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.events import Sampling

REMOVED = float("-inf")
RANKED_FIRST = 512  # of a vocabulary: mostly enough to reach a probability, and ranked in a fifth of the time of 1,024

Warper: TypeAlias = Callable[[Tensor], Tensor]


def make_processors(samplings: Sequence[Sampling], device: torch.device) -> list[Warper]:
    """What happens to logits [rows, vocabulary]; the rows' samplings set the same of our parameters."""
    warpers: list[Warper] = []
    if samplings[0].temperature != 1.0:
        warpers.append(
            partial(apply_temperature, temperature=_send_column([each.temperature for each in samplings], device))
        )
    if samplings[0].top_k is not None:
        ks = [each.top_k or 1 for each in samplings]
        warpers.append(partial(keep_top_k, k=_send_column(ks, device), most=max(ks)))
    if samplings[0].top_p is not None:
        warpers.append(partial(keep_top_p, p=_send_column([each.top_p or 1.0 for each in samplings], device)))
    if samplings[0].typical_p is not None:
        warpers.append(partial(keep_typical_p, p=_send_column([each.typical_p or 1.0 for each in samplings], device)))
    return warpers


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Divide what is positive and multiply what is negative, for every seen id (CTRL, arXiv:1909.05858)."""
    scores = logits[seen]
    return logits.scatter(0, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def penalise_frequency(logits: Tensor, generated: Tensor, penalty: float) -> Tensor:
    """Subtract `penalty` once for every time that an id was generated (OpenAI's definition)."""
    return logits.scatter_add(0, generated, torch.full_like(generated, -penalty, dtype=logits.dtype))


def penalise_presence(logits: Tensor, generated: Tensor, penalty: float) -> Tensor:
    """Subtract `penalty` once from every id that was generated, however often (OpenAI's definition)."""
    return logits.scatter(0, generated, logits[generated] - penalty)


def apply_temperature(logits: Tensor, temperature: Tensor) -> Tensor:
    """Divide by `temperature` [rows, 1]."""
    # From the greatest down, so that a temperature near 0 gives greedy choices and not infinities.
    return (logits - logits.amax(dim=-1, keepdim=True)) / temperature


def keep_top_k(logits: Tensor, k: Tensor, most: int) -> Tensor:
    """Remove all but the `k` [rows, 1] likeliest (arXiv:1805.04833); `most` is the greatest k."""
    vocabulary = logits.shape[-1]
    strongest = logits.topk(min(most, vocabulary)).values
    return logits.masked_fill(logits < strongest.gather(-1, k.clamp(max=vocabulary) - 1), REMOVED)


def keep_top_p(logits: Tensor, p: Tensor) -> Tensor:
    """Keep the smallest set of likeliest tokens whose probability reaches `p` [rows, 1] (arXiv:1904.09751)."""
    return _keep_mass(logits, -logits, p)


def keep_typical_p(logits: Tensor, p: Tensor) -> Tensor:
    """Keep what is nearest to the expected surprise until its probability reaches `p` [rows, 1] (arXiv:2202.00666)."""
    logprobs = logits.log_softmax(dim=-1)
    # Row by row: how a sum over several rows is cut, and so rounded, would depend on their number.
    entropy = -torch.stack([row.nansum() for row in logprobs.exp() * logprobs])[:, None]
    return _keep_mass(logits, (-logprobs - entropy).abs(), p)


def _keep_mass(logits: Tensor, order: Tensor, p: Tensor) -> Tensor:
    """Remove what comes, by rising `order`, after the tokens that together reach probability p."""
    # Only a CPU can look whether some are enough without waiting; to rank all takes it dozens of times as long.
    count = RANKED_FIRST if order.device.type == "cpu" else order.shape[-1]
    return logits.masked_fill(order > _find_last(order, logits.softmax(dim=-1), p, count), REMOVED)


def _find_last(order: Tensor, probabilities: Tensor, p: Tensor, count: int) -> Tensor:
    """`order` [rows, 1] of the token that reaches p, after `count` have been ranked or, where they do not, more."""
    ranked, ids = order.topk(min(count, order.shape[-1]), dim=-1, largest=False)
    mass = probabilities.gather(-1, ids).cumsum(dim=-1)
    last = ranked.gather(-1, (mass < p).sum(dim=-1, keepdim=True).clamp(max=mass.shape[-1] - 1))
    if count < order.shape[-1] and (short := mass[:, -1] < p[:, 0]).any():
        last[short] = _find_last(order[short], probabilities[short], p[short], 8 * count)
    return last


def _send_column(values: Sequence[float], device: torch.device) -> Tensor:
    return send(torch.tensor(values)[:, None], device)
