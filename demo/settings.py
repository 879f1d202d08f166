"""Settings: flag > environment > default. Names follow text-generation-inference's launcher.

Knows no model and no server: a value that is to be chosen automatically is None here, and chosen where the model or the
server is opened.

argparse, not typer or pydantic-settings: the core imports no package, and both report errors in several lines of their
own words, where this module raises one sentence.
"""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, NoReturn

from demo.errors import SettingError
from demo.setting_parsers import (
    Parser,
    line,
    match,
    number,
    parse_batch_sizes,
    parse_bytes,
    parse_networks,
    parse_truth,
    seconds,
    separated,
)

STORED = "stored"  # the weights as their file packs them
ROUNDED = "q8_0"  # weights of 16 and 32 bits rounded to 8 at load, 32 numbers per scale
FOUR_BITS = "q4_1"  # rounded to 4, 32 numbers per scale and offset
KERNEL_DTYPES = (STORED, ROUNDED, FOUR_BITS)  # what the CPU kernels multiply
DEFAULT_MAX_TOTAL_TOKENS = 4096
DTYPES = ("auto", *KERNEL_DTYPES, "float32", "bfloat16", "float16")
ENVIRONMENT_PREFIX = "DEMO_"
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def _setting(default: Any, parser: Parser, text: str) -> Any:
    return field(default=default, metadata={"parse": parser.parse, "allowed": parser.allowed, "help": text})


def _switch(text: str) -> Any:
    return _setting(False, Parser(parse_truth, "true or false"), text)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator may choose. None: chosen automatically, and logged with the reason."""

    model_id: str | None = _setting(
        None, line("a hub id, a folder or a .gguf file"), "model to serve [embedded SmolLM2-135M, else the hub's]"
    )
    revision: str | None = _setting(None, line("a branch, tag or commit"), "revision of a hub model [main]")
    hostname: str | None = _setting(
        None, line("an address of this machine"), "address to listen on [127.0.0.1; 0.0.0.0 on a Space]"
    )
    port: int = _setting(7860, number(0, 65535, "a number from 0 (any free port) to 65535"), "port to listen on")
    root_path: str | None = _setting(
        None,
        match(ROOT_PATH.pattern, 'a path such as /demo, with "/" at its beginning and none at its end'),
        "path at which a proxy serves this server, if not the root of its host [X-Forwarded-Prefix]",
    )
    public_url: str | None = _setting(
        None,
        match(r"https?://[^\s/?#@]+(/[^\s?#]*)?", "http://HOST:PORT or https://HOST, with a path if there is one"),
        "address at which phones reach this server, for a room's QR code [a Space's, else the one in the browser's "
        "address bar, else this machine's on its network]",
    )
    max_concurrent_requests: int = _setting(64, number(1), "requests admitted at once; more are refused as overloaded")
    max_ttft: float | None = _setting(
        None, seconds(), "longest predicted time to first token; later requests are refused as overloaded [no limit]"
    )
    max_input_tokens: int | None = _setting(None, number(1), "longest prompt, in tokens [max-total-tokens - 1]")
    max_new_tokens: int | None = _setting(None, number(1), "longest answer, in tokens [what max-total-tokens leaves]")
    max_total_tokens: int | None = _setting(None, number(2), "prompt and answer together [the model's, up to 4096]")
    dtype: str = _setting(
        "auto",
        match("|".join(DTYPES), f"one of {', '.join(DTYPES)}"),
        "dtype of the weights; stored: as in their file; q8_0, q4_1: rounded to 8 or 4 bits",
    )
    device: str = _setting(
        "auto", match("auto|cpu|mps|cuda(:[0-9]+)?", "auto, cpu, cuda, cuda:N or mps"), "device that runs the model"
    )
    cuda_graphs: tuple[int, ...] = _setting(
        (1, 2, 4, 8, 16, 32, 64),
        Parser(parse_batch_sizes, "numbers from 1 to 1024 separated by commas, or 0"),
        "batch sizes for which CUDA graphs are captured at startup; 0: none",
    )
    torch_compile: bool = _switch("compile a GPU's step with torch.compile before it is captured: a longer start")
    kv_cache_memory: int | None = _setting(
        None,
        Parser(parse_bytes, "bytes, or a size such as 500MB or 2GiB"),
        "memory of the KV cache [a share of what is free]",
    )
    no_prefix_cache: bool = _switch("compute every prompt in full: reuse no KV cache of an earlier prompt")
    threads: int | None = _setting(
        None, number(1, 1024, "a whole number from 1 to 1024"), "CPU threads for the model [one per usable core]"
    )

    drain_timeout: int = _setting(
        30,
        number(0, 3600, "a whole number of seconds from 0 to 3600"),
        "seconds that answers get to end after SIGTERM, while nothing new is admitted; 0: none",
    )
    no_ui: bool = _switch("serve the API alone, without the page")
    keep_serving: bool | None = _setting(
        None,
        Parser(parse_truth, "true or false"),
        "keep the page up where the model fails, and load it again later; else exit with code 2 [true on a Space]",
    )
    replay_only: bool = _switch("serve recorded runs alone, without a model, each marked as recorded")
    endpoint: str | None = _setting(
        None,
        match(
            r"https?://[^\s/?#@]+(/[^\s?#]*)?", "http://HOST:PORT or https://HOST, without a user and without a query"
        ),
        "engine elsewhere that answers instead of a model here: vLLM, SGLang, llama-server, TGI, Ray Serve, or another "
        "one of this server [none]",
    )
    endpoint_api_key: str | None = _setting(
        None, match("[!-~]+", "printable ASCII without spaces"), "key that the engine elsewhere requires [none]"
    )
    endpoint_model: str | None = _setting(
        None, line("the id of a model that the engine elsewhere serves"), "its model [the only one that it serves]"
    )
    endpoint_timeout: int = _setting(
        300, number(1, 86_400, "a number of seconds from 1 to 86400"), "seconds without a byte that end a request there"
    )
    chat_template: str | None = _setting(
        None, line("a Jinja file"), "chat template that writes conversations [the model's own]"
    )
    no_special_tokens_in_text: bool = _switch(
        "encode special tokens in the text of messages as plain text, not as control tokens"
    )
    plain_prompts: Literal["chat", "raw"] = _setting(
        "chat",
        match("chat|raw", "chat or raw"),
        "how the API gives plain text to the model: as a user's message, or raw, as text-generation-inference does",
    )
    api_key: str | None = _setting(
        None,
        match("[!-~]+", "printable ASCII without spaces"),
        "key that the generating routes require as `Authorization: Bearer` [none]",
    )
    page_password: str | None = _setting(
        None,
        match("[!-~]{8,}", "at least 8 characters of printable ASCII without spaces"),
        "password that the page asks for; without --api-key also the key of the API [the API key]",
    )
    open_page: bool = _switch("let everyone who opens the page generate there, although the API requires a key")
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        separated(
            r"\*|(\*\.)?[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?",
            "host names or addresses without ports, *.example.com, or * for any, separated by commas",
        ),
        "names under which this server is reached; others are refused [own address and localhost, if only this machine "
        "can connect; else any]",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        Parser(parse_networks, "addresses or ranges such as 10.0.0.0/8, separated by commas"),
        "proxies whose X-Forwarded-For says which client a request comes from [none; on a Space the platform's]",
    )
    cors_allow_origin: tuple[str, ...] = _setting(
        (),
        separated(r"\*|https?://[^/\s,]+", "origins separated by commas, or *"),
        "origins whose pages may call the API from a browser",
    )
    webhook_allow: tuple[str, ...] = _setting(
        (),
        separated(
            "[A-Za-z0-9._:-]+(/[0-9]{1,3})?", "host names, addresses or ranges such as 10.0.0.0/8, separated by commas"
        ),
        "hosts to which results may be POSTed, beside this server's inbox; internal addresses only if listed",
    )
    log_prompts: bool = _switch("write prompts into the access log")

    def __post_init__(self) -> None:
        for flag, part in (("--max-input-tokens", self.max_input_tokens), ("--max-new-tokens", self.max_new_tokens)):
            if part and self.max_total_tokens and part >= self.max_total_tokens:
                whole = f"--max-total-tokens, which is {self.max_total_tokens}"
                raise SettingError(f"{flag} is {part}: it must be less than {whole}.")
        _check_endpoint(self)
        if self.open_page and self.page_password:
            raise SettingError("--open-page and --page-password exclude each other: choose one of them.")


# What says how a model is loaded here, or bounded by a tokenizer that only its engine has.
OF_LOADING = {
    *("model_id", "revision", "dtype", "device", "cuda_graphs", "torch_compile", "threads", "replay_only"),
    *("no_special_tokens_in_text", "kv_cache_memory", "no_prefix_cache", "max_input_tokens"),
}


def _check_endpoint(settings: Settings) -> None:
    for setting in fields(Settings):
        is_set = getattr(settings, setting.name) != setting.default
        if is_set and settings.endpoint and setting.name in OF_LOADING:
            raise SettingError(
                f"{format_flag(setting)} and --endpoint exclude each other: the engine elsewhere loads its own model."
            )


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a command line and an environment.

    Raises SettingError: one sentence with the setting, its value and what is allowed. `--help` raises SystemExit.
    """
    flags = vars(_parser().parse_args(arguments))
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        if (text := flags[setting.name]) is not None:
            values[setting.name] = _parse(setting, format_flag(setting), text)
        elif text := environment.get(format_variable(setting)):
            values[setting.name] = _parse(setting, format_variable(setting), text)
    return Settings(**values)


