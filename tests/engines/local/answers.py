"""Answers from the engine, from a naive loop without cache, batch or thread, and from transformers' `generate`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from demo.engines.local.engine import LocalEngine
from demo.engines.local.output import SampledToken
from demo.engines.local.sampler import BatchSampler, Sampler
from demo.events import Done, Event, Failed, Token
from demo.request import Request
from demo.run import Run


@dataclass(frozen=True)
class Answer:
    """All events of a run."""

    events: tuple[Event, ...]

    @property
    def tokens(self) -> list[Token]:
        return [event for event in self.events if isinstance(event, Token)]

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens if token.id is not None]

    @property
    def logprobs(self) -> list[float]:
        return [token.logprob for token in self.tokens if token.logprob is not None]

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    @property
    def done(self) -> Done:
        final = self.events[-1]
        assert isinstance(final, Done), final
        return final

    @property
    def failed(self) -> Failed:
        final = self.events[-1]
        assert isinstance(final, Failed), final
        return final


def read(run: Run) -> Answer:
    """Everything of a run, waiting for its end."""
    return Answer(tuple(event for batch in run.attach() for event in batch))


def count_tokens(run: Run) -> int:
    """How many tokens a run has so far."""
    return sum(isinstance(event, Token) for event in run.events)


def ask(engine: LocalEngine, *requests: Request) -> list[Answer]:
    """All requests at once, each read to its end."""
    return [read(run) for run in [Run(engine, request) for request in requests]]


def choose(sampler: Sampler, logits: torch.Tensor) -> SampledToken:
    """The next token for `logits` [vocabulary], sampled alone."""
    (outcome,) = BatchSampler([sampler], logits.device).draw(logits[None]).read()
    assert isinstance(outcome, SampledToken), outcome
    return outcome


def naive_ids(network: PreTrainedModel, prompt: Sequence[int], request: Request, seed: int = 0) -> list[int]:
    """`max_new_tokens` ids, the whole sequence recomputed for each."""
    sampler = Sampler(request.sampling, seed, prompt)
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(request.max_new_tokens or 0):
            logits = network(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            ids.append(choose(sampler, logits).id)
    return ids[len(prompt) :]


def generate(network: PreTrainedModel, prompt: torch.Tensor, max_new_tokens: int) -> list[int]:
    """The greedy answer of transformers' own `generate` to a prompt [1, length]."""
    options = {"attention_mask": torch.ones_like(prompt), "max_new_tokens": max_new_tokens, "pad_token_id": 0}
    ids: list[int] = cast(Any, network).generate(prompt, do_sample=False, **options)[0].tolist()
    return ids[prompt.shape[1] :]
