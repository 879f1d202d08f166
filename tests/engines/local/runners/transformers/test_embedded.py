"""The real model answers in real sentences, exactly as transformers' own `generate` does."""

from pathlib import Path

import pytest
import torch

from demo.embedded import find_embedded
from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.conversion import convert_once
from demo.engines.local.model import Model
from demo.request import Message, Request, Sampling
from tests.engines.local.answers import ask, generate
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny_files import change_json, load
from tests.figures.speed import load_network

CHEESE = (Message("user", "How do you make cheese?"),)
QUESTIONS = [CHEESE, (Message("user", "Count to 10"),), (Message("user", "What is Deep Learning?"),)]
COMPARED = 8  # tokens


@pytest.fixture
def engine(exact: Model, open_worker: OpenWorker) -> LocalEngine:
    return open_worker(exact)


def test_rows_together_answer_in_sentences_as_generate_does_alone(engine: LocalEngine, exact: Model) -> None:
    cheese, *others = QUESTIONS
    short = [Request(question, COMPARED, ignore_eos=True) for question in others]
    answers = ask(engine, Request(cheese, max_new_tokens=24), *short)
    text = answers[0].text
    assert text.startswith("To make cheese, you")
    assert "ingredients" in text
    assert "<|im_" not in text
    for question, answer in zip(QUESTIONS, answers, strict=True):
        prompt = torch.tensor([exact.encode(question)])
        assert answer.ids[:COMPARED] == generate(load_network(), prompt, COMPARED)


def test_an_answer_ends_with_the_end_token(engine: LocalEngine) -> None:
    (answer,) = ask(engine, Request((Message("user", "Say only: yes"),), max_new_tokens=100))
    assert answer.done.finish_reason == "eos_token"
    assert answer.tokens[-1].special


def test_it_stops_after_its_turn_though_its_files_name_another_end(tmp_path: Path, open_worker: OpenWorker) -> None:
    file = find_embedded()
    assert file is not None
    for path in convert_once(file, print).iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
        else:
            (tmp_path / path.name).symlink_to(path)
    change_json(tmp_path / "config.json", eos_token_id=0)
    change_json(tmp_path / "generation_config.json", eos_token_id=0)
    change_json(tmp_path / "tokenizer_config.json", eos_token="<|endoftext|>")
    model = load(tmp_path, "float32")
    (answer,) = ask(open_worker(model), Request((Message("user", "Say only: yes"),), max_new_tokens=100))
    assert answer.done.finish_reason == "eos_token"
    assert "<|im_" not in answer.text


def test_a_seed_gives_the_same_tokens_alone_and_among_others(engine: LocalEngine) -> None:
    drawn = Request(CHEESE, 8, Sampling(do_sample=True, temperature=0.9, top_p=0.95, seed=11), ignore_eos=True)
    (alone,) = ask(engine, drawn)
    together = ask(engine, drawn, *(Request(question, 10) for question in QUESTIONS[1:]), drawn)
    assert together[0].ids == together[-1].ids == alone.ids


def test_a_conversation_is_read_in_the_model_s_own_chat_template(exact: Model) -> None:
    turns = (Message("user", "I am Ada."), Message("assistant", "Hello Ada!"), Message("user", "Who am I?"))
    assert exact.tokenizer.decode(exact.encode(turns)).endswith(
        "<|im_start|>user\nI am Ada.<|im_end|>\n<|im_start|>assistant\nHello Ada!<|im_end|>\n"
        "<|im_start|>user\nWho am I?<|im_end|>\n<|im_start|>assistant\n"
    )
