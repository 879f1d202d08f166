"""Settings: flag > environment > default. Names follow text-generation-inference's launcher.

Knows no model and no server; an automatic choice is left as None here and made, with its reason,
by whoever has what it takes to choose.
"""

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Generic, Literal, NoReturn, TypeVar

from demo.errors import SettingError

DEVICES = "auto, cpu, cuda, cuda:N or mps"
STORED = "stored"  # the weights as their file packs them
DTYPES = ("auto", STORED, "float32", "bfloat16", "float16")
ENVIRONMENT_PREFIX = "DEMO_"
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")

T = TypeVar("T")


def _setting(default: Any, parse: Callable[[str], Any], allowed: str, text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "allowed": allowed, "help": text})


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return parse


def _one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError
        return text

    return parse


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(i?)B?)?", text.strip(), re.IGNORECASE)
    if match is None or (size := int(float(match[1]) * _scale(match[2], match[3]))) < 1:
        raise ValueError
    return size


def _scale(prefix: str | None, binary: str | None) -> int:
    return 1 if prefix is None else (1024 if binary else 1000) ** (1 + "KMGT".index(prefix.upper()))


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", text):
        raise ValueError
    return text


def _key(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError
    return text


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError
    return text.lower() in ("true", "1")


def _path(text: str) -> str:
    if not ROOT_PATH.fullmatch(text):
        raise ValueError
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in text.split(","))
    if not all(re.fullmatch(r"\*|https?://[^/\s,]+", origin) for origin in origins):
        raise ValueError
    return origins


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip() for part in text.split(","))
    if not all(re.fullmatch(r"[A-Za-z0-9._:-]+(/[0-9]{1,3})?", host) for host in hosts):
        raise ValueError
    return hosts


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(part) for part in text.split(",")}))
    if sizes == (0,):
        return ()
    if sizes[0] < 1 or sizes[-1] > 1024:
        raise ValueError
    return sizes


