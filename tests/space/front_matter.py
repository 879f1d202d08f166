"""The front matter of a Space's README, YAML between two lines of dashes, and what the hub accepts in it.

Knows no variant of this app.

Sources, read in November 2026: the hub's documentation, pages spaces-config-reference, spaces-gpus, spaces-zerogpu and
spaces-sdks-static; the answers of the hook that checks a push (`short_description`); huggingface_hub's `SpaceHardware`.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from huggingface_hub import SpaceHardware

PARTS: Final = re.compile(r"---\n(.*?)^---\n(.*)", re.DOTALL | re.MULTILINE)
KINDS: Final[dict[str, type]] = {
    **dict.fromkeys(("title", "emoji", "colorFrom", "colorTo", "thumbnail", "short_description", "license"), str),
    **dict.fromkeys(("sdk", "sdk_version", "python_version", "app_file", "app_build_command", "base_path"), str),
    **dict.fromkeys(("suggested_hardware", "header", "startup_duration_timeout"), str),
    **dict.fromkeys(("pinned", "fullWidth", "disable_embedding", "hf_oauth"), bool),
    **dict.fromkeys(("models", "datasets", "tags", "preload_from_hub", "hf_oauth_scopes"), list),
    **dict.fromkeys(("app_port", "hf_oauth_expiration_minutes"), int),
    "custom_headers": dict,
}
NEEDED: Final = ("title", "emoji", "colorFrom", "colorTo", "sdk", "license")
COLOURS: Final = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "sdk": ("gradio", "docker", "static"),
    "colorFrom": COLOURS,
    "colorTo": COLOURS,
    "header": ("mini", "default"),
    "suggested_hardware": tuple(each.value for each in SpaceHardware),
}
PATTERNS: Final = {
    "python_version": r"3\.\d+(\.\d+)?",
    "sdk_version": r"\d+\.\d+\.\d+",
    "startup_duration_timeout": r"\d+[smh]",
    "base_path": r"/.*",
}
REPOSITORY: Final = r"[\w.-]+/[\w.-]+"
PRELOADED: Final = rf"{REPOSITORY}( [^ ,]+(,[^ ,]+)*( [0-9a-f]{{40}})?)?"  # repository, files, commit
LONGEST_DESCRIPTION: Final = 60
GRADIO_ONLY: Final = ("sdk_version", "python_version", "suggested_hardware", "preload_from_hub")
ZEROGPU: Final = SpaceHardware.ZERO_A10G.value
ZEROGPU_PYTHONS: Final = ("3.10.13", "3.12.12")


def split_readme(text: str) -> tuple[dict[str, Any], str]:
    """The fields, and the text after them. Raises ValueError where there is no front matter."""
    if (found := PARTS.fullmatch(text)) is None:
        raise ValueError("The README does not begin with YAML between two lines of ---.")
    fields: dict[str, Any] = yaml.safe_load(found[1])
    return fields, found[2]


def join_readme(fields: Mapping[str, Any], body: str) -> str:
    block = yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True, width=200)
    return f"---\n{block}---\n{body}"


def list_faults(fields: Mapping[str, Any]) -> list[str]:
    """Each thing that the hub refuses or ignores, as a sentence; none where all is well."""
    return [*_check_keys(fields), *_check_values(fields), *_check_models(fields), *_check_together(fields)]


def _check_keys(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if name not in KINDS:
            yield f"{name} is not a parameter of a Space"
        elif not isinstance(value, KINDS[name]):
            yield f"{name} is {value!r}: it must be of the type {KINDS[name].__name__}"
    yield from (f"{name} is missing" for name in NEEDED if name not in fields)


def _check_values(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in CHOICES.items():
        if name in fields and fields[name] not in allowed:
            yield f"{name} is {fields[name]!r}: it must be one of {', '.join(allowed)}"
    for name, pattern in PATTERNS.items():
        if name in fields and not re.fullmatch(pattern, str(fields[name])):
            yield f"{name} is {fields[name]!r}: it must match {pattern}"
    if len(text := str(fields.get("short_description", ""))) > LONGEST_DESCRIPTION:
        yield f"short_description has {len(text)} characters: {LONGEST_DESCRIPTION} at most"
    if not _is_emoji(str(fields.get("emoji", ""))):
        yield f"emoji is {fields.get('emoji')!r}: it must be one emoji and nothing else"


def _is_emoji(text: str) -> bool:
    # A symbol, maybe with a variation selector or joined to others. So, Mn, Cf: Unicode's categories of these.
    return 0 < len(text) <= 8 and all(unicodedata.category(each) in ("So", "Mn", "Cf", "Sk") for each in text)


def _check_models(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, pattern in (("models", REPOSITORY), ("datasets", REPOSITORY), ("preload_from_hub", PRELOADED)):
        for each in fields.get(name, []):
            if not re.fullmatch(pattern, str(each)):
                yield f"{name}: {each!r} does not match {pattern}"
    # A repository without a list of files is downloaded whole: that of SmolLM2-1.7B-Instruct has 19 GB of ONNX.
    whole = [each for each in fields.get("preload_from_hub", []) if " " not in str(each)]
    yield from (f"preload_from_hub: {each!r} names no files, so that all of them are downloaded" for each in whole)


def _check_together(fields: Mapping[str, Any]) -> Iterator[str]:
    if fields.get("sdk") == "gradio":
        needed = ("sdk_version", "python_version", "app_file")
        yield from (f"{name} is missing" for name in needed if name not in fields)
    else:
        yield from (f"{name} is for gradio alone" for name in GRADIO_ONLY if name in fields)
    if fields.get("suggested_hardware") == ZEROGPU and fields.get("python_version") not in ZEROGPU_PYTHONS:
        yield f"python_version is {fields.get('python_version')!r}: ZeroGPU runs {' and '.join(ZEROGPU_PYTHONS)}"
