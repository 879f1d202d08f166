"""Chat templates, against what transformers writes by the same ones."""

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from demo.engines.local.loading.chat_template import compile_template
from tests.engines.local.tiny import TEMPLATE, make_tokenizer

TURNS = [{"role": role, "content": f"<b>{role}</b> ça\n"} for role in ("system", "user", "assistant", "user")]
WAYS = {
    "plain": TEMPLATE,
    "blocks": "{% for m in messages %}\n  {% if m.role %}\n {{ m.content }}\n  {% endif %}\n{% endfor %}\nx\n",
    "json": "{{ messages | tojson }}{{ messages[0] | tojson(indent=2, sort_keys=True) }}",
    "ascii": "{{ messages | tojson(ensure_ascii=True, separators=(',', ':')) }}",
    "loops": "{% for m in messages %}{% if loop.index == 3 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "namespace": "{% set ns = namespace(n=0, self=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{{ ns.n }}{{ ns.self }}",
    "dict": "{{ dict(a=1, b='c') }}{{ dict.fromkeys('ab', 0) }}",
    "generation": "{% set a = 1 %}{% for m in messages %}{% generation %}{% set a = 2 %}{{ m.content }}"
    "{% endgeneration %}{{ a }}{% endfor %}",
    "today": "{{ strftime_now('%Y') }}",
    "tools": "{% if tools is none and documents is none %}none{% endif %}{{ add_generation_prompt }}{{ eos_token }}",
    "undefined": "[{{ nothing }}]{% if enable_thinking is defined %}?{% endif %}",
}


def apply_chat_template(template: str) -> str:
    return compile_template(template).render(
        messages=TURNS, tools=None, documents=None, add_generation_prompt=True, eos_token="<|end|>"
    )


@pytest.mark.parametrize("template", WAYS.values(), ids=WAYS.keys())
def test_a_conversation_is_written_as_transformers_writes_it(template: str) -> None:
    theirs = make_tokenizer(template).apply_chat_template(TURNS, add_generation_prompt=True, tokenize=False)
    assert apply_chat_template(template) == theirs


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ namespace(_a=1) }}",
        "{{ namespace({'__class__': 1}) }}",
        "{{ dict.__class__.__base__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os }}",
    ],
)
def test_a_template_reaches_nothing_outside_it(template: str) -> None:
    with pytest.raises(SecurityError):
        apply_chat_template(template)


@pytest.mark.parametrize("template", ["{{ raise_exception('no system here') }}", "{% no such %}"])
def test_what_a_template_refuses_is_a_template_error(template: str) -> None:
    with pytest.raises(TemplateError):
        apply_chat_template(template)
