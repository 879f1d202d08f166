"""What each kind of server is asked, how its stream is read, and what it can't do exactly is refused in a sentence."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from demo.engine import Piece, Ready
from demo.errors import BadRequest, NotReady
from demo.repetition import SHORTEST_LOOP
from demo.request import Message, Request, Sampling, TokenIds
from tests.engines.endpoint import peers
from tests.engines.endpoint.opened import CHAT, TEXT, ask, open_scripted
from tests.engines.endpoint.peers import GREETING
from tests.engines.endpoint.scripted_server import DONE, Reply, ScriptedServer, Stream, frame

TOKENIZED = replace(TEXT, prompt=TokenIds((5, 6)))
MAKERS: dict[str, Callable[..., ScriptedServer]] = {
    "vLLM": peers.make_vllm,
    "SGLang": peers.make_sglang,
    "llama-server": peers.make_llama,
    "text-generation-inference": peers.make_tgi,
    "Ray Serve": peers.make_ray,
    "an OpenAI-compatible server": peers.make_plain,
}


@pytest.mark.parametrize("title", MAKERS)
def test_the_kind_is_told_by_its_routes_and_the_card_says_which_it_is_but_not_where(title: str) -> None:
    with open_scripted(MAKERS[title]()) as (engine, server):
        assert isinstance(engine.status, Ready)
        card = engine.status.card
        assert card.source == "endpoint"
        assert card.device.startswith(title)
        assert server.url not in str(card)  # clients are told the card
        told = {"llama-server": 256, "text-generation-inference": 128, "an OpenAI-compatible server": 4096}
        assert card.max_total_tokens == told.get(title, 512)


def test_vllms_stream_is_read_token_by_token_with_merged_half_and_end_tokens_and_its_own_times() -> None:
    with open_scripted(peers.make_vllm()) as (engine, server):
        events = ask(engine)
    assert [(token.id, token.text, token.logprob, token.special) for token in events.tokens] == [
        (11, "Hel", -0.5, False),
        (12, "lo", -0.25, False),
        (13, " ", -0.75, False),
        (14, "", -1.0, False),
        (15, "日", -1.5, False),
        (2, "", -0.125, True),
    ]
    half, whole, end_token = events.tokens[3:]
    assert (half.encoded, whole.encoded) == (b"\xe6\x97", b"\xa5")  # joined, they are the text's bytes
    assert (half.candidate.encoded, whole.candidate.encoded) == (half.encoded, whole.encoded)
    assert end_token.candidate.text == "<|im_end|>"
    start = events.start
    assert start.time == events.tokens[0].time  # no queue is made up
    assert start.input_tokens == 9  # the prompt's ids came before the first token
    assert start.prompt == (1, 2, 3, 4, 5, 6, 7, 8, 9)
    report = events.report
    assert (report.input_tokens, report.cached_tokens) == (9, 4)
    assert dict(report.figures) == {"time_to_first_token_ms": 31.5, "queue_time_ms": 0.25}
    end = events.done
    assert (end.finish_reason, end.generated_tokens) == ("eos_token", 6)
    body = server.asked[-1][1]
    assert body["return_token_ids"] is True
    assert body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


def test_vllm_is_told_every_sampling_parameter_since_it_takes_missing_ones_from_the_models_files() -> None:
    with open_scripted(peers.make_vllm()) as (engine, server):
        ask(engine)
        sampling = Sampling(do_sample=True, temperature=0.5, top_k=7, seed=3, frequency_penalty=0.5)
        ask(engine, replace(TEXT, sampling=sampling, max_new_tokens=None, ignore_eos=True))
    (_, greedy), (path, drawn) = server.asked
    neutral = {"temperature": 0.0, "top_k": -1, "top_p": 1.0, "repetition_penalty": 1.0, "presence_penalty": 0.0}
    assert {name: greedy[name] for name in neutral} == neutral
    assert "seed" not in greedy
    expected = {"temperature": 0.5, "top_k": 7, "seed": 3, "frequency_penalty": 0.5, "ignore_eos": True}
    assert path == "/v1/completions"
    assert {name: drawn[name] for name in expected} == expected
    assert drawn["max_tokens"] is None  # its default is 16
    assert drawn["prompt"] == "Hello"


def test_prompts_are_cached_behind_for_one_client_alone_or_not_at_all() -> None:
    with open_scripted(peers.make_vllm()) as (engine, server):
        for request in (replace(CHAT, client="a"), replace(CHAT, client="a"), replace(CHAT, client="b")):
            ask(engine, request)
        for _ in range(2):
            ask(engine, replace(CHAT, client="a", cache_prompt=False))
    first, again, other, *fresh = [body["cache_salt"] for _, body in server.asked]
    assert first == again
    assert len({first, other, *fresh}) == 4


def test_a_stop_string_is_asked_to_be_included_and_cut_here_across_tokens() -> None:
    last = peers.token(3, "nd>", finish="stop", stop_reason="<end>")
    stream = Stream((peers.token(1, "One"), peers.token(2, " <e"), last, peers.usage(9, 3), DONE))
    with open_scripted(peers.make_vllm(GREETING, stream, stream)) as (engine, server):
        events = ask(engine, replace(CHAT, stop=("<end>",)))
        kept = ask(engine, replace(CHAT, stop=("<end>",), keeps_stop=True))
    assert [token.text for token in kept.tokens] == ["One", " <e", "nd>"]
    assert [(token.id, token.text) for token in events.tokens] == [(1, "One"), (2, " "), (3, "")]
    end = events.done
    assert (end.finish_reason, end.generated_tokens, end.stop) == ("stop_sequence", 3, "<end>")
    assert events.report.input_tokens == 9
    body = server.asked[-1][1]
    assert (body["stop"], body["include_stop_str_in_output"]) == (["<end>"], True)


def test_where_a_kind_cuts_stop_strings_itself_they_are_found_here_and_the_connection_is_closed() -> None:
    stream = Stream((peers.chat("One <e"), peers.chat("nd> two"), threading.Event()))
    with open_scripted(peers.make_plain(GREETING, stream)) as (engine, server):
        events = ask(engine, replace(CHAT, stop=("<end>",)))
        assert server.left.wait(10)
    assert [token.text for token in events.tokens] == ["One ", ""]
    assert "stop" not in server.asked[-1][1]


def test_an_answer_that_repeats_itself_is_ended_here_and_the_connection_is_closed() -> None:
    loop = [peers.chat(text) for text in ("Why? ", *["No. ", "Yes. "] * SHORTEST_LOOP)]
    with open_scripted(peers.make_plain(GREETING, Stream((*loop, threading.Event())))) as (engine, server):
        events = ask(engine, replace(CHAT, max_new_tokens=200, ends_loops=True))
        assert server.left.wait(10)
    end = events.done
    assert (end.finish_reason, end.generated_tokens) == ("repetition", 1 + SHORTEST_LOOP)
    assert len(events.tokens) == end.generated_tokens


def test_llama_server_does_not_send_half_characters_and_end_tokens_and_its_count_tells_that_they_were_there() -> None:
    with open_scripted(peers.make_llama()) as (engine, server):
        events = ask(engine)
    assert [(token.id, token.text, token.logprob, token.special) for token in events.tokens] == [
        (21, "Hi", -0.5, False),
        (None, "", None, False),
        (23, "é", -0.25, False),
        (None, "", None, True),
    ]
    assert dict(events.report.figures)["prompt_ms"] == 12.5
    body = server.asked[-1][1]
    assert (body["repeat_penalty"], body["timings_per_token"], body["top_logprobs"]) == (1.0, True, 1)


def test_sglang_tells_ids_for_texts_alone_and_draws_its_own_seed() -> None:
    logprobs = {"tokens": ["Hi"], "token_logprobs": [-0.5], "top_logprobs": [{"Hi": -0.5, "Ho": -1.5}]}
    last = peers.completion("Hi", token_ids=[5], logprobs=logprobs, finish="length")
    with open_scripted(peers.make_sglang(GREETING, Stream((last, peers.usage(2, 1), DONE)))) as (engine, server):
        events = ask(engine, replace(TEXT, top_n_tokens=1))
        chat = ask(engine)
    (token,) = events.tokens
    assert (token.id, token.logprob, [each.text for each in token.top]) == (5, -0.5, ["Hi"])
    assert events.start.seed is None
    assert server.asked[0][1]["return_token_ids"] is True
    assert "return_token_ids" not in server.asked[1][1]
    assert [each.id for each in chat.tokens] == [None, None]


def test_tgi_is_asked_in_its_own_dialect_for_a_text_and_its_special_tokens_are_no_text() -> None:
    def token(id: int, text: str, special: bool = False, **last: Any) -> bytes:
        return frame(index=id, token={"id": id, "text": text, "logprob": -0.5, "special": special}, **last)

    details = {"finish_reason": "eos_token", "generated_tokens": 3, "input_length": 4, "seed": None}
    last = token(2, "</s>", True, generated_text="Hi", details=details)
    stream = Stream((token(5, "H"), token(6, "i"), last))
    with open_scripted(peers.make_tgi(GREETING, stream)) as (engine, server):
        events = ask(engine, replace(TEXT, truncate=50, sampling=Sampling(typical_p=0.5, seed=7)))
    assert [(each.id, each.text, each.special) for each in events.tokens] == [
        (5, "H", False),
        (6, "i", False),
        (2, "", True),
    ]
    assert events.report.input_tokens == 4
    path, body = server.asked[-1]
    assert path == "/generate_stream"
    wanted = {"do_sample": True, "typical_p": 0.5, "seed": 7, "truncate": 50, "max_new_tokens": 20, "details": True}
    assert {name: body["parameters"][name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("make", "request_", "sentence"),
    [
        (peers.make_vllm, replace(CHAT, sampling=Sampling(typical_p=0.5)), "`typical_p`"),
        (peers.make_vllm, replace(CHAT, prompt_logprobs=True), "prompt's tokens"),
        (peers.make_vllm, replace(TEXT, truncate=5), "`truncate`"),
        (peers.make_vllm, replace(CHAT, sampling=Sampling(seed=2**63)), "`seed` of more than 63 bits"),
        (peers.make_sglang, replace(CHAT, sampling=Sampling(seed=1)), "`seed`"),
        (peers.make_sglang, replace(TEXT, max_new_tokens=None), "answer of any length"),
        (peers.make_llama, replace(TEXT, truncate=5), "`truncate`"),
        (peers.make_tgi, replace(CHAT, ignore_eos=True), "`ignore_eos`"),
        (peers.make_tgi, replace(CHAT, sampling=Sampling(top_k=5)), "`top_k`"),
        (peers.make_tgi, replace(TEXT, sampling=Sampling(presence_penalty=1.0)), "`presence_penalty`"),
        (peers.make_tgi, replace(TEXT, cache_prompt=False), "`cache_prompt`"),
        (peers.make_plain, replace(CHAT, sampling=Sampling(repetition_penalty=1.5)), "`repetition_penalty`"),
        (peers.make_plain, replace(CHAT, prompt=(Message("user", "a"), Message("assistant", "b"))), "continuation"),
        (peers.make_plain, replace(CHAT, ignore_eos=True), "`ignore_eos`"),
        (peers.make_plain, TOKENIZED, "token ids"),
    ],
)  # fmt: skip
def test_what_a_kind_cannot_do_exactly_is_refused_before_anything_is_sent(
    make: Callable[..., ScriptedServer], request_: Request, sentence: str
) -> None:
    with open_scripted(make()) as (engine, server):
        with pytest.raises(BadRequest, match=sentence) as refusal:
            engine.submit(request_, lambda *events: None)
        assert "engine behind this server" in str(refusal.value)
        assert server.asked == []
        assert engine.load.running + engine.load.waiting == 0


def test_an_answer_that_was_begun_is_continued_where_the_kind_can() -> None:
    begun = replace(CHAT, prompt=(Message("user", "a"), Message("assistant", "b")))
    with open_scripted(peers.make_vllm()) as (engine, server):
        ask(engine, begun)
    body = server.asked[-1][1]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize(
    ("make", "reply", "text", "pieces"),
    [
        (
            peers.make_vllm,
            {"tokens": [1, 2, 3], "token_strs": ["Hi", "Ġæ", "Ĺ¥"]},
            "Hi 日",
            (Piece(1, 0, 2), Piece(2, 2, 4), Piece(3, 3, 4)),
        ),
        (
            peers.make_llama,
            {"tokens": [{"id": 1, "piece": "Hi "}, {"id": 2, "piece": [0xE6, 0x97, 0xA5]}]},
            "Hi 日",
            (Piece(1, 0, 3), Piece(2, 3, 4)),
        ),
        (peers.make_tgi, [{"id": 1, "text": "Hi", "start": 0, "stop": 2}], "Hi", (Piece(1, 0, 2),)),
    ],
)  # fmt: skip
def test_the_tokens_of_a_text_come_from_the_engine_that_has_a_tokenizer(
    make: Callable[..., ScriptedServer], reply: Any, text: str, pieces: tuple[Piece, ...]
) -> None:
    server = make()
    server.routes["/tokenize"] = Reply(200, reply)
    with open_scripted(server) as (engine, server):
        assert engine.tokenize(text) == (text, pieces)


@pytest.mark.parametrize("make", [peers.make_plain, peers.make_sglang])
def test_a_kind_that_tells_no_tokens_says_so(make: Callable[..., ScriptedServer]) -> None:
    with open_scripted(make()) as (engine, _), pytest.raises(NotReady, match="does not tell the tokens"):
        engine.tokenize("Hi")


def test_token_ids_are_a_prompt_where_the_kind_takes_them() -> None:
    with open_scripted(peers.make_vllm()) as (engine, server):
        ask(engine, TOKENIZED)
    path, body = server.asked[-1]
    assert (path, body["prompt"]) == ("/v1/completions", [5, 6])
