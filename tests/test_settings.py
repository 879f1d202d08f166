import re
from dataclasses import fields

import pytest

from demo.errors import SettingError
from demo.settings import Settings, format_default, format_flag, format_variable, read_settings

SETTINGS = fields(Settings)
GOOD = {
    "model_id": ("org/name", "org/name"),
    "revision": ("main", "main"),
    "hostname": ("0.0.0.0", "0.0.0.0"),
    "port": ("0", 0),
    "root_path": ("/team/demo", "/team/demo"),
    "max_concurrent_requests": ("3", 3),
    "max_input_tokens": ("5", 5),
    "max_total_tokens": ("6", 6),
    "dtype": ("bfloat16", "bfloat16"),
    "device": ("cuda:1", "cuda:1"),
    "cuda_graphs": ("8, 1,8", (1, 8)),
    "torch_compile": ("true", True),
    "kv_cache_memory": ("1.5 GiB", 1610612736),
    "no_prefix_cache": ("1", True),
    "threads": ("2", 2),
    "no_ui": ("true", True),
    "replay_only": ("true", True),
    "plain_prompts": ("raw", "raw"),
    "api_key": ("secret!", "secret!"),
    "cors_allow_origin": ("https://a.example, http://b:8000", ("https://a.example", "http://b:8000")),
    "webhook_allow": ("hooks.example, 10.0.0.0/8", ("hooks.example", "10.0.0.0/8")),
    "log_prompts": ("1", True),
}
BAD = [
    ("model_id", " "),
    ("model_id", "a\nb"),
    ("revision", ""),
    ("hostname", "  "),
    ("port", "-1"),
    ("port", "65536"),
    ("port", "http"),
    ("root_path", "/"),
    ("root_path", "demo"),
    ("root_path", "/demo/"),
    ("root_path", "/a//b"),
    ("root_path", "https://a.example/demo"),
    ("max_concurrent_requests", "0"),
    ("max_input_tokens", "1.5"),
    ("max_input_tokens", "0"),
    ("max_total_tokens", "1"),
    ("dtype", "float8"),
    ("device", "gpu"),
    ("device", "cuda:"),
    ("device", "cuda:x"),
    ("device", "cuda:²"),
    ("device", "cpu:0"),
    ("cuda_graphs", "0,1"),
    ("cuda_graphs", "-1"),
    ("cuda_graphs", "2000"),
    ("cuda_graphs", "yes"),
    ("kv_cache_memory", "0"),
    ("kv_cache_memory", "-1GB"),
    ("kv_cache_memory", "2 potatoes"),
    ("no_prefix_cache", "maybe"),
    ("threads", "0"),
    ("threads", "many"),
    ("no_ui", "maybe"),
    ("plain_prompts", "Chat"),
    ("api_key", "two words"),
    ("api_key", "ключ"),
    ("cors_allow_origin", "a.example"),
    ("cors_allow_origin", "https://a.example/path"),
    ("webhook_allow", "https://hooks.example/path"),
    ("webhook_allow", "a,,b"),
    ("log_prompts", "ja"),
]


def test_no_cuda_graphs_are_none() -> None:
    assert read_settings(["--cuda-graphs", "0"], {}).cuda_graphs == ()


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("500MB", 500_000_000), ("2k", 2_000), ("1 KiB", 1024), ("0.5G", 500_000_000)]
)
def test_memory_is_said_in_bytes_or_with_a_unit(text: str, size: int) -> None:
    assert read_settings(["--kv-cache-memory", text], {}).kv_cache_memory == size


def flag(name: str) -> str:
    return next(format_flag(setting) for setting in SETTINGS if setting.name == name)


def variable(name: str) -> str:
    return next(format_variable(setting) for setting in SETTINGS if setting.name == name)


def is_one_sentence(text: str) -> bool:
    return len(text.splitlines()) == 1 and text.endswith(".")


def test_without_flags_and_environment_the_defaults_hold() -> None:
    assert read_settings([], {}) == Settings()


def test_the_table_of_this_test_knows_every_setting() -> None:
    assert set(GOOD) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("name", GOOD)
def test_a_flag_wins_over_the_environment_and_that_over_the_default(name: str) -> None:
    text, value = GOOD[name]
    default = getattr(Settings(), name)
    assert value != default
    assert getattr(read_settings([], {variable(name): text}), name) == value
    assert getattr(read_settings([flag(name), text], {variable(name): "never parsed \n"}), name) == value
    assert getattr(read_settings([], {variable(name): ""}), name) == default


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_flag_is_one_sentence_naming_it_its_value_and_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(SettingError) as refusal:
        read_settings([f"{flag(name)}={text}"], {})
    assert str(refusal.value).startswith(f"{flag(name)} is {text!r}: it must be ")
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text in BAD if text])
def test_a_bad_variable_is_one_sentence_naming_it_its_value_and_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(SettingError) as refusal:
        read_settings([], {variable(name): text})
    assert str(refusal.value).startswith(f"{variable(name)} is {text!r}: it must be ")
    assert is_one_sentence(str(refusal.value))


def test_an_input_limit_that_leaves_no_room_for_an_answer_is_refused_with_both_numbers() -> None:
    with pytest.raises(SettingError, match=r"--max-input-tokens is 10: .* --max-total-tokens, which is 10\."):
        read_settings(["--max-input-tokens", "10", "--max-total-tokens", "10"], {})


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["--port"], ["stray"], ["--max", "1"]])
def test_a_command_line_that_makes_no_sense_is_one_sentence_that_points_to_help(arguments: list[str]) -> None:
    with pytest.raises(SettingError) as refusal:
        read_settings(arguments, {})
    assert arguments[0] in str(refusal.value)
    assert "--help" in str(refusal.value)
    assert is_one_sentence(str(refusal.value))


def test_help_lists_every_setting_with_its_variable_its_default_and_what_is_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as leaving:
        read_settings(["--help"], {})
    assert leaving.value.code == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for setting in SETTINGS:
        assert f"{format_flag(setting)} " in text
        assert f"${format_variable(setting)}" in text
        assert setting.metadata["help"] in text
        assert setting.metadata["allowed"] in text
        if setting.default:
            assert f"[{format_default(setting)}]" in text


def test_variables_that_shells_and_containers_set_for_themselves_are_not_read() -> None:
    theirs = {"HOSTNAME": "a3f9c2", "PORT": "x", "MODEL_ID": "x/y", "DEVICE": "x", "DTYPE": "x", "REVISION": "x"}
    assert read_settings([], theirs) == Settings()


@pytest.mark.parametrize("name", ["model_id", "revision", "hostname", "port", "dtype", "max_concurrent_requests"])
def test_the_launchers_names_are_text_generation_inferences(name: str) -> None:
    assert flag(name) == "--" + name.replace("_", "-")
