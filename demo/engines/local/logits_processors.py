"""Logits processors for many rows at once, each row with its own parameters.

Order and definitions are those of text-generation-inference: repetition, frequency and presence penalty, temperature,
top-k, top-p, typical-p; min-p, which it lacks, stands where transformers has it. No row depends on another, and the
default of a parameter changes no bit.
"""

from collections.abc import Sequence
from enum import Flag, auto
from typing import Final, NamedTuple

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.request import Sampling

NO_TOP_K: Final = 2**24  # more than any vocabulary; float32 holds every smaller whole number exactly
NEVER_REACHED: Final = 2.0  # a probability
REMOVED = float("-inf")
RANKED_FIRST = 512  # tokens: mostly enough to reach top_p, and ranked in a fifth of the time of 1,024


class Feature(Flag):
    """The operations of sampling that only some requests need."""

    NONE = 0
    REPETITION = auto()
    FREQUENCY = auto()
    PRESENCE = auto()
    PENALTIES = REPETITION | FREQUENCY | PRESENCE
    TEMPERATURE = auto()
    TOP_K = auto()
    TOP_P = auto()
    MIN_P = auto()
    TYPICAL_P = auto()
    DRAW = auto()
    ALTERNATIVES = auto()  # the likeliest tokens beside the sampled one


def find_features(sampling: Sampling, top_n: int = 0) -> Feature:
    needed = {
        Feature.REPETITION: sampling.repetition_penalty != 1.0,
        Feature.FREQUENCY: sampling.frequency_penalty != 0.0,
        Feature.PRESENCE: sampling.presence_penalty != 0.0,
        Feature.TEMPERATURE: sampling.temperature != 1.0,
        Feature.TOP_K: sampling.top_k is not None,
        Feature.TOP_P: sampling.top_p is not None,
        Feature.MIN_P: sampling.min_p is not None,
        Feature.TYPICAL_P: sampling.typical_p is not None,
        Feature.DRAW: sampling.is_random,
        Feature.ALTERNATIVES: top_n > 0,
    }
    return Feature(sum(feature.value for feature, is_needed in needed.items() if is_needed))


class SamplingParameters(NamedTuple):
    """Float32 columns [rows, 1]; where a request does not set a parameter, its value changes no logit."""

    is_random: Tensor  # 1 where the token is drawn, 0 where it is the likeliest
    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor  # 0 removes nothing
    typical_p: Tensor
    repetition_penalty: Tensor  # positive logits are divided by it, negative ones multiplied
    frequency_penalty: Tensor  # subtracted for each occurrence
    presence_penalty: Tensor  # subtracted once


def split_columns(numbers: Tensor) -> SamplingParameters:
    """Views of the columns of `numbers` [rows, 9]."""
    return SamplingParameters(*numbers.split(1, dim=-1))


def stack_parameters(samplings: Sequence[Sampling], device: torch.device) -> Tensor:
    """The columns of SamplingParameters beside each other, float32 [rows, 9] on the device."""
    rows = [
        (
            each.is_random,
            each.temperature,
            min(each.top_k or NO_TOP_K, NO_TOP_K),
            each.top_p or NEVER_REACHED,
            each.min_p or 0.0,
            each.typical_p or NEVER_REACHED,
            each.repetition_penalty,
            each.frequency_penalty,
            each.presence_penalty,
        )
        for each in samplings
    ]
    return send(torch.tensor(rows, dtype=torch.float32), device)


def process_logits(
    logits: Tensor, parameters: SamplingParameters, features: Feature, most: int, first: int = RANKED_FIRST
) -> Tensor:
    """Logits [rows, vocabulary] after temperature and truncation, as far as `features` ask for them.

    `most` is the greatest k of all rows; `first` is that of `keep_top_p`.
    """
    if Feature.TEMPERATURE in features:
        logits = apply_temperature(logits, parameters.temperature)
    if Feature.TOP_K in features:
        logits = keep_top_k(logits, parameters.top_k.long(), most)
    if Feature.TOP_P in features:
        logits = keep_top_p(logits, parameters.top_p, first)
    if Feature.MIN_P in features:
        logits = keep_min_p(logits, parameters.min_p)
    if Feature.TYPICAL_P in features:
        logits = keep_typical_p(logits, parameters.typical_p, first)
    return logits


