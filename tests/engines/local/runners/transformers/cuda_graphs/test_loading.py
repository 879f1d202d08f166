"""A model is captured where its step gives what its own cache gives; elsewhere it is said why not."""

from typing import Any

import pytest
import torch
from transformers import MistralConfig

from demo.engine import Loading
from demo.engines.local.runners.transformers.cuda_graphs.loading import (
    CannotCapture,
    Plan,
    capture,
    find_unsupported_reason,
)
from tests.engines.local.tiny import GROUPED, build_network, make_network

PLAN = Plan(rows=4, columns=300, captured=(1, 2, 4))


def refusal(architecture: str) -> str:
    with pytest.raises(CannotCapture) as caught:
        capture(make_network(architecture), PLAN, lambda loading: None)
    return str(caught.value)


@pytest.mark.parametrize(("window", "captured"), [(PLAN.columns, True), (PLAN.columns - 1, False)])
def test_a_window_as_long_as_every_sequence_is_no_reason_against_capture(window: int, captured: bool) -> None:
    network = build_network(MistralConfig(**GROUPED, sliding_window=window))
    assert (find_unsupported_reason(network, PLAN.columns) == "") == captured
    if captured:
        assert capture(network, PLAN, lambda loading: None).limits.max_num_seqs == PLAN.rows


def test_models_with_other_layers_or_without_positions_are_not_captured_for_a_stated_reason() -> None:
    assert refusal("sliding window") == "the model has layers of type sliding_attention"
    assert refusal("recurrent").startswith("the model has layers of type")
    assert refusal("alibi") == "the model takes no positions"


def forget(network: torch.nn.Module, arguments: Any, options: dict[str, Any]) -> Any:
    """Give a token position 0, where the mask is a step's."""
    if options.get("attention_mask") is not None and options["attention_mask"].dim() == 4:
        options["position_ids"] = torch.zeros_like(options["position_ids"])
    return arguments, options


def test_a_model_whose_step_gives_other_logits_is_not_captured() -> None:
    network = make_network()
    network.register_forward_pre_hook(forget, with_kwargs=True)
    with pytest.raises(CannotCapture, match="it gives other logits than the model's own cache"):
        capture(network, PLAN, lambda loading: None)


def test_progress_names_every_size() -> None:
    steps: list[Loading] = []
    capture(make_network(), PLAN, steps.append)
    assert steps[0].step == "trying the step"
    assert [each.step for each in steps[1:7]] == [
        f"capturing the step for {rows} rows of {columns} tokens, {done} of 6"
        for done, (rows, columns) in enumerate([(1, 256), (4, 300), (4, 256), (2, 300), (2, 256), (1, 300)], start=1)
    ]
    assert [each.step for each in steps[7:10]] == [f"capturing the sampling for {rows} rows" for rows in (4, 2, 1)]
    assert [each.step for each in steps[10:]] == [
        f"capturing the reading of prompts of up to {length} tokens" for length in (256, 128, 64, 32)
    ]
