"""The variants of the Space: which files each is made of, and how its front matter and requirements differ."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from demo.engines.local.loading.source import HUB_ID_ON_CPU, HUB_ID_ON_GPU
from demo.static.readme import FRONT_MATTER
from tests.space.front_matter import split_readme

SERVED: Final = ("app.py", "demo", "assets", "LICENSE", "CHANGELOG.md")  # and README.md and requirements.txt
# What transformers 5 opens of a Llama. No commit: with one, nothing says locally which commit `main` is.
FILES: Final = "config.json,generation_config.json,model.safetensors,tokenizer.json,tokenizer_config.json"
SPACES_PYTHON: Final = "3.11"


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of Space; `fields` are what its front matter has instead of or beside the README's own."""

    name: str
    hardware: str
    fields: Mapping[str, Any]
    torch: str = ""  # the line of requirements.txt, if another
    packages: tuple[str, ...] = ()  # more lines
    compiles: bool = False  # its kernels, ahead of time
    has_server: bool = True


def _use_model(model: str) -> dict[str, Any]:
    return {"models": [model], "preload_from_hub": [f"{model} {FILES}"]}


ZEROGPU: Final = Variant(
    "zerogpu",
    "zero-a10g",
    {"python_version": "3.12.12", **_use_model(HUB_ID_ON_GPU)},
    torch="torch>=2.8,<2.12",  # the platform runs none that is newer
    packages=("spaces>=0.51,<0.52",),
)
CPU: Final = Variant("cpu", "cpu-basic", {"python_version": SPACES_PYTHON, **_use_model(HUB_ID_ON_CPU)}, compiles=True)
GPU: Final = Variant("gpu", "t4-small", {"python_version": SPACES_PYTHON, **_use_model(HUB_ID_ON_GPU)})
STATIC: Final = Variant("static", "", split_readme(FRONT_MATTER)[0], has_server=False)
VARIANTS: Final = (ZEROGPU, CPU, GPU, STATIC)


def write_fields(variant: Variant, readme: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter of a variant, from that of the README; a page without a server has its own."""
    if not variant.has_server:
        return dict(variant.fields)
    return {**readme, "suggested_hardware": variant.hardware, **variant.fields}


def write_requirements(variant: Variant, text: str) -> str:
    """The requirements of a variant, from requirements.txt."""
    if variant.torch:
        text = write_torch(text, variant.torch)
    if variant.compiles:  # for this version of numba
        for name in ("numba", "llvmlite"):
            text = _replace_line(text, name, f"{name}=={version(name)}")
    return text + "".join(f"{line}\n" for line in variant.packages)


def write_torch(text: str, line: str) -> str:
    """Requirements with another line for torch."""
    return _replace_line(text, "torch", line)


def _replace_line(text: str, name: str, line: str) -> str:
    replaced, count = re.subn(rf"^{name}[><=~!].*$", line, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"requirements.txt has {count} lines for {name}: it must have one.")
    return replaced


def can_compile(variant: Variant) -> bool:
    """Whether machine code made by this Python is found by the variant's."""
    return variant.compiles and variant.fields["python_version"] == "{}.{}".format(*sys.version_info)