def apply_penalties(
    logits: Tensor, seen: Tensor, counts: Tensor, parameters: SamplingParameters, features: Feature
) -> Tensor:
    """Penalise tokens that are `seen` in prompt or answer, by their `counts` in the answer; both [rows, vocabulary]."""
    if Feature.REPETITION in features:  # CTRL, arXiv:1909.05858
        penalty = parameters.repetition_penalty
        logits = torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)
    if Feature.FREQUENCY in features:  # this one and the next by OpenAI's definition
        logits = logits - counts * parameters.frequency_penalty
    if Feature.PRESENCE in features:
        logits = torch.where(counts > 0, logits - parameters.presence_penalty, logits)
    return logits


def apply_temperature(logits: Tensor, temperature: Tensor) -> Tensor:
    """Divide by `temperature` [rows, 1]."""
    # The greatest logit is subtracted first: a temperature near 0 then gives greedy choices, not infinities.
    greatest = logits.amax(dim=-1, keepdim=True).masked_fill(temperature == 1, 0.0)
    return (logits - greatest) / temperature


def keep_top_k(logits: Tensor, k: Tensor, most: int) -> Tensor:
    """Remove all but the `k` [rows, 1] likeliest tokens (arXiv:1805.04833); `most` is the greatest k of all rows."""
    vocabulary = logits.shape[-1]
    strongest = logits.topk(min(most, vocabulary)).values
    return logits.masked_fill(logits < strongest.gather(-1, k.clamp(max=vocabulary) - 1), REMOVED)


def keep_top_p(logits: Tensor, p: Tensor, first: int = RANKED_FIRST) -> Tensor:
    """Keep the smallest set of likeliest tokens whose probability reaches `p` [rows, 1] (arXiv:1904.09751).

    `first` tokens are ranked, and more where they do not reach `p`. Unless `first` is the whole vocabulary, that check
    waits for the device.
    """
    return _keep_mass(logits, -logits, p, first)


def keep_min_p(logits: Tensor, p: Tensor) -> Tensor:
    """Keep the tokens at least `p` [rows, 1] times as likely as the likeliest (arXiv:2407.01082)."""
    probabilities = logits.softmax(dim=-1)
    return logits.masked_fill(probabilities < p * probabilities.amax(dim=-1, keepdim=True), REMOVED)


def keep_typical_p(logits: Tensor, p: Tensor, first: int = RANKED_FIRST) -> Tensor:
    """Keep the tokens of most typical information that reach probability `p` [rows, 1] (arXiv:2202.00666)."""
    logprobs = logits.log_softmax(dim=-1)
    # Each row is summed alone: how torch splits a sum over rows, and rounds it, depends on their number.
    entropy = -torch.stack([row.nansum() for row in logprobs.exp() * logprobs])[:, None]
    return _keep_mass(logits, (-logprobs - entropy).abs(), p, first)


def _keep_mass(logits: Tensor, order: Tensor, p: Tensor, first: int) -> Tensor:
    """Keep the tokens of lowest `order` that together reach probability p."""
    return logits.masked_fill(order > _find_last(order, logits.softmax(dim=-1), p, first), REMOVED)


def _find_last(order: Tensor, probabilities: Tensor, p: Tensor, count: int) -> Tensor:
    """`order` [rows, 1] of the token that reaches p; where the first `count` tokens do not, more are ranked."""
    ranked, ids = order.topk(min(count, order.shape[-1]), dim=-1, largest=False)
    mass = probabilities.gather(-1, ids).cumsum(dim=-1)
    last = ranked.gather(-1, (mass < p).sum(dim=-1, keepdim=True).clamp(max=mass.shape[-1] - 1))
    if count < order.shape[-1] and (short := mass[:, -1] < p[:, 0]).any():
        last[short] = _find_last(order[short], probabilities[short], p[short], 8 * count)
    return last
