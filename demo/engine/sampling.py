"""From logits to the next token: penalties, warpers, and a draw from the request's own random generator.

Order and meaning follow text-generation-inference: repetition and frequency penalty, temperature, top-k,
top-p, typical-p. Log-probabilities are natural, of the distribution that the token was drawn from.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from demo.engine.generation import Chosen
from demo.events import Sampling

REMOVED = float("-inf")


class Sampler:
    """Chooses the tokens of one request. Same sampling, seed and logits: same tokens."""

    def __init__(self, sampling: Sampling, seed: int, prompt: Sequence[int], top_n: int = 0) -> None:
        self._sampling = sampling
        self._top_n = top_n
        penalties = (sampling.repetition_penalty - 1.0, sampling.frequency_penalty, sampling.presence_penalty)
        self._looks_back = any(penalties)
        self._random = torch.Generator().manual_seed(seed)
        self._seen = torch.tensor(prompt, dtype=torch.long)
        self._generated = torch.empty(0, dtype=torch.long)

    def choose(self, logits: Tensor) -> Chosen:
        """The next token for `logits` of shape [vocabulary].

        Raises ValueError where the logits hold no usable number.
        """
        logprobs = self._warp(self._penalise(logits.float())).log_softmax(dim=-1)
        id = self._draw(logprobs) if self._sampling.is_random else int(logprobs.argmax())
        logprob = float(logprobs[id])
        if logprob != logprob:
            raise ValueError("the model's logits are not numbers (NaN)")
        self._remember(id)
        return Chosen(id, logprob, self._likeliest(logprobs))

    def _penalise(self, logits: Tensor) -> Tensor:
        sampling = self._sampling
        if sampling.repetition_penalty != 1.0:
            logits = penalise_repetition(logits, self._seen.to(logits.device), sampling.repetition_penalty)
        if sampling.frequency_penalty != 0.0:
            logits = penalise_frequency(logits, self._generated.to(logits.device), sampling.frequency_penalty)
        if sampling.presence_penalty != 0.0:
            logits = penalise_frequency(
                logits, torch.unique(self._generated).to(logits.device), sampling.presence_penalty
            )
        return logits

    def _warp(self, logits: Tensor) -> Tensor:
        sampling = self._sampling
        if sampling.temperature != 1.0:
            # From the greatest down, so that a temperature near 0 gives greedy choices and not infinities.
            logits = (logits - logits.max()) / sampling.temperature
        if sampling.top_k is not None:
            logits = keep_top_k(logits, sampling.top_k)
        if sampling.top_p is not None:
            logits = keep_top_p(logits, sampling.top_p)
        if sampling.typical_p is not None:
            logits = keep_typical_p(logits, sampling.typical_p)
        return logits

    def _draw(self, logprobs: Tensor) -> int:
        # One uniform number inverted through the cumulative sum: the same draw on every device.
        cumulative = logprobs.exp().double().cumsum(dim=-1)
        point = torch.rand((), generator=self._random, dtype=torch.float64).to(cumulative.device)
        return int(torch.searchsorted(cumulative, point * cumulative[-1], right=True).clamp(max=len(logprobs) - 1))

    def _remember(self, id: int) -> None:
        if self._looks_back:
            chosen = torch.tensor([id], dtype=torch.long)
            self._seen = torch.cat([self._seen, chosen])
            self._generated = torch.cat([self._generated, chosen])

    def _likeliest(self, logprobs: Tensor) -> tuple[tuple[int, float], ...]:
        if not self._top_n:
            return ()
        top = logprobs.topk(self._top_n)
        ranked = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        return tuple((id, logprob) for id, logprob in ranked if logprob > REMOVED)


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Divide what is positive and multiply what is negative, for every seen id (CTRL, arXiv:1909.05858)."""
    scores = logits[seen]
    return logits.scatter(0, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def penalise_frequency(logits: Tensor, generated: Tensor, penalty: float) -> Tensor:
    """Subtract `penalty` once for every time that an id was generated (OpenAI's definition)."""
    return logits.scatter_add(0, generated, torch.full_like(generated, -penalty, dtype=logits.dtype))


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Remove all but the k likeliest (arXiv:1805.04833)."""
    weakest = logits.topk(min(k, len(logits))).values[-1]
    return logits.masked_fill(logits < weakest, REMOVED)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the smallest set of likeliest tokens whose probability reaches p (arXiv:1904.09751)."""
    return _keep_mass(logits, -logits, p)


def keep_typical_p(logits: Tensor, p: float) -> Tensor:
    """Keep the tokens nearest to the expected surprise until their probability reaches p (arXiv:2202.00666)."""
    logprobs = logits.log_softmax(dim=-1)
    entropy = -(logprobs.exp() * logprobs).nansum()
    return _keep_mass(logits, (-logprobs - entropy).abs(), p)


def _keep_mass(logits: Tensor, order: Tensor, p: float) -> Tensor:
    """Remove what comes, by rising `order`, after the tokens that together reach probability p."""
    ranked = order.sort(stable=True).indices
    mass = logits.softmax(dim=-1)[ranked].cumsum(dim=-1)
    beyond = torch.zeros_like(mass, dtype=torch.bool)
    beyond[1:] = mass[:-1] >= p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(0, ranked, beyond), REMOVED)
