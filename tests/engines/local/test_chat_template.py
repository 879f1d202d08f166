"""A chat template is a program of the model's: whatever it raises is a sentence, at load where possible."""

from pathlib import Path
from typing import Any

import pytest

from demo.engines.local.chat_template import check_template, choose_template, list_gguf_templates, read_template
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.transformers.loading import load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.errors import ModelError, SettingError, TemplateRefused
from demo.request import Message
from tests.engines.local.tiny import TEMPLATE, make_model, make_tokenizer
from tests.engines.local.tiny_files import Recipe, load, save_folder, write_gguf

FAILING = {
    "its own words": ("{{ raise_exception('Only one system message.') }}", "Only one system message"),
    "a missing operand": ("{{ messages + 1 }}", "TypeError"),
    "division by zero": ("{{ 1 // 0 }}", "ZeroDivisionError"),
    "endless recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
    "an unknown name": ("{{ nobody.name }}", "UndefinedError"),
    "a syntax error": ("{% for %}", "TemplateSyntaxError"),
    "what the sandbox forbids": ("{{ ''.__class__.__mro__ }}{{ messages.__class__.__base__() }}", "SecurityError"),
}


@pytest.mark.parametrize(("template", "said"), FAILING.values(), ids=FAILING)
def test_whatever_a_template_raises_is_a_refusal_in_one_sentence_with_its_words(template: str, said: str) -> None:
    model = make_model(tokenizer=make_tokenizer(template))
    sentence = rf"^The model's chat template refuses this conversation: .*{said}.*(?<!\.)\.\Z"
    with pytest.raises(TemplateRefused, match=sentence):
        model.encode((Message("user", "Hello"),))


@pytest.mark.parametrize(("template", "said"), FAILING.values(), ids=FAILING)
def test_a_template_that_cannot_render_a_greeting_is_known_at_load(template: str, said: str) -> None:
    with pytest.raises(ModelError, match=rf"^The chat template of tiny .*{said}.*--chat-template"):
        check_template("tiny", Pretrained(make_tokenizer(template)))


def test_a_conversation_is_refused_where_there_is_no_template_and_a_text_is_not() -> None:
    model = make_model(tokenizer=make_tokenizer(None))
    assert not model.card.has_chat_template
    assert model.encode("Hello")
    with pytest.raises(TemplateRefused, match="has no chat template: send plain text"):
        model.encode((Message("user", "Hello"),))


@pytest.mark.parametrize(
    ("templates", "said"),
    [
        ({}, "tiny has no chat template: .*--chat-template"),
        ({"tool_use": "x", "rag": "y"}, "templates rag, tool_use, "),
    ],
)
def test_a_model_without_a_default_template_is_refused_with_the_remedy(templates: dict[str, str], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        choose_template("tiny", templates, is_required=True)
    assert choose_template("tiny", templates, is_required=False) is None
    assert choose_template("tiny", templates | {"default": "z"}, is_required=True) == "z"


def test_the_default_of_several_templates_in_a_gguf_file_is_the_unnamed_one() -> None:
    metadata = {"tokenizer.chat_template": "a", "tokenizer.chat_template.rag": "b", "tokenizer.chat_templates": ["rag"]}
    assert list_gguf_templates(metadata) == {"default": "a", "rag": "b"}


@pytest.mark.parametrize(
    ("templates", "said"), [(None, "tiny has no chat template"), ({"rag": TEMPLATE}, "has the chat templates rag")]
)
def test_a_folder_without_a_default_template_is_refused(templates: Any, said: str, tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "tiny", template=templates)
    with pytest.raises(ModelError, match=said):
        load_tokenizer(ModelSource("tiny", "folder", str(folder), "made by a test"), str(folder))


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_templates_file_replaces_the_models_own(is_folder: bool, tmp_path: Path) -> None:
    place = save_folder(tmp_path / "tiny", template=None) if is_folder else write_gguf(tmp_path / "tiny.gguf")
    (tmp_path / "chat.jinja").write_text("{{ messages[0].content }}!")
    model = load(place, chat_template=str(tmp_path / "chat.jinja"))
    assert model.tokenize((Message("user", "Hello"),))[0] == "Hello!"


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_gguf_file_without_a_template_is_refused_before_any_conversion_and_completes_texts_on_request(
    dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = write_gguf(tmp_path / "base.gguf", Recipe(template=""))
    with pytest.raises(ModelError, match=r"^base has no chat template: give one with --chat-template"):
        load(file, dtype)
    assert not (tmp_path / "cache").exists()
    model = load(file, dtype, plain_prompts="raw")
    assert not model.card.has_chat_template
    assert model.encode("Hello")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\x80"])
def test_a_templates_file_that_can_t_be_read_is_one_sentence(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "chat.jinja"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingError, match=r"^--chat-template is .*: give a Jinja file"):
        read_template(str(file))
