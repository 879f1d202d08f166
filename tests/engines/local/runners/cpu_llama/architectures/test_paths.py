"""Every family on the paths that it takes: greedy tokens, batches, seeds, and the end of a cancelled run."""

from pathlib import Path

import pytest
import torch

from demo.engines.local.engine import LocalEngine
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.events import Token
from demo.request import Request, Sampling, TokenIds
from demo.run import Run
from tests.engines.local.answers import ask, generate, read
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.following import make_ids
from tests.engines.local.runners.cpu_llama.architectures.paths import open_as_on_gpu
from tests.engines.local.runners.cpu_llama.architectures.tiny_families import CONFIGS, make_family
from tests.engines.local.tiny_files import load, save_folder

LENGTH = 12
PROMPTS = [TokenIds(tuple(make_ids(length))) for length in (3, 20, 60)]  # beyond a window, too
DRAWN = Sampling(do_sample=True, temperature=1.2, top_p=0.9, seed=5)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("family", CONFIGS)
def test_a_family_is_right_on_its_path(family: str, device: str, tmp_path: Path, open_worker: OpenWorker) -> None:
    network = make_family(family)
    folder = save_folder(tmp_path / "model", network)
    model = load(folder, "stored") if device == "cpu" else open_as_on_gpu(family, network)
    assert isinstance(model.runner, CpuLlamaRunner) == (device == "cpu")
    engine = open_worker(model)
    answers = [answer.ids for answer in ask(engine, *(Request(prompt, LENGTH) for prompt in PROMPTS))]
    assert answers == [generate(network, torch.tensor([prompt.ids]), LENGTH) for prompt in PROMPTS]
    requests = [Request(prompt, LENGTH, sampling) for prompt in PROMPTS for sampling in (DRAWN, Sampling())]
    assert [answer.ids for answer in ask(engine, *requests)] == [ask(engine, each)[0].ids for each in requests]
    assert_cancelled(engine)


def assert_cancelled(engine: LocalEngine) -> None:
    """A run that is cancelled ends so, and the next one is answered."""
    run = Run(engine, Request(PROMPTS[0], 150, ignore_eos=True))
    reader = run.attach()
    next(batch for batch in reader if any(isinstance(event, Token) for event in batch))
    run.cancel()
    assert read(run).done.finish_reason == "cancelled"
    assert len(ask(engine, Request(PROMPTS[0], 2, ignore_eos=True))[0].ids) == 2