def format_flag(setting: "Field[Any]") -> str:
    """`--max-total-tokens` for `max_total_tokens`."""
    return "--" + setting.name.replace("_", "-")


def format_variable(setting: "Field[Any]") -> str:
    """`DEMO_MAX_TOTAL_TOKENS` for `max_total_tokens`. Prefixed: shells set HOSTNAME themselves."""
    return ENVIRONMENT_PREFIX + setting.name.upper()


def describe_setting(setting: "Field[Any]") -> str:
    """Its purpose and, in brackets, its default."""
    default = f" [{format_default(setting)}]" if setting.default else ""
    return f"{setting.metadata['help']}{default}"


def format_default(setting: "Field[Any]") -> str:
    """The default as it is written on a command line."""
    default = setting.default
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _parse(setting: "Field[Any]", source: str, text: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError:
        raise SettingError(f"{source} is {text!r}: it must be {setting.metadata['allowed']}.") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingError(f"{message[0].upper()}{message[1:]}: `{self.prog} --help` lists all flags.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python app.py",
        allow_abbrev=False,
        description="One language model behind two panels: one streams, the other waits for the whole answer.",
        epilog="A flag overrides its environment variable. [In brackets: the default.]",
    )
    for setting in fields(Settings):
        is_switch = setting.type in (bool, bool | None)
        options: dict[str, Any] = {"nargs": "?", "const": "true"} if is_switch else {}  # --flag alone: true
        options["metavar"] = "NUMBER" if setting.type in (int, int | None) else "TEXT"
        options["help"] = f"{describe_setting(setting)}; {setting.metadata['allowed']}; ${format_variable(setting)}"
        parser.add_argument(format_flag(setting), **options)
    return parser
