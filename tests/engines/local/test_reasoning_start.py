"""How an answer begins follows from what the chat template wrote, of templates shaped as those people pick."""

import pytest

from demo.events import ReasoningStart, Started
from demo.request import Message, Request
from tests.engines.local.answers import ask
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny import EOS, TEMPLATE, make_model, make_tokenizer

TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
    "{% endif %}{{ m.content }}" + EOS + "{% endfor %}<|assistant|>"
)
QWEN3 = TURNS + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
SMOLLM3 = TURNS + "{% if reasoning_effort == 'none' %}<think>\n\n</think>\n{% endif %}"
R1 = TURNS + "<think>\n"
GPT_OSS = (
    "Reasoning: {{ reasoning_effort or 'medium' }}{% for m in messages %}<|start|>{{ m.role }}"
    "{% if m.thinking %}<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}<|message|>{{ m.content }}"
    "<|end|>{% endfor %}<|start|>assistant"
)
HELLO = Message("user", "Hello <think>")
BEGUN = "<think>Hm"
ANALYSIS = "<|channel|>analysis<|message|>Hm"
FINAL = f"{ANALYSIS}<|end|><|start|>assistant<|channel|>final<|message|>Yes"
CASES: dict[str, tuple[str, tuple[Message, ...] | str, str, ReasoningStart]] = {
    "no marks": (TEMPLATE, (HELLO,), "{}", "none"),
    "Qwen3": (QWEN3, (HELLO,), "{}", "tags"),
    "Qwen3, switched off": (QWEN3, (HELLO,), '{"enable_thinking": false}', "tags"),
    "SmolLM3, no effort": (SMOLLM3, (HELLO,), '{"reasoning_effort": "none"}', "tags"),
    "R1": (R1, (HELLO,), "{}", "open"),
    "R1, raw text": (R1, "Hello <think>", "{}", "none"),
    "gpt-oss": (GPT_OSS, (HELLO,), '{"reasoning_effort": "high"}', "harmony"),
    "gpt-oss, continued within its reasoning": (GPT_OSS, (HELLO, Message("assistant", ANALYSIS)), "{}", "analysis"),
    "gpt-oss, continued in its answer": (GPT_OSS, (HELLO, Message("assistant", FINAL)), "{}", "none"),
    "gpt-oss, continued without marks": (GPT_OSS, (HELLO, Message("assistant", "Yes")), "{}", "none"),
    "gpt-oss, continued behind its reasoning": (
        *(GPT_OSS, (HELLO, Message("assistant", f"{ANALYSIS}<|end|>")), "{}", "harmony"),
    ),
    "continued within its reasoning": (QWEN3, (HELLO, Message("assistant", BEGUN)), "{}", "inside"),
    "continued within what the prompt opened": (R1, (HELLO, Message("assistant", "Hm")), "{}", "inside"),
    "continued in its answer": (QWEN3, (HELLO, Message("assistant", f"{BEGUN}</think>Yes")), "{}", "none"),
    "continued in its answer, opened": (R1, (HELLO, Message("assistant", "Hm</think>Yes")), "{}", "none"),
}


@pytest.mark.parametrize(("template", "prompt", "options", "start"), CASES.values(), ids=CASES)
def test_an_answer_begins_as_its_prompt_leaves_it(
    template: str, prompt: tuple[Message, ...] | str, options: str, start: ReasoningStart, open_worker: OpenWorker
) -> None:
    model = make_model(tokenizer=make_tokenizer(template))
    (answer,) = ask(open_worker(model), Request(prompt, 1, template_options=options))
    (started,) = (event for event in answer.events if isinstance(event, Started))
    assert started.reasoning == start


def test_variables_and_reasoning_reach_the_template() -> None:
    def write(template: str, *turns: Message, options: str = "{}") -> str:
        model = make_model(tokenizer=make_tokenizer(template))
        return model.tokenizer.decode(model.encode(turns, options=options))

    assert write(QWEN3, HELLO, options='{"enable_thinking": false}').endswith("<think>\n\n</think>\n\n")
    assert write(GPT_OSS, HELLO, options='{"reasoning_effort": "high"}').startswith("Reasoning: high<")
    turns = (HELLO, Message("assistant", "Yes", "Hm"), HELLO)
    assert "<think>Hm</think>Yes" in write(QWEN3, *turns)
    assert "<|channel|>analysis<|message|>Hm<|end|>" in write(GPT_OSS, *turns)
