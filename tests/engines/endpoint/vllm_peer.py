"""A real vLLM on the CPU behind this server: `make test-vllm`. Its name keeps it out of the normal run.

The server is started with a small random Llama, unless VLLM_MODEL names a folder or a model of the hub.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx2
import pytest
from transformers import LlamaConfig

from demo.engines.endpoint.engine import EndpointEngine
from demo.request import Message, Request, Sampling
from demo.run import Run
from tests.engines.endpoint.opened import CHAT, TEXT, Events, ask, open_ready, read_events
from tests.engines.local.tiny import LLAMA, build_network
from tests.engines.local.tiny_files import save_folder

VLLM: Final = os.environ.get("VLLM", ".venv-vllm/bin/vllm")
PORT: Final = 18_470
STARTING_SECONDS: Final = 400
OPTIONS: Final = (
    *("--enforce-eager", "--dtype", "float32", "--max-model-len", "256", "--max-num-seqs", "4"),
    *("--enable-per-request-metrics", "--enable-prompt-tokens-details"),
)
RUNS: Final = 20


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A vLLM that is being started; it is ended with the tests."""
    folder = tmp_path_factory.mktemp("model")
    model = os.environ.get("VLLM_MODEL") or str(save_model(folder))
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    address = ("--host", "127.0.0.1", "--port", str(PORT))
    command = [VLLM, "serve", model, "--served-model-name", "peer", *address, *OPTIONS]
    with (folder / "vllm.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{PORT}"
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def engine(url: str) -> Iterator[EndpointEngine]:
    """The engine, which waits for vLLM to come up."""
    with open_ready(url, STARTING_SECONDS) as engine:
        yield engine


def save_model(folder: Path) -> Path:
    """A random Llama whose heads are as large as vLLM's kernels need them."""
    shape = {**LLAMA, "hidden_size": 256, "num_attention_heads": 4, "num_key_value_heads": 2}
    return save_folder(folder, build_network(LlamaConfig(**shape)))


def ask_directly(url: str, path: str, **body: Any) -> list[dict[str, Any]]:
    """The chunks of vLLM itself."""
    asked = {"model": "peer", "stream": True, "temperature": 0.0, "return_token_ids": True, **body}
    with httpx2.stream("POST", url + path, json=asked, timeout=60) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def test_ids_and_texts_are_those_that_vllm_sends_directly(engine: EndpointEngine, url: str) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    for request, path, body in (
        (CHAT, "/v1/chat/completions", {"messages": messages}),
        (TEXT, "/v1/completions", {"prompt": "Hello"}),
    ):
        events = ask(engine, request)
        chunks = ask_directly(url, path, max_tokens=20, **body)
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        assert [token.id for token in events.tokens] == [id for each in choices for id in each.get("token_ids") or ()]
        texts = [each.get("text") or each.get("delta", {}).get("content") or "" for each in choices]
        assert "".join(token.text for token in events.tokens) == "".join(texts)
        assert all(token.logprob is not None for token in events.tokens)
        report = events.report
        assert report.input_tokens
        print("\nvLLM's own figures:", dict(report.figures))


def test_a_stop_string_is_cut_here_and_seeds_repeat(engine: EndpointEngine) -> None:
    whole = "".join(token.text for token in ask(engine).tokens)
    stop = whole[4:6]
    events = ask(engine, replace(CHAT, stop=(stop,)))
    assert "".join(token.text for token in events.tokens) == whole[: whole.index(stop)]
    assert events.done.finish_reason == "stop_sequence"
    drawn = replace(TEXT, sampling=Sampling(do_sample=True, seed=7))
    first, again = (ask(engine, drawn) for _ in range(2))
    assert [token.id for token in first.tokens] == [token.id for token in again.tokens]


def test_a_cancelled_answer_leaves_vllm_idle(engine: EndpointEngine, url: str) -> None:
    run = Run(engine, replace(CHAT, max_new_tokens=200, ignore_eos=True))
    reader = run.attach()
    next(batch for batch in reader if Events(batch).tokens)
    reader.close()
    until = time.monotonic() + 10
    while count_running(url) > 0:
        assert time.monotonic() < until, "vLLM still computes"
        time.sleep(0.02)


def count_running(url: str) -> float:
    """vLLM's own gauge."""
    lines = httpx2.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_running{"))


def test_tokens_of_a_text_are_those_of_its_tokenizer(engine: EndpointEngine) -> None:
    text, pieces = engine.tokenize("Hé 日")
    assert text == "Hé 日"
    assert text[pieces[0].start : pieces[0].stop] == "H"
    templated, pieces = engine.tokenize((Message("user", "Hi"),))
    assert "Hi" in templated
    assert pieces


def test_too_long_a_prompt_is_refused_in_its_words(engine: EndpointEngine) -> None:
    assert ask(engine, Request("a" * 2000, max_new_tokens=5)).error.kind == "validation"


def test_time_to_first_token_directly_and_through_this_server(engine: EndpointEngine, url: str) -> None:
    through, directly = [], []
    body = {"model": "peer", "stream": True, "temperature": 0.0, "max_tokens": 2, "logprobs": True}
    body["messages"] = [{"role": "user", "content": "Hello"}]
    with httpx2.Client() as client:
        for _ in range(RUNS):
            run = Run(engine, replace(CHAT, max_new_tokens=2))
            through.append(read_events(run).tokens[0].time - run.submitted)
            begun = time.perf_counter()
            with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
                next(line for line in response.iter_lines() if '"content":"' in line and '"role"' not in line)
                directly.append(time.perf_counter() - begun)
    print(f"\nTTFT, median of {RUNS}: {median(directly):.4f} s directly, {median(through):.4f} s through this server")
