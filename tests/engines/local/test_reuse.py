"""A prompt that begins like an earlier one of the same client is not read again, and its answer is the same."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from demo.engines.local.loading.model import load_model
from demo.engines.local.model import Model
from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.transformers.padded_kv import RowsCache
from demo.events import Started
from demo.request import Request, Sampling
from demo.settings import Settings
from tests.engines.local.answers import Answer, ask
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny import make_captured, make_model, make_network
from tests.engines.local.tiny_files import Recipe, write_gguf

LONG = "a conversation of some length that goes on and on, turn after turn; " * 3
DRAWN = Sampling(do_sample=True, temperature=1.2, seed=5)

kinds = pytest.mark.parametrize("kind", ["cpu_llama", "eager", "captured"])


def make_kind(kind: str, folder: Path, settings: Settings | None = None) -> Model:
    if kind == "cpu_llama":
        assert find_missing_kernels() == ""
        file = write_gguf(folder / "tiny.gguf", Recipe(form="Q4_1", hidden=256, context=1024))
        settings = replace(settings or Settings(), model_id=str(file), dtype="stored", device="cpu")
        return load_model(settings, lambda loading: None)
    return make_captured(make_network()) if kind == "captured" else make_model(settings=settings)


def cached(answer: Answer) -> int:
    started = answer.events[0]
    assert isinstance(started, Started)
    assert started.cached_tokens is not None
    return started.cached_tokens


def talk(prompt: str, client: str | None = "one", scored: bool = False) -> Request:
    return Request(prompt, 20, DRAWN, ignore_eos=True, client=client, prompt_logprobs=scored)


def answer(engine: object, request: Request) -> Answer:
    return ask(engine, request)[0]  # type: ignore[arg-type]


@kinds
def test_the_second_turn_reads_the_new_tokens_alone_and_has_the_same_answer(
    kind: str, open_worker: OpenWorker, tmp_path: Path
) -> None:
    engine = open_worker(make_kind(kind, tmp_path))
    first = answer(engine, talk(LONG))
    second = talk(LONG + first.text + " And then?")
    warm, cold = answer(engine, second), answer(engine, replace(second, cache_prompt=False))
    assert cached(first) == cached(cold) == 0
    assert cached(warm) >= len(LONG) - 1
    assert warm.ids == cold.ids
    if kind == "cpu_llama":
        assert warm.logprobs == cold.logprobs
    else:
        assert warm.logprobs == pytest.approx(cold.logprobs, abs=1e-3)


@kinds
def test_another_client_shares_nothing(kind: str, open_worker: OpenWorker, tmp_path: Path) -> None:
    engine = open_worker(make_kind(kind, tmp_path))
    answer(engine, talk(LONG, "one"))
    assert cached(answer(engine, talk(LONG, "other"))) == 0
    assert cached(answer(engine, talk(LONG, None))) == 0
    if kind != "captured":  # its slot has been used since
        assert cached(answer(engine, talk(LONG, "one"))) > 0


@pytest.mark.parametrize("kind", ["cpu_llama", "eager"])
def test_without_a_prefix_cache_nothing_is_reused_and_nothing_is_copied(
    kind: str, open_worker: OpenWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[int] = []
    monkeypatch.setattr(RowsCache, "copy_row", lambda cache, row, tokens: copied.append(row))
    engine = open_worker(make_kind(kind, tmp_path, Settings(no_prefix_cache=True)))
    assert [cached(each) for _ in range(2) for each in ask(engine, talk(LONG), talk(LONG, scored=True))] == [0] * 4
    assert not copied


@kinds
def test_a_prompt_that_is_scored_is_read_as_a_whole(kind: str, open_worker: OpenWorker, tmp_path: Path) -> None:
    engine = open_worker(make_kind(kind, tmp_path))
    answer(engine, talk(LONG))
    assert cached(answer(engine, talk(LONG, scored=True))) == 0


def test_recurrent_models_reuse_nothing(open_worker: OpenWorker) -> None:
    engine = open_worker(make_model(make_network("recurrent")))
    assert [cached(answer(engine, talk(LONG))) for _ in range(2)] == [0, 0]


@kinds
def test_many_at_once_with_one_beginning_answer_as_alone(kind: str, open_worker: OpenWorker, tmp_path: Path) -> None:
    engine = open_worker(make_kind(kind, tmp_path))
    requests: Sequence[Request] = [talk(LONG + ending) for ending in ("a", "b", LONG, "", "a")]
    together = [each.ids for each in ask(engine, *requests)]
    assert together == [answer(engine, replace(each, cache_prompt=False)).ids for each in requests]


@pytest.mark.parametrize("kind", ["cpu_llama", "eager"])
def test_more_than_memory_holds_waits_or_is_recomputed_and_answers_the_same(
    kind: str, open_worker: OpenWorker, tmp_path: Path
) -> None:
    roomy = make_kind(kind, tmp_path, Settings(kv_cache_memory=1 << 26))
    requests = [Request("x" * (20 + 9 * number), 60, DRAWN, ignore_eos=True) for number in range(6)]
    expected = [each.ids for each in ask(open_worker(roomy), *requests)]
    assert roomy.runner.limits.capacity is not None
    memory = 380 * (1 << 26) // roomy.runner.limits.capacity  # for 380 of the 615 tokens
    tight = make_kind(kind, tmp_path, Settings(kv_cache_memory=memory, max_total_tokens=150))
    assert [each.ids for each in ask(open_worker(tight), *requests)] == expected
