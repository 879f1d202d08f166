"""Models that keep state beside their cache are found by their logits, and served one sequence after the other."""

import pytest
from transformers import PreTrainedConfig, PreTrainedModel, RecurrentGemmaConfig

from demo.engines.local.runners.transformers.cache_check import CacheCheck, find_max_num_seqs
from demo.errors import ModelError
from demo.request import Request
from tests.engines.local.answers import ask, naive_ids
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny import ARCHITECTURES, VOCABULARY, build_network, make_model, make_network


def make_stateful() -> PreTrainedModel:
    """RecurrentGemma keeps its recurrent state in its modules."""
    config: PreTrainedConfig = RecurrentGemmaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=3,
        intermediate_size=64,
        num_attention_heads=2,
        lru_width=32,
        attention_window_size=16,
    )
    return build_network(config)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_models_whose_cache_holds_all_are_computed_in_turns(architecture: str) -> None:
    assert find_max_num_seqs(make_network(architecture)) is None


def test_a_model_that_keeps_state_in_its_modules_answers_one_request_after_the_other(open_worker: OpenWorker) -> None:
    network = make_stateful()
    model = make_model(network)
    assert model.runner.limits.max_num_seqs == 1
    requests = [Request(prompt, 8, ignore_eos=True) for prompt in ("first", "another one", "the third")]
    answers = ask(open_worker(model), *requests)
    expected = [naive_ids(network, model.encode(request.prompt), request) for request in requests]
    assert [answer.ids for answer in answers] == expected


def test_a_model_whose_cache_forgets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheCheck, "works", lambda check, in_turns: False)
    with pytest.raises(ModelError, match="its cache does not hold what it has read"):
        find_max_num_seqs(make_network())
