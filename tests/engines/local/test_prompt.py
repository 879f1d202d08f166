"""Prompts: truncated at their beginning, scored token by token, shown as the model reads them."""

import re
import threading
from dataclasses import replace
from itertools import accumulate, count

import pytest
import torch

from demo.engine import Piece
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.engines.local.scheduler import MAX_SCORED
from demo.errors import BadRequest, ContextExceeded, NotReady, Overloaded
from demo.events import PromptProgress, PromptRead, Started
from demo.request import Message, Request, TokenIds
from demo.run import Run
from demo.settings import Settings
from tests.engines.local.answers import ask, naive_ids
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny import ARCHITECTURES, EOS, make_model, make_network, make_tokenizer
from tests.engines.local.watched import WatchedRunner, watch

LONG = "a prompt of some length, longer than what is scored at once; " * 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_token_of_a_prompt_is_scored_as_in_one_pass_over_all(architecture: str, open_worker: OpenWorker) -> None:
    network = make_network(architecture)
    model = make_model(network)
    (answer,) = ask(open_worker(model), Request(LONG, 5, prompt_logprobs=True, ignore_eos=True))
    started, scored = [event for event in answer.events if not isinstance(event, PromptProgress)][:2]
    ids = model.encode(LONG)
    with torch.inference_mode():
        logprobs = network(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(dim=-1)
    assert isinstance(started, Started)
    assert isinstance(scored, PromptRead)
    assert [token.id for token in scored.tokens] == ids
    assert "".join(token.text for token in scored.tokens) == LONG
    assert scored.tokens[0].logprob is None
    expected = [float(logprobs[at, id]) for at, id in enumerate(ids[1:])]
    assert [token.logprob for token in scored.tokens[1:]] == pytest.approx(expected, abs=1e-3)
    assert answer.ids == naive_ids(network, ids, Request(LONG, 5))


@pytest.mark.parametrize("scored", [False, True], ids=["read", "scored"])
def test_the_progress_of_a_long_prompt_is_logged_after_each_chunk(scored: bool, open_worker: OpenWorker) -> None:
    (model, runner), ticks = watch(make_model(), WatchedRunner), count()
    engine = open_worker(model, clock=lambda: float(next(ticks)))
    (answer,) = ask(engine, Request("x" * 500, 2, prompt_logprobs=scored))
    progress = [event for event in answer.events if isinstance(event, PromptProgress)]
    read = [*accumulate(tokens for (tokens,) in runner.executed)]
    assert [event.read for event in progress] == [*read[: read.index(500) + 1]]
    assert len(progress) > 2
    assert {event.total for event in progress} == {500}
    assert answer.events[1 : 1 + len(progress)] == tuple(progress)


def test_progress_is_logged_at_most_twenty_times_a_second(open_worker: OpenWorker) -> None:
    (answer,) = ask(open_worker(clock=lambda: 0.0), Request("x" * 500, 2, prompt_logprobs=True))
    told = [event.read for event in answer.events if isinstance(event, PromptProgress)]
    assert told == [MAX_SCORED, 500]


def test_a_prompt_that_is_read_at_once_has_no_progress(open_worker: OpenWorker) -> None:
    (answer,) = ask(open_worker(), Request("hello", 2))
    assert not any(isinstance(event, PromptProgress) for event in answer.events)


def test_truncate_keeps_the_end_of_the_prompt(open_worker: OpenWorker) -> None:
    engine = open_worker()
    asked = (("abcdef", 2), ("ef", None), ("ef", 100))
    cut, short, whole = ask(engine, *(Request(text, 8, truncate=limit) for text, limit in asked))
    assert cut.ids == short.ids == whole.ids
    assert isinstance(cut.events[0], Started)
    assert cut.events[0].input_tokens == 2


@pytest.mark.parametrize("room", [1, 3, 9, 30])
@pytest.mark.parametrize("text", ["abcdef", "first, then 日本語 and 😀 at the end"])
def test_truncate_cuts_a_message_at_its_beginning_and_never_its_template_or_a_character(text: str, room: int) -> None:
    model = make_model()
    before, last = Message("system", "be brief"), Message("user", text)
    template = len(model.encode((before, replace(last, content=""))))
    kept = next(text[at:] for at in range(len(text) + 1) if len(text[at:].encode()) <= room)
    assert model.encode((before, last), template + room) == model.encode((before, replace(last, content=kept)))


def test_truncate_without_room_for_the_template_is_refused(open_worker: OpenWorker) -> None:
    with pytest.raises(BadRequest, match=r"truncate is 3, .* takes 3 tokens: .* `raw`"):
        Run(open_worker(), Request((Message("user", "hello"),), truncate=3))


def test_a_conversation_within_truncate_is_whole() -> None:
    model, talk = make_model(), (Message("user", "hello"),)
    assert model.encode(talk, 8) == model.encode(talk)


def test_the_card_knows_the_control_tokens_and_how_plain_text_is_put() -> None:
    card = make_model().card
    assert card.control_tokens == {EOS, "<|user|>", "<|assistant|>"}
    assert card.plain_prompts == "chat"
    assert make_model(settings=Settings(plain_prompts="raw")).card.plain_prompts == "raw"


def test_a_request_without_a_length_ends_at_the_models_limit(open_worker: OpenWorker) -> None:
    model = make_model(settings=Settings(max_total_tokens=40))
    (answer,) = ask(open_worker(model), Request("abc", None, ignore_eos=True))
    assert len(answer.tokens) == answer.done.generated_tokens == 40 - 3
    assert answer.done.finish_reason == "length"


def test_a_texts_tokens_each_have_their_place_in_it(open_worker: OpenWorker) -> None:
    text, pieces = open_worker().tokenize("día 日本")
    assert text == "día 日本"
    assert {text[piece.start : piece.stop] for piece in pieces} == set("día 日本")


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        ((Message("user", "hi"),), "<|user|>hi<|end|><|assistant|>"),
        ((Message("user", "hi"), Message("assistant", "Once")), "<|user|>hi<|end|><|assistant|>Once"),
        ((Message("assistant", "Once upon"),), "<|assistant|>Once upon"),
        (
            (Message("user", "hi"), Message("assistant", "yo"), Message("assistant", "")),
            "<|user|>hi<|end|><|assistant|>yo<|end|><|assistant|>",
        ),
    ],
    ids=["a question", "an answer is continued", "an answer that begins is too", "an empty one is new"],
)
def test_a_conversation_is_read_as_its_template_writes_it(turns: tuple[Message, ...], text: str) -> None:
    model = make_model()
    shown, pieces = model.tokenize(turns)
    assert shown == text
    assert [piece.id for piece in pieces] == model.encode(turns)