_count = _whole_number(1, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator may choose. None means: choose for me, and say why."""

    model_id: str | None = _setting(
        None, _one_line, "a hub id, a folder or a .gguf file", "model to serve [embedded SmolLM2-135M, else the hub's]"
    )
    revision: str | None = _setting(None, _one_line, "a branch, tag or commit", "revision of a hub model [main]")
    hostname: str | None = _setting(
        None, _one_line, "an address of this machine", "address to listen on [127.0.0.1; 0.0.0.0 on a Space]"
    )
    port: int = _setting(7860, _whole_number(0, 65535), "a number from 0 (any free port) to 65535", "port to listen on")
    root_path: str | None = _setting(
        None,
        _path,
        'a path such as /demo, with "/" at its beginning and none at its end',
        "where a proxy shows this server, if not at the root of its host [X-Forwarded-Prefix]",
    )
    max_concurrent_requests: int = _setting(
        64, _count, "a whole number from 1", "requests admitted at once; more are refused as overloaded"
    )
    max_input_tokens: int | None = _setting(
        None, _count, "a whole number from 1", "longest prompt, in tokens [max-total-tokens - 1]"
    )
    max_total_tokens: int | None = _setting(
        None,
        _whole_number(2, 2**31 - 1),
        "a whole number from 2",
        "prompt and answer together [the model's, up to 4096]",
    )
    dtype: str = _setting(
        "auto",
        _one_of(*DTYPES),
        f"one of {', '.join(DTYPES)}",
        "number format of the weights; stored: as in their file",
    )
    device: str = _setting("auto", _device, DEVICES, "where the model runs")
    cuda_graphs: tuple[int, ...] = _setting(
        (1, 2, 4, 8, 16, 32, 64),
        _sizes,
        "numbers from 1 to 1024 separated by commas, or 0",
        "numbers of rows for which a GPU's step is captured at the start; 0 captures none",
    )
    torch_compile: bool = _setting(
        False, _truth, "true or false", "fuse a GPU's step with torch.compile before it is captured: a longer start"
    )
    kv_cache_memory: int | None = _setting(
        None, _bytes, "bytes, or a size such as 500MB or 2GiB", "memory for keys and values [a share of what is free]"
    )
    no_prefix_cache: bool = _setting(
        False, _truth, "true or false", "read every prompt as a whole, also where its beginning was read before"
    )
    threads: int | None = _setting(
        None, _whole_number(1, 1024), "a whole number from 1 to 1024", "CPU threads for the model [one per usable core]"
    )

    no_ui: bool = _setting(False, _truth, "true or false", "serve the API alone, without the page")
    replay_only: bool = _setting(
        False, _truth, "true or false", "serve recorded runs alone, without a model, each marked as recorded"
    )
    plain_prompts: Literal["chat", "raw"] = _setting(
        "chat",
        _one_of("chat", "raw"),
        "chat or raw",
        "how the API puts plain text to the model: as a user's message, or raw, as text-generation-inference does",
    )
    api_key: str | None = _setting(
        None,
        _key,
        "printable ASCII without spaces",
        "what generating over the API needs as `Authorization: Bearer` [nothing]",
    )
    cors_allow_origin: tuple[str, ...] = _setting(
        (), _origins, "origins separated by commas, or *", "pages of these origins may call the API from a browser"
    )
    webhook_allow: tuple[str, ...] = _setting(
        (),
        _hosts,
        "host names, addresses or ranges such as 10.0.0.0/8, separated by commas",
        "where results may be POSTed beside this server's own inbox; internal addresses only if named as such",
    )
    log_prompts: bool = _setting(False, _truth, "true or false", "write prompts into the access log")

    def __post_init__(self) -> None:
        if self.max_input_tokens and self.max_total_tokens and self.max_input_tokens >= self.max_total_tokens:
            raise SettingError(
                f"--max-input-tokens is {self.max_input_tokens}: it must be less than "
                f"--max-total-tokens, which is {self.max_total_tokens}."
            )


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that a command line and an environment ask for.

    Raises SettingError: one sentence naming the setting, the value and what is allowed.
    `--help` leaves through argparse's SystemExit.
    """
    flags = vars(_parser().parse_args(arguments))
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        flag, variable = flag_of(setting), variable_of(setting)
        if (text := flags[setting.name]) is not None:
            values[setting.name] = _parse(setting, flag, text)
        elif text := environment.get(variable):
            values[setting.name] = _parse(setting, variable, text)
    return Settings(**values)


def flag_of(setting: "Field[Any]") -> str:
    """`--max-total-tokens` for `max_total_tokens`."""
    return "--" + setting.name.replace("_", "-")


def variable_of(setting: "Field[Any]") -> str:
    """`DEMO_MAX_TOTAL_TOKENS` for `max_total_tokens`. Prefixed: shells set HOSTNAME themselves."""
    return ENVIRONMENT_PREFIX + setting.name.upper()


def purpose_of(setting: "Field[Any]") -> str:
    """What it sets, and in brackets what is chosen when it is not given."""
    default = f" [{spell_default(setting)}]" if setting.default else ""
    return f"{setting.metadata['help']}{default}"


def spell_default(setting: "Field[Any]") -> str:
    """The default as a person would type it."""
    default = setting.default
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _parse(setting: "Field[Any]", source: str, text: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError:
        raise SettingError(f"{source} is {text!r}: it must be {setting.metadata['allowed']}.") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingError(f"{message[0].upper()}{message[1:]}: `{self.prog} --help` lists what there is.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python app.py",
        allow_abbrev=False,
        description="One language model behind two panels: streamed, and waiting for the whole answer.",
        epilog="A flag wins over its environment variable. [in brackets: what is chosen when neither is given]",
    )
    for setting in fields(Settings):
        # A switch may stand alone.
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if setting.type is bool else {}
        parser.add_argument(flag_of(setting), metavar=_metavar(setting), help=_help(setting), **switch)
    return parser


def _metavar(setting: "Field[Any]") -> str:
    return "NUMBER" if setting.type in (int, int | None) else "TEXT"


def _help(setting: "Field[Any]") -> str:
    return f"{purpose_of(setting)}; {setting.metadata['allowed']}; ${variable_of(setting)}"


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """Something chosen automatically or by a setting, to be told to the operator with its reason."""

    name: str
    value: T
    reason: str

    def __str__(self) -> str:
        return f"{self.name}={self.value} ({self.reason})"
