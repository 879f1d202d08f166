import re
from dataclasses import fields

import pytest

from demo.errors import SettingError
from demo.settings import OF_LOADING, Settings, format_default, format_flag, format_variable, read_settings

SETTINGS = {setting.name: setting for setting in fields(Settings)}
GOOD = {
    "model_id": ("org/name", "org/name"),
    "chat_template": ("chat.jinja", "chat.jinja"),
    "revision": ("main", "main"),
    "hostname": ("0.0.0.0", "0.0.0.0"),
    "port": ("0", 0),
    "root_path": ("/team/demo", "/team/demo"),
    "public_url": ("https://class.example:8443/demo", "https://class.example:8443/demo"),
    "max_concurrent_requests": ("3", 3),
    "max_ttft": ("1.5", 1.5),
    "max_input_tokens": ("5", 5),
    "max_new_tokens": ("4", 4),
    "max_total_tokens": ("6", 6),
    "trusted_proxies": ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
    "dtype": ("bfloat16", "bfloat16"),
    "device": ("cuda:1", "cuda:1"),
    "cuda_graphs": ("8, 1,8", (1, 8)),
    "torch_compile": ("true", True),
    "kv_cache_memory": ("1.5 GiB", 1610612736),
    "no_prefix_cache": ("1", True),
    "no_special_tokens_in_text": ("true", True),
    "threads": ("2", 2),
    "drain_timeout": ("0", 0),
    "no_ui": ("true", True),
    "keep_serving": ("true", True),
    "replay_only": ("true", True),
    "endpoint": ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
    "endpoint_api_key": ("secret!", "secret!"),
    "endpoint_model": ("org/name", "org/name"),
    "endpoint_timeout": ("60", 60),
    "plain_prompts": ("raw", "raw"),
    "api_key": ("secret!", "secret!"),
    "page_password": ("eight-or-more", "eight-or-more"),
    "open_page": ("true", True),
    "allowed_hosts": ("demo.example, *.b.example,[::1]", ("demo.example", "*.b.example", "[::1]")),
    "cors_allow_origin": ("https://a.example, http://b:8000", ("https://a.example", "http://b:8000")),
    "webhook_allow": ("hooks.example, 10.0.0.0/8", ("hooks.example", "10.0.0.0/8")),
    "log_prompts": ("1", True),
}
INVALID = {
    "trusted_proxies": ["10.0.0.1/8", "10.0.0.0/99", "::::", "1.2.3", "999.1.1.1", "proxy"],
    "max_new_tokens": ["0"],
    "model_id": [" ", "a\nb"],
    "revision": [""],
    "hostname": ["  "],
    "port": ["-1", "65536", "http"],
    "root_path": ["/", "demo", "/demo/", "/a//b", "https://a.example/demo"],
    "public_url": ["a.example", "ftp://a.example", "https://", "https://u:p@a.example", "https://a.example/?q", "a b"],
    "max_concurrent_requests": ["0"],
    "max_ttft": ["0", "-1", "nan", "inf", "soon"],
    "max_input_tokens": ["1.5", "0"],
    "max_total_tokens": ["1"],
    "dtype": ["float8", "auto\n"],
    "device": ["gpu", "cuda:", "cuda:x", "cuda:²", "cpu:0"],
    "cuda_graphs": ["0,1", "-1", "2000", "yes"],
    "kv_cache_memory": ["0", "-1GB", "2 potatoes"],
    "no_prefix_cache": ["maybe"],
    "no_special_tokens_in_text": ["maybe"],
    "threads": ["0", "many"],
    "drain_timeout": ["-1", "3601", "30s"],
    "no_ui": ["maybe", "10"],
    "endpoint": ["127.0.0.1:8000", "ftp://a", "http://", "http://user:key@a", "http://a/?key=1"],
    "endpoint_api_key": ["two words"],
    "endpoint_model": ["a\nb"],
    "endpoint_timeout": ["0", "1.5"],
    "plain_prompts": ["Chat"],
    "api_key": ["two words", "ключ"],
    "page_password": ["short", "two words here", "пароль-пароль"],
    "open_page": ["maybe"],
    "allowed_hosts": ["https://a.example", "a.example:80", "a.*", "a,,b"],
    "cors_allow_origin": ["a.example", "https://a.example/path"],
    "webhook_allow": ["https://hooks.example/path", "a,,b"],
    "log_prompts": ["ja"],
}
BAD = [(name, text) for name, texts in INVALID.items() for text in texts]