@pytest.mark.parametrize("begun", ["Once upon", ""])
def test_an_answer_whose_reasoning_would_be_lost_is_not_continued(begun: str) -> None:
    with pytest.raises(BadRequest, match="its reasoning would be lost"):
        make_model().tokenize((Message("user", "hi"), Message("assistant", begun, "A story.")))


def test_token_ids_are_read_as_they_are_and_logged(open_worker: OpenWorker) -> None:
    model = make_model()
    ids = tuple(model.encode("hello"))
    engine = open_worker(model)
    told, spelled = ask(engine, *(Request(prompt, 5, ignore_eos=True) for prompt in (TokenIds(ids), "hello")))
    assert told.ids == spelled.ids
    for answer in (told, spelled):
        assert isinstance(answer.events[0], Started)
        assert answer.events[0].prompt == ids
    assert model.encode(TokenIds(ids), truncate=2) == list(ids[-2:])


def test_token_ids_beyond_the_vocabulary_or_the_context_are_refused() -> None:
    model = make_model(settings=Settings(max_input_tokens=10, max_total_tokens=30))
    size = model.tokenizer.size
    assert model.encode(TokenIds((0, size - 1))) == [0, size - 1]
    for id in (size, 2**31 - 1, -1):
        with pytest.raises(BadRequest, match=f"token id {id}, and this model's ids are 0 to {size - 1}"):
            model.encode(TokenIds((1, id)))
    with pytest.raises(ContextExceeded, match="has 11 tokens, and at most 10 are accepted"):
        model.encode(TokenIds((1,) * 11))
    with pytest.raises(BadRequest, match="send a text"):
        model.tokenize(TokenIds((1,)))


