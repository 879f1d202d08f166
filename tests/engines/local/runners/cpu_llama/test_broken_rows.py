"""A row whose activations are not finite has logits of NaN, and changes no bit of another row."""

import pytest
import torch
from gguf import GGUFWriter

from demo.engines.local.runner import Runner
from tests.engines.local.following import follow, make_ids, open_runner, open_sequence, read_prompt, step
from tests.engines.local.tiny_files import Recipe, write_gguf

BROKEN = {200: float("nan"), 201: float("inf"), 202: float("-inf"), 203: 1e30}  # by id: one number of its embedding


def break_embeddings(writer: GGUFWriter) -> None:
    embeddings = next(each["token_embd.weight"].tensor for each in writer.tensors if "token_embd.weight" in each)
    assert embeddings is not None
    for id, number in BROKEN.items():
        embeddings[id, 7] = number


@pytest.fixture(scope="module", params=["Q4_1", "Q8_0", "F32"])
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    recipe = Recipe(form=request.param, forms={"token_embd": "F32"}, hidden=256, change=break_embeddings)
    return open_runner(write_gguf(tmp_path_factory.mktemp("broken") / "tiny.gguf", recipe))


@pytest.mark.parametrize("id", BROKEN)
def test_a_row_is_nan_from_its_broken_token_on_and_the_others_are_as_alone(id: int, runner: Runner) -> None:
    prompts = [[1 + each % 100 for each in make_ids(20, seed)] for seed in range(3)]
    steps = [[5, 6, 7], [5, id, 7], [8, 9, 10]]
    alone = [follow(runner, prompt, ids) for prompt, ids in zip(prompts, steps, strict=True)]
    handles = [open_sequence(runner, prompt) for prompt in prompts]
    for handle, prompt in zip(handles, prompts, strict=True):
        read_prompt(runner, handle, prompt)
    logits = [step(runner, dict(zip(handles, ids, strict=True))) for ids in zip(*steps, strict=True)]
    for handle in handles:
        runner.free(handle, ())
    together = torch.stack(logits, dim=1)
    assert [torch.equal(together[row], alone[row][1:]) for row in range(3)] == [True, False, True]
    assert torch.equal(together[1, 0], alone[1][1])
    assert together[1, 1:].isnan().all()


@pytest.mark.parametrize("id", BROKEN)
@pytest.mark.parametrize("size", [2, 128])
def test_a_prompt_with_a_broken_token_is_nan(id: int, size: int, runner: Runner) -> None:
    prompt = [1, 2, 3, id, 4, 5]
    assert follow(runner, prompt, [], [size]).isnan().all()