def test_no_cuda_graphs_are_none() -> None:
    assert read_settings(["--cuda-graphs", "0"], {}).cuda_graphs == ()


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("500MB", 500_000_000), ("2k", 2_000), ("1 KiB", 1024), ("0.5G", 500_000_000)]
)
def test_memory_is_written_in_bytes_or_with_a_unit(text: str, size: int) -> None:
    assert read_settings(["--kv-cache-memory", text], {}).kv_cache_memory == size


def is_one_sentence(text: str) -> bool:
    return len(text.splitlines()) == 1 and text.endswith(".")


def test_the_table_of_this_test_knows_every_setting() -> None:
    assert GOOD.keys() == SETTINGS.keys()


@pytest.mark.parametrize("name", GOOD)
def test_a_flag_wins_over_the_environment_and_that_over_the_default(name: str) -> None:
    text, value = GOOD[name]
    flag, variable = format_flag(SETTINGS[name]), format_variable(SETTINGS[name])
    default = getattr(Settings(), name)
    assert value != default
    assert getattr(read_settings([], {variable: text}), name) == value
    assert getattr(read_settings([flag, text], {variable: "never parsed \n"}), name) == value
    assert getattr(read_settings([], {variable: ""}), name) == default


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_flag_or_variable_is_one_sentence_naming_it_its_value_and_what_is_allowed(name: str, text: str) -> None:
    flag, variable = format_flag(SETTINGS[name]), format_variable(SETTINGS[name])
    for source, arguments, environment in ((flag, [f"{flag}={text}"], {}), (variable, [], {variable: text})):
        if text or arguments:  # an empty variable counts as not set
            with pytest.raises(SettingError) as refusal:
                read_settings(arguments, environment)
            assert str(refusal.value).startswith(f"{source} is {text!r}: it must be ")
            assert is_one_sentence(str(refusal.value))


def test_an_input_limit_that_leaves_no_room_for_an_answer_is_refused_with_both_numbers() -> None:
    with pytest.raises(SettingError, match=r"--max-input-tokens is 10: .* --max-total-tokens, which is 10\."):
        read_settings(["--max-input-tokens", "10", "--max-total-tokens", "10"], {})


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["--port"], ["stray"], ["--max", "1"]])
def test_an_invalid_command_line_is_one_sentence_that_points_to_help(arguments: list[str]) -> None:
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
    for setting in SETTINGS.values():
        assert f"{format_flag(setting)} " in text
        assert f"${format_variable(setting)}" in text
        assert setting.metadata["help"] in text
        assert setting.metadata["allowed"] in text
        if setting.default:
            assert f"[{format_default(setting)}]" in text


def test_the_defaults_hold_and_variables_that_shells_and_containers_set_for_themselves_are_not_read() -> None:
    theirs = {"HOSTNAME": "a3f9c2", "PORT": "x", "MODEL_ID": "x/y", "DEVICE": "x", "DTYPE": "x", "REVISION": "x"}
    assert read_settings([], theirs) == Settings()


@pytest.mark.parametrize("name", sorted(OF_LOADING))
def test_what_says_how_a_model_is_loaded_here_and_an_engine_elsewhere_exclude_each_other(name: str) -> None:
    flag = format_flag(SETTINGS[name])
    with pytest.raises(SettingError, match=f"^{flag} and --endpoint exclude each other") as refusal:
        read_settings(["--endpoint", "http://127.0.0.1:8000", flag, GOOD[name][0]], {})
    assert is_one_sentence(str(refusal.value))