def test_admit_raises_what_submit_would_raise(open_worker: OpenWorker) -> None:
    engine = open_worker(limit=1)
    engine.admit()
    run = Run(engine, Request("hello", None, ignore_eos=True))
    with pytest.raises(Overloaded):
        engine.admit()
    run.cancel()
    for _ in run.attach():
        pass
    engine.admit()
    engine.close()
    with pytest.raises(NotReady):
        engine.admit()


def test_load_counts_running_and_waiting_requests(open_worker: OpenWorker) -> None:
    engine = open_worker(limit=5)
    assert (engine.load.running, engine.load.waiting, engine.load.limit, engine.load.stalled) == (0, 0, 5, 0.0)
    reader = Run(engine, Request("hello", None, ignore_eos=True)).attach()
    for batch in reader:
        if not isinstance(batch[-1], Started):
            break
    load = engine.load
    assert (load.running, load.waiting) == (1, 0)
    assert load.stalled < 5
    reader.close()


class UncalledTokenizer(Pretrained):
    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        raise AssertionError("the text was encoded")

    def locate(self, text: str, raw: bool, limit: int | None = None, first: int = 0) -> tuple[Piece, ...]:
        raise AssertionError("the text was encoded")


LONGEST = "<|assistant|>"  # the longest of the tiny model's tokens


def test_a_text_that_no_tokens_can_hold_is_refused_before_it_is_encoded_with_the_limit(open_worker: OpenWorker) -> None:
    model = make_model(settings=Settings(max_input_tokens=100))
    limit = 100 * len(LONGEST)
    assert len(model.encode(LONGEST * 100)) == 100
    engine = open_worker(replace(model, tokenizer=UncalledTokenizer(make_tokenizer())))
    sentence = (
        f"The prompt has {limit + 1} bytes, and the 100 tokens that are accepted hold at most {limit} "
        "(`inputs` tokens + `max_new_tokens` must be <= 512): shorten it."
    )
    for text in ("x" * (limit + 1), "x" * 101 + "é" * 600):
        for prompt in (text, (Message("user", text[len("<|user|><|end|><|assistant|>") :]),)):
            for truncate in (None, 5):
                with pytest.raises(BadRequest, match=re.escape(sentence)):
                    Run(engine, Request(prompt, truncate=truncate))
            with pytest.raises(BadRequest, match=re.escape(sentence)):
                engine.tokenize(prompt)


def test_a_text_within_the_limit_of_bytes_is_refused_for_its_tokens_if_it_has_too_many() -> None:
    model = make_model(settings=Settings(max_input_tokens=100))
    with pytest.raises(
        BadRequest, match=r"The prompt has 101 tokens, and at most 100 are accepted \(.* <= 512\): shorten it\."
    ):
        model.encode("x" * 101)
    assert len(model.encode("x" * 101, truncate=100)) == 100


def test_a_text_of_more_tokens_than_are_listed_is_refused_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.engines.local.model.MAX_LISTED", 50)
    with pytest.raises(BadRequest, match="The text has 51 tokens, and at most 50 are listed at once: send less"):
        make_model().tokenize("x" * 51)


class GatedTokenizer(Pretrained):
    """Waits within a long text until the test opens it."""

    def __init__(self) -> None:
        super().__init__(make_tokenizer())
        self.begun, self.open = threading.Event(), threading.Event()

    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        if len(text) > 100:
            self.begun.set()
            assert self.open.wait(20)
        return super().encode(text, raw, limit)


def test_a_short_prompt_does_not_wait_for_a_long_one_that_is_being_encoded(open_worker: OpenWorker) -> None:
    tokenizer = GatedTokenizer()
    engine = open_worker(replace(make_model(), tokenizer=tokenizer))
    long = threading.Thread(target=Run, args=(engine, Request("x" * 200, 1)))
    long.start()
    assert tokenizer.begun.wait(20)
    (answer,) = ask(engine, Request("hello", 2))
    assert answer.tokens
    tokenizer.open.set()
    long.join(20)
