"""The embedded model, run from its weights as stored."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from gguf import GGUFValueType

from demo.embedded import find_embedded
from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.model import load_model
from demo.engines.local.model import Model
from demo.engines.local.runner import Chunk
from demo.engines.local.runners.cpu_llama.runner import MAX_TOKENS
from demo.request import Message, Request, Sampling
from demo.settings import Settings
from tests.engines.local.answers import ask
from tests.engines.local.conftest import OpenWorker, opened
from tests.engines.local.following import open_sequence
from tests.engines.local.tiny_files import load

CHEESE = (Message("user", "How do you make cheese?"),)
LONG = "The quick brown fox jumps over the lazy dog, and the dog sleeps on. " * 10
TEXTS = ["Hello 100 worlds, 2024!", "  a\n\n\tb  c", "日本語 ไทย عربي 🙂", "<|im_start|>user\nHi<|im_end|>", LONG]


@pytest.fixture(scope="module")
def stored() -> Model:
    return load_model(Settings(dtype="stored"), lambda loading: None)


@pytest.fixture(scope="module")
def engine(stored: Model) -> Iterator[LocalEngine]:
    with opened(stored) as engine:
        yield engine


def test_it_answers_how_to_make_cheese(engine: LocalEngine, stored: Model) -> None:
    (answer,) = ask(engine, Request(CHEESE, max_new_tokens=40))
    assert answer.text.startswith("To make cheese, you")
    assert answer.text.count(".") >= 1
    assert stored.card.dtype == "Q4_1"


def test_it_stops_after_its_turn_though_its_file_names_another_end(tmp_path: Path, open_worker: OpenWorker) -> None:
    embedded = find_embedded()
    assert embedded is not None
    name, kind = b"tokenizer.ggml.eos_token_id", struct.pack("<I", GGUFValueType.UINT32)
    told, other = (name + kind + struct.pack("<I", id) for id in (2, 0))
    content = embedded.read_bytes()
    assert told in content
    (tmp_path / "other.gguf").write_bytes(content.replace(told, other))
    model = load(tmp_path / "other.gguf", "stored")
    (answer,) = ask(open_worker(model), Request((Message("user", "Say only: yes"),), max_new_tokens=100))
    assert answer.done.finish_reason == "eos_token"
    assert "<|im_" not in answer.text


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_has_the_ids_that_transformers_own_conversion_gives(text: str, stored: Model, exact: Model) -> None:
    assert stored.encode(text) == exact.encode(text)
    assert stored.vocabulary.eos_ids == exact.vocabulary.eos_ids
    assert stored.encode(CHEESE) == exact.encode(CHEESE)


@pytest.mark.parametrize(
    ("prompt", "each", "mean"), [(LONG, 0.05, 0.01), (LONG[:100], 0.1, 0.03)], ids=["long prompt", "short prompt"]
)
def test_logprobs_of_a_text_are_near_those_of_the_exact_weights(
    prompt: str, each: float, mean: float, stored: Model, exact: Model
) -> None:
    ours, theirs = (score(model, prompt) for model in (stored, exact))
    assert len(ours) == len(theirs) == len(stored.encode(prompt)) - 1
    difference = torch.tensor(ours) - torch.tensor(theirs)
    assert difference.abs().mean() < each
    assert abs(difference.mean()) < mean


def score(model: Model, prompt: str) -> list[float]:
    handle, ids = open_sequence(model.runner, model.encode(prompt)), model.encode(prompt)
    with torch.inference_mode():
        logits = model.runner.execute([Chunk(handle, ids, "all")])
        model.runner.free(handle, ())
    return logits[:-1].log_softmax(dim=-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


def test_tokens_are_the_same_alone_and_among_others(engine: LocalEngine, stored: Model) -> None:
    assert len(stored.encode("One")) < MAX_TOKENS < len(stored.encode(LONG))
    drawn = Sampling(do_sample=True, temperature=0.9, top_p=0.95, seed=11)
    requests = [Request(CHEESE, 16, drawn), Request(LONG, 6), Request("One", 20), Request(LONG, 12, drawn)]
    together = [answer.tokens for answer in ask(engine, *requests)]
    for request, tokens in zip(requests, together, strict=True):
        (alone,) = ask(engine, request)
        assert [(token.id, token.logprob) for token in alone.tokens] == [(token.id, token.logprob) for token in tokens]
